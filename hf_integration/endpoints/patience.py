"""How long a server is waited for, how often it is asked again, and the pauses between."""

import math
import random
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from hf_integration.base.errors import UsageError

LONGEST = 86_400
"""Seconds of any of the times: what waits longer is a mistake."""

MOST_TRIES = 100


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Bounds on the time that a server may take; all times are in seconds.

    Attributes:
        tries: how often one request is sent at most.
        request: for one try, from connecting to the last byte, however slowly the bytes come.
        total: for all requests of one call, with the pauses between them.
        first_pause: before the second try; it doubles with every further one.
        longest_pause: no pause is longer, whatever the server asks for.

    Raises:
        UsageError: a bound that bounds nothing.
    """

    tries: int = 5
    request: float = 120
    total: float = 900
    first_pause: float = 1
    longest_pause: float = 30

    def __post_init__(self) -> None:
        for field in fields(self):
            value, most = getattr(self, field.name), MOST_TRIES if field.name == "tries" else LONGEST
            if not (math.isfinite(value) and 0 < value <= most):
                raise UsageError(
                    f"patience with an endpoint: {field.name} is {value}", remedy=f"more than 0 to {most}"
                )

    def pause(self, failed: int, asked: float | None) -> float:
        """Seconds to wait after so many failed tries.

        Half of a pause is left to chance: clients that failed together must not come back together.

        Args:
            failed: tries that failed, at least 1.
            asked: seconds that the server asks for in ``Retry-After``, if it does.
        """
        own = self.first_pause * 2.0 ** (failed - 1) * random.uniform(0.5, 1)  # noqa: S311  # no secret
        return min(max(own, asked or 0), self.longest_pause)


def retry_after(header: str | None) -> float | None:
    """Seconds that a ``Retry-After`` asks for, given as seconds or as a date (RFC 9110, 10.2.3).

    Returns:
        At least 0 and at most a day; ``None`` without a header that makes sense.
    """
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), LONGEST))
    try:
        date = parsedate_to_datetime(text[:100])
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):  # hostile dates raise each of them
        return None
    return min(max(seconds, 0.0), float(LONGEST))
