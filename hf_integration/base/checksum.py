"""A record's checksum, kept in the record: it finds accidents and half copies, and no attacker."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from hf_integration.base.errors import FlawError

FIELD = "checksum"


def checksum(record: Mapping[str, Any]) -> str:
    """SHA-256 of a record without its checksum, as canonical JSON: layout and order of keys do not count."""
    content = {key: value for key, value in record.items() if key != FIELD}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def check(record: Mapping[str, Any], *, remedy: str) -> None:
    """Compare a record with its checksum.

    Args:
        record: as it was read.
        remedy: what to do if they do not fit.

    Raises:
        FlawError: they do not.
    """
    if record.get(FIELD) != checksum(record):
        raise FlawError(FIELD, "does not fit the rest of the file: edited or damaged", remedy=remedy)
