"""Days: the last one of a card, of a waiver. A publisher who will not vouch for ever says until when."""

import re
from datetime import UTC, date, datetime

_ISO = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def today() -> date:
    """The date in UTC: a card, or a waiver, ends everywhere at once."""
    return datetime.now(UTC).date()


def read_date(text: str) -> date:
    """A date written as ``2030-01-31``, and in no other of ISO's ways.

    Raises:
        ValueError: it is not one.
    """
    if not _ISO.fullmatch(text):
        raise ValueError("not a date such as 2030-01-31")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("not a day of the calendar") from None
