"""How many requests it takes to notice another encoder that answers a share of them, and what goes unnoticed.

Every request has a text that shows the other encoder, and nobody knows beforehand which requests it answers.
"""

import math

CONFIDENCE = 0.99
"""With which a verdict states what share of requests may have gone unnoticed, unless the caller chooses."""


def requests_to_notice(share: float, confidence: float = CONFIDENCE) -> int:
    """Requests after which another encoder that answers a share of them shows with a confidence.

    Raises:
        ValueError: one of them is not between 0 and 1.
    """
    if not (0 < share < 1 and 0 < confidence < 1):
        raise ValueError(f"share {share} and confidence {confidence} must lie between 0 and 1")
    # not log(1 - share), which is 0 for the smallest of shares
    return math.ceil(min(math.log(1 - confidence) / math.log1p(-share), 1e300))


def unnoticed_share(requests: int, confidence: float = CONFIDENCE) -> float:
    """Share of requests that another encoder may answer and go unnoticed with the confidence's complement."""
    return 1 - (1 - confidence) ** (1 / requests) if requests else 1.0
