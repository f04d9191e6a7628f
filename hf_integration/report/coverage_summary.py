"""What a card says about its coverage, for people."""

from collections.abc import Mapping, Sequence

from hf_integration.base.text import harmless
from hf_integration.card.coverage import Coverage, LayerInput, NotMeasured
from hf_integration.report.columns import number, table

MOST_NAMED = 3
"""Tensors that are named in one line."""


def render_coverage(coverage: Coverage | NotMeasured | None) -> list[str]:
    """Lines about coverage, harmless in a terminal; none for a card that says nothing about it."""
    if coverage is None:
        return []
    if isinstance(coverage, NotMeasured):
        return [f"  coverage  not measured: {harmless(coverage.reason, longest=100)}"]
    return [*_totals(coverage), *_unreached(coverage), *_layer_inputs(coverage.layer_inputs)]


def _totals(coverage: Coverage) -> list[str]:
    rows = [("scalars covered", "precision", "of all", "without rows that no key sample looks up")]
    rows += [
        (
            f"{totals.covered:,}",
            precision,
            _share(totals.covered, totals.scalars),
            _share(totals.covered, totals.met),
        )
        for precision, totals in coverage.precisions.items()
    ]
    size = f"{100 * coverage.edit:g} % of its tensor's size"
    lines = [*table(rows, right=(0, 2, 3)), f"  covered: an edit of {size} breaks the watermark by itself"]
    for precision, totals in coverage.precisions.items():
        if totals.partly_covered:
            shares = [f"{_name(name)} {_share(*counts)}" for name, counts in totals.partly_covered.items()]
            lines.append(f"  least covered in {precision}: {_first_of(shares)}")
    return lines


def _unreached(coverage: Coverage) -> list[str]:
    lines = [
        f"  no key sample looks up {missed:,} of {rows:,} rows of {_name(name)}: "
        "their edits show in digests only"
        for name, (missed, rows) in coverage.rows_without_key_sample.items()
    ]
    if tokens := coverage.tokens_without_text:
        lines.append(f"  no raw text gives {tokens:,} tokens of the vocabulary: their rows cannot be reached")
    if inert := coverage.cannot_matter:
        lines.append(f"  cannot influence the embedding: {_first_of([_name(name) for name in inert])}")
    return lines


def _layer_inputs(inputs: Mapping[str, LayerInput]) -> list[str]:
    """How many layers leave room for edits that no key sample feels, and which leaves the most."""
    known = {name: rank for name, entry in inputs.items() if (rank := _most_rank(entry)) is not None}
    unknown = len(inputs) - len(known)
    lines = [f"  rank not measured at {unknown} of {len(inputs)} different layer inputs"] if unknown else []
    if not known:
        return lines
    open_ones = {name: rank / inputs[name].width for name, rank in known.items() if rank < inputs[name].width}
    line = f"  activations span {len(known) - len(open_ones)} of {len(inputs)} different layer inputs whole"
    lines.append(line + _condition(inputs))
    if not open_ones:
        return lines
    name = min(open_ones, key=lambda name: open_ones[name])
    rank, width = known[name], inputs[name].width
    shows = (
        "shows in float64 by its rounding only"
        if 2 * rank > width
        # measured by `python -m tests.benchmarks attackers`, see fine_columns.py
        else "can be rounded so that float64 does not see it either"
    )
    return [
        *lines,
        f"  least in {_name(name)}: {rank:,} of {width:,} dimensions; an exact edit of the others {shows}",
    ]


def _most_rank(entry: LayerInput) -> int | None:
    """Rank of a layer's input; fewer vectors than the width bound a rank that was not measured.

    None where nothing is known of it: no vector was seen, or there were too many for the width.
    """
    if entry.rank is not None:
        return entry.rank
    return entry.vectors if 0 < entry.vectors < entry.width else None


def _condition(inputs: Mapping[str, LayerInput]) -> str:
    """The worst condition among inputs that are spanned: an edit may hide in what is hardly spanned."""
    found = [entry.condition for entry in inputs.values() if entry.condition is not None]
    return f", with a condition of {number(max(found))} at worst" if found else ""


def _name(name: str) -> str:
    return harmless(name, longest=80)


def _first_of(items: Sequence[str]) -> str:
    more = len(items) - MOST_NAMED
    return ", ".join(items[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _share(part: int, whole: int) -> str:
    if not whole:
        return "?"
    share = part / whole
    # rounding up to 100 % would claim what was not found
    return f"{min(share, 0.9999 if share < 1 else 1) * 100:.2f} %" if share <= 1 else number(share)
