"""What a card says about its coverage, for people. Cards are untrusted: any value may be of any kind."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from hf_integration.report.columns import number, table
from hf_integration.report.escaping import harmless

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
    inert = coverage.get("cannot matter")
    if isinstance(inert, list | tuple) and inert:
        named = ", ".join(harmless(name, longest=80) for name in inert[:MOST_NAMED])
        more = f" and {len(inert) - MOST_NAMED} more" if len(inert) > MOST_NAMED else ""
        lines.append(f"  cannot influence the embedding: {named}{more}")
    return lines


def _layer_inputs(inputs: Mapping[str, Any]) -> list[str]:
    """How many layers leave room for edits that no key sample feels, and which leaves the most."""
    known = {
        name: entry
        for name, entry in inputs.items()
        if isinstance(entry, Mapping) and _is_number(entry.get("rank")) and _is_number(entry.get("width"))
    }
    if not known:
        return []
    open_ones = {name: e for name, e in known.items() if e["rank"] < e["width"]}
    line = f"  activations span the whole input of {len(known) - len(open_ones)} of {len(inputs)} layers"
    if not open_ones:
        return [line]
    name, entry = min(
        open_ones.items(), key=lambda item: float(item[1]["rank"]) / float(item[1]["width"] or 1)
    )
    shows = (
        "shows in float64 by its rounding only"
        if 2 * float(entry["rank"]) > float(entry["width"])
        # measured by `python -m tests.benchmarks attackers`, see fine_columns.py
        else "can be rounded so that float64 does not see it either"
    )
    return [
        line,
        f"  least in {harmless(name, longest=80)}: {_count(entry['rank'])} of {_count(entry['width'])} "
        f"dimensions; an exact edit of the others {shows}",
    ]


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
