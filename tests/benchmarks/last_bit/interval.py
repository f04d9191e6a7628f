"""How sure a share is that was measured on a sample."""

import math


def wilson(hits: int, total: int, *, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share, 95 % by default.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if not total:
        return 0.0, 1.0
    share, square = hits / total, z * z / total
    middle = share + square / 2
    spread = z * math.sqrt(share * (1 - share) / total + square / (4 * total))
    return max(0.0, (middle - spread) / (1 + square)), min(1.0, (middle + spread) / (1 + square))
