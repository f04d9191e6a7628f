"""The checksum of ``card.json`` over its own content.

It finds edits by accident or by somebody who does not know better. Whoever means harm computes it anew: that
one is found by the card's identity, the SHA-256 of the file, which is pinned or signed elsewhere.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from hf_integration.flaw import FlawError

FIELD = "checksum"


def checksum(record: Mapping[str, Any]) -> str:
    """SHA-256 of a record without its checksum, as canonical JSON: layout and order of keys do not count."""
    content = {key: value for key, value in record.items() if key != FIELD}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def check(record: Mapping[str, Any]) -> None:
    """Compare a record with its checksum.

    Raises:
        FlawError: they do not fit.
    """
    if record.get(FIELD) != checksum(record):
        raise FlawError(
            FIELD,
            "does not fit the rest of the file: edited or damaged",
            remedy="get it anew, or mint it again",
        )
