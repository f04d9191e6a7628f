"""What a card says about its coverage, for people. Cards are untrusted: any value may be of any kind."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from hf_integration.base.text import harmless
from hf_integration.report.columns import number, table

MOST = 1e18

MOST_NAMED = 3
"""Tensors that are named in one line."""


def render_coverage(coverage: Mapping[str, Any]) -> list[str]:
    """Lines about coverage, harmless in a terminal; none for a card that says nothing about it."""
    if not coverage:
        return []
    if coverage.get("measured") is not True:
        reason = coverage.get("reason")
        return ["  coverage  not measured" + (f": {harmless(reason, longest=100)}" if reason else "")]
    return [*_totals(coverage), *_unreached(coverage), *_layer_inputs(_mapping(coverage.get("layer inputs")))]


def _totals(coverage: Mapping[str, Any]) -> list[str]:
    edit = coverage.get("edit")
    size = f"{100 * edit:g} % of its tensor's size" if _is_number(edit) else "?"
    rows = [("scalars covered", "precision", "of all", "without rows that no key sample looks up")]
    for precision, totals in _mapping(coverage.get("precisions")).items():
        counted = _mapping(totals)
        rows.append(
            (
                _count(counted.get("covered")),
                harmless(precision, longest=20),
                _share(counted.get("covered"), counted.get("scalars")),
                _share(counted.get("covered"), counted.get("met")),
            )
        )
    lines = [*table(rows, right=(0, 2, 3)), f"  covered: an edit of {size} breaks the watermark by itself"]
    for precision, totals in _mapping(coverage.get("precisions")).items():
        partly = _mapping(_mapping(totals).get("partly covered"))
        if partly:
            lines.append(f"  least covered in {harmless(precision, longest=20)}: {_named(partly)}")
    return lines


def _named(partly: Mapping[str, Any]) -> str:
    shares = []
    for name, counts in list(partly.items())[:MOST_NAMED]:
        pair = counts if isinstance(counts, list | tuple) and len(counts) == 2 else (None, None)
        shares.append(f"{harmless(name, longest=80)} {_share(*pair)}")
    more = len(partly) - MOST_NAMED
    return ", ".join(shares) + (f" and {more} more" if more > 0 else "")


def _unreached(coverage: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, counts in _mapping(coverage.get("rows without key sample")).items():
        if isinstance(counts, list | tuple) and len(counts) == 2:
            missed, rows = (_count(value) for value in counts)
            lines.append(
                f"  no key sample looks up {missed} of {rows} rows of {harmless(name, longest=80)}: "
                "their edits show in digests only"
            )
    if _is_number(tokens := coverage.get("tokens that no text gives")) and tokens:
        lines.append(
            f"  no raw text gives {_count(tokens)} tokens of the vocabulary: their rows cannot be reached"
        )
    inert = coverage.get("cannot matter")
    if isinstance(inert, list | tuple) and inert:
        named = ", ".join(harmless(name, longest=80) for name in inert[:MOST_NAMED])
        more = f" and {len(inert) - MOST_NAMED} more" if len(inert) > MOST_NAMED else ""
        lines.append(f"  cannot influence the embedding: {named}{more}")
    return lines


def _layer_inputs(inputs: Mapping[str, Any]) -> list[str]:
    """How many layers leave room for edits that no key sample feels, and which leaves the most."""
    known: dict[str, tuple[float, float]] = {}
    for name, entry in inputs.items():
        if (found := _most_rank(entry)) is not None:
            known[name] = found
    unknown = len(inputs) - len(known)
    lines = [f"  rank not measured at {unknown} of {len(inputs)} different layer inputs"] if unknown else []
    if not known:
        return lines
    open_ones = {name: found for name, found in known.items() if found[0] < found[1]}
    spanned = len(known) - len(open_ones)
    line = f"  activations span {spanned} of {len(inputs)} different layer inputs whole"
    lines.append(line + _condition(inputs))
    if not open_ones:
        return lines
    name, (rank, width) = min(open_ones.items(), key=lambda item: item[1][0] / (item[1][1] or 1))
    shows = (
        "shows in float64 by its rounding only"
        if 2 * rank > width
        # measured by `python -m tests.benchmarks attackers`, see fine_columns.py
        else "can be rounded so that float64 does not see it either"
    )
    return [
        *lines,
        f"  least in {harmless(name, longest=80)}: {_count(rank)} of {_count(width)} "
        f"dimensions; an exact edit of the others {shows}",
    ]


def _most_rank(entry: Any) -> tuple[float, float] | None:
    """Rank and width of a layer's input; fewer vectors than the width bound a rank that was not measured.

    None where nothing is known of it: no vector was seen, or there were too many for the width.
    """
    said = _mapping(entry)
    rank, width, vectors = said.get("rank"), said.get("width"), said.get("vectors")
    if not _is_number(width):
        return None
    if _is_number(rank):
        return rank, width
    return (vectors, width) if _is_number(vectors) and 0 < vectors < width else None


def _condition(inputs: Mapping[str, Any]) -> str:
    """The worst condition among inputs that are spanned: an edit may hide in what is hardly spanned."""
    found = [c for entry in inputs.values() if _is_number(c := _mapping(entry).get("condition"))]
    return f", with a condition of {number(max(found))} at worst" if found else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_number(value: Any) -> TypeGuard[int | float]:
    """A number that can be divided and printed; a card may hold one of a thousand digits."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MOST


def _count(value: Any) -> str:
    return f"{value:,}" if _is_number(value) else harmless(value, longest=40)


def _share(part: Any, whole: Any) -> str:
    if not (_is_number(part) and _is_number(whole) and whole > 0):
        return "?"
    share = part / whole
    # rounding up to 100 % would claim what was not found
    return f"{min(share, 0.9999 if share < 1 else 1) * 100:.2f} %" if share <= 1 else number(share)
