"""Aligned columns of plain text, and numbers short enough to stand in them."""

from collections.abc import Sequence

from hf_integration.base.text import harmless
from hf_integration.verdict import LARGEST_ERROR, LARGEST_MARGIN


def number(value: float) -> str:
    """Three significant digits; what could not be computed is at the verdict's cap, as huge numbers are."""
    if not value < LARGEST_ERROR:  # true for NaN as well
        return f"{LARGEST_ERROR:.0e} or more"
    if value == 0 or 0.001 <= abs(value) < 1e6:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:.1e}"


def margin_text(margin: float) -> str:
    """A margin; beyond its cap, and where an error could not be computed, its digits mean nothing."""
    if margin >= LARGEST_MARGIN:
        return f"{LARGEST_MARGIN:,.0f} or more"
    return number(margin) if margin > 1e-6 else "0"


def pairs(facts: Sequence[tuple[str, str]]) -> list[str]:
    """One indented line per fact, the names padded to one width."""
    width = max(len(name) for name, _ in facts)
    return [f"  {name:<{width}}  {value}".rstrip() for name, value in facts]


def table(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Indented lines with aligned columns.

    Args:
        rows: the cells, the same number in every row.
        right: indices of the columns that are aligned to the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def margin_said(margin: float | None) -> str:
    """A margin, and what it means; or that there is none."""
    if margin is None:
        return "none, as the question stays open"
    return f"{margin_text(margin)} (tolerance / error of the worst strip; above 1 is intact)"


MOST_NAMES = 10
"""Differing files and tensors that are listed; the others are counted."""


def names_of(what: str, names: Sequence[str]) -> list[str]:
    """A heading with how many there are, and the first of them; nothing where there are none."""
    if not names:
        return []
    lines = [f"{what}: {len(names)}"]
    lines += [f"  {harmless(name)}" for name in names[:MOST_NAMES]]
    if len(names) > MOST_NAMES:
        lines.append(f"  and {len(names) - MOST_NAMES} more")
    return lines
