"""The report for programs: the verdict's own JSON values, strict JSON and plain ASCII."""

import json
import math
from collections.abc import Mapping
from typing import Any

from hf_integration.report.interface import Reporter
from hf_integration.verdict import Verdict


class JsonReporter(Reporter):
    """Reports as one JSON object with the verdict's fields; ``Verdict.from_dict`` reads it back."""

    def render(self, verdict: Verdict) -> str:
        """The report as strict JSON."""
        return strict_json(verdict.to_dict())


def strict_json(value: Any) -> str:
    """JSON that every parser accepts: no NaN or infinity (null instead), and ASCII only.

    ASCII, because JSON allows characters that a terminal would obey, such as bidirectional overrides.
    """
    return json.dumps(_finite(value), allow_nan=False, indent=2)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
