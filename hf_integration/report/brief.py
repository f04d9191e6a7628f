"""A verdict in at most twelve lines: what was checked, what changed, where, how far outside, what to do."""

import math
from collections.abc import Iterator, Sequence

from hf_integration.base.text import harmless
from hf_integration.report.columns import margin_text, number, pairs
from hf_integration.report.deployed import FINDINGS
from hf_integration.report.reporters import headline, short_digest
from hf_integration.verdict import LARGEST_ERROR, StripResult, Verdict

MOST_LINES = 12

NAMED = 3
"""Tensors and settings that are named; the others are counted."""

WIDEST = 48
"""Characters of a diagram; an encoder with more strips has several behind one."""

LONGEST = 200
"""Characters of a line of facts, which wraps on a narrow terminal and is never a page."""

Fact = tuple[str, str]


def brief(verdict: Verdict, notes: Sequence[Fact] = ()) -> str:
    """Render what somebody has to know of a verdict that is no pass.

    Args:
        verdict: what was found out.
        notes: what else to say at the end, as names and values.

    Returns:
        At most :data:`MOST_LINES` lines without a final line break, harmless in a terminal.
    """
    head = [headline(verdict) if verdict.waiver else f"{headline(verdict)}: {harmless(_subject(verdict))}"]
    head.append(harmless(verdict.reason, longest=2 * LONGEST))
    last = [*_advice(verdict), *notes]
    room = MOST_LINES - len(head) - len(last)
    facts = [*_differing(verdict), *_where(verdict), *_how(verdict)]
    shown = [(name, harmless(value, longest=LONGEST)) for name, value in facts[:room]]
    shown += [(name, harmless(value, longest=1000)) for name, value in last]
    return "\n".join([*head, *pairs(shown)])


def diagram(strips: Sequence[StripResult]) -> str:
    """A character for each strip, ``=`` intact and ``X`` broken, in forward order; if many, for several."""
    each = math.ceil(len(strips) / WIDEST) or 1
    groups = (strips[place : place + each] for place in range(0, len(strips), each))
    return "".join("=" if all(strip.intact for strip in group) else "X" for group in groups)


def _subject(verdict: Verdict) -> str:
    if verdict.deployment is not None:
        return f"{verdict.deployment.address} ({verdict.encoder})"
    return verdict.encoder if verdict.conversion is None else verdict.conversion.path


def _differing(verdict: Verdict) -> Iterator[Fact]:
    """What changed, the most telling first."""
    tensors, files = verdict.tensors, verdict.files
    if verdict.conversion is not None:
        parts = {name: getattr(verdict.conversion, name) for name in ("file", "behaviour", "inputs")}
        yield from ((name, f"{FINDINGS[part.finding]}: {part.said}") for name, part in parts.items())
        return
    if verdict.deployment is not None:
        yield "expected", verdict.deployment.expected
        if verdict.deployment.nearest:
            near = verdict.deployment.nearest[0]
            yield "nearest", f"{near.recipe}: {number(near.typical)} away in a typical text"
    if names := (*tensors.changed, *tensors.missing, *tensors.unexpected):
        yield "tensors", f"{len(names)} of {tensors.checked} {_differ(names)}: {_some(names)}"
    if names := (*files.changed, *files.derived):
        yield "settings", f"{len(names)} {_differ(names)}: {_some(names, 1)}"
    if verdict.process:
        yield "process", _some(verdict.process, 1)
    if broken := [claim for claim in verdict.claims if not claim.holds]:
        yield "claim", f"{_some([f'{claim.about}: {claim.says}' for claim in broken], 1)}; does not hold"
    if tensors.outside:
        names = tensors.outside
        yield "outside", f"{len(names)} that no embedding needs {_differ(names)}: {_some(names)}"


def _where(verdict: Verdict) -> Iterator[Fact]:
    """Which strips are broken, and how far outside the worst is."""
    strips = verdict.strips
    if not strips:
        return
    if all(strip.error >= LARGEST_ERROR for strip in strips):
        yield "strips", f"none of {len(strips)} gave numbers that could be compared"
        return
    broken = [strip for strip in strips if not strip.intact]
    first = f", the first is '{broken[0].name}'" if broken and len(strips) > 1 else ""
    yield "strips", f"{diagram(strips)}  {len(broken)} of {len(strips)} broken{first}"
    worst = max(strips, key=lambda strip: strip.deviation)
    away = f"{number(worst.deviation)} times what is tolerated in strip '{worst.name}'"
    yield (
        "worst",
        away if verdict.margin is None else f"{away}; margin {margin_text(verdict.margin)}, 1 is the edge",
    )


def _how(verdict: Verdict) -> Iterator[Fact]:
    """What was checked against what."""
    known = f"card {short_digest(verdict.card.digest)}" if verdict.card.digest else "a trusted copy"
    revision = f"revision {verdict.revision[:12]}, " if verdict.revision else ""
    yield "checked", f"{revision}{known} ({verdict.believed}), {verdict.precision}, {verdict.seconds:.1f} s"


def _advice(verdict: Verdict) -> Iterator[Fact]:
    if verdict.diagnosis:
        *causes, remedy = verdict.diagnosis
        if causes:
            yield "points to", "; ".join(causes)
        yield "do next", remedy


def _differ(names: Sequence[str]) -> str:
    return "differs" if len(names) == 1 else "differ"


def _some(names: Sequence[str], most: int = NAMED) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
