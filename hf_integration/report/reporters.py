"""The reports on one verdict: for people, for programs, and in one word."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.report.columns import margin_said, names_of, number, pairs, table
from hf_integration.report.deployed import answers, converted, deployed, nearest, trust_said
from hf_integration.verdict import (
    LARGEST_ERROR,
    Accepted,
    Claim,
    Status,
    StripResult,
    Verdict,
)


@dataclass(frozen=True)
class Reporter(ABC):
    """Renders verdicts in one format.

    Attributes:
        color: whether ANSI sequences may colour what it renders.
    """

    color: bool = False

    @abstractmethod
    def render(self, verdict: Verdict) -> str:
        """The report as text, without a final line break; empty when this format says nothing."""


HEADLINES: Mapping[Status, str] = {
    "authentic": "AUTHENTIC",
    "altered": "ALTERED",
    "inconclusive": "INCONCLUSIVE - this is not a pass",
}


def headline(verdict: Verdict) -> str:
    """The status in capitals; an alteration that is accepted says until when and why."""
    if verdict.waiver is not None:
        return f"{waived_until(verdict.waiver)}: {harmless(verdict.waiver.reason)}"
    return HEADLINES[verdict.status]


def waived_until(waiver: Accepted) -> str:
    """The headline of a waived alteration without its reason."""
    return f"{HEADLINES['altered']}, waived until {harmless(waiver.until, longest=20)}"


class JsonReporter(Reporter):
    """Reports as one JSON object with the verdict's fields; ``Verdict.from_dict`` reads it back."""

    def render(self, verdict: Verdict) -> str:
        """The report as strict JSON."""
        return strict_json(verdict.to_dict())


class QuietReporter(Reporter):
    """Reports the status alone."""

    def render(self, verdict: Verdict) -> str:
        """``authentic``, ``altered`` or ``inconclusive``; how much a budget left; until when it is waived."""
        word = headline(verdict) if verdict.waiver else verdict.status
        return f"{word} ({verdict.partial})" if verdict.partial else word


COLORS: dict[Status, str] = {"authentic": "1;32", "altered": "1;31", "inconclusive": "1;33"}

WAIVED = "1;33"

DIGEST_DIGITS = 16


class HumanReporter(Reporter):
    """Reports as plain text, with the headline and the broken strips in colour."""

    def render(self, verdict: Verdict) -> str:
        """The report, as :func:`render` gives it."""
        return render(verdict, color=self.color)


def render(verdict: Verdict, *, color: bool = False) -> str:
    """Render a verdict as text that needs no knowledge of the method.

    Args:
        verdict: what was found out.
        color: whether to use ANSI colours.

    Returns:
        Several lines without a final line break, harmless in a terminal.
    """
    subject = verdict.encoder
    if verdict.deployment is not None:
        subject = verdict.deployment.address
    elif verdict.conversion is not None:
        subject = verdict.conversion.path
    head = headline(verdict) if verdict.waiver else f"{headline(verdict)}: {harmless(subject)}"
    known = "card" if verdict.conversion is None else "trusted copy"
    painted = _paint(head, WAIVED if verdict.waiver else COLORS[verdict.status], color)
    sections = [
        [painted, harmless(verdict.reason, longest=1000)],
        pairs(facts_of(verdict)),
        nearest(verdict.deployment or verdict.conversion),
        answers(verdict.conversion),
        _claims(verdict.claims, color),
        _strips(verdict.strips, color),
        names_of("behaviour settings that differ", verdict.files.changed),
        names_of(f"tensors that differ, of {verdict.tensors.checked}", verdict.tensors.changed),
        names_of(f"tensors of the {known} that this encoder lacks", verdict.tensors.missing),
        names_of(f"tensors that the {known} does not know", verdict.tensors.unexpected),
        names_of("tensors outside the embedding path that differ", verdict.tensors.outside),
        names_of("found in this process", verdict.process),
        names_of("settings that libraries derive otherwise from equal files", verdict.files.derived),
        names_of("differences that cannot change the embedding that was checked", verdict.files.notes),
        names_of("not covered by this verdict", verdict.files.not_covered),
        _advice(verdict),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section)


def short_digest(digest: str) -> str:
    """The beginning of a digest, long enough to recognise it by: ``sha256:0123456789abcdef``."""
    algorithm, colon, digits = harmless(digest).partition(":")
    return f"{algorithm}{colon}{digits[:DIGEST_DIGITS]}"


def facts_of(verdict: Verdict) -> list[tuple[str, str]]:
    """What was checked against what, and how: names and values, harmless."""
    tensors, files = verdict.tensors, verdict.files
    if verdict.deployment is not None:
        return deployed(verdict, verdict.deployment)
    if verdict.conversion is not None:
        return converted(verdict, verdict.conversion)
    compared = f"{tensors.checked} tensors" if tensors.checked else "no tensors at hand"
    facts = [
        ("encoder", harmless(verdict.encoder)),
        ("revision", harmless(verdict.revision or "none: a local folder or a module in memory")),
        ("card", f"{harmless(verdict.card.digest)} at {harmless(verdict.card.location or 'memory')}"),
        ("trust", trust_said(verdict)),
        ("precision", verdict.precision),
        ("margin", margin_said(verdict.margin)),
        ("compared", f"{len(verdict.strips)} strips, {compared}, {files.checked} behaviour files"),
        ("took", f"{verdict.seconds:.1f} s, loading not counted"),
    ]
    if verdict.publisher is not None:
        facts.insert(4, ("publisher", harmless(verdict.publisher.said, longest=1000)))
    if verdict.source is not None:
        facts.insert(-1, ("made of", harmless(verdict.source)))
    if verdict.status == "altered" and verdict.state:
        facts.insert(-1, ("state", f"{harmless(verdict.state)} (what a waiver names)"))
    if tensors.matches in ("float16", "bfloat16"):
        kept = f", {tensors.kept} of them as stored" if tensors.kept else ""
        said = f"a re-encoding: the recorded weights rounded to {tensors.matches}{kept}"
        facts.insert(-1, ("weights", said))
    return facts


def _strips(strips: Sequence[StripResult], color: bool) -> list[str]:
    """The table of strips; a deviation of one tolerance is the edge."""
    if not strips:
        return []
    if all(strip.error >= LARGEST_ERROR for strip in strips):
        return [f"  none of {len(strips)} strips gave numbers that could be compared"]
    rows = [("strip", "error", "tolerance", "deviation", "")]
    rows += [
        (
            harmless(strip.name, longest=40),
            number(strip.error),
            number(strip.tolerance),
            number(strip.deviation),
            "intact" if strip.intact else "BROKEN",
        )
        for strip in strips
    ]
    lines = table(rows, right=(1, 2, 3))
    return [
        lines[0],
        *(
            line if strip.intact else _paint(line, COLORS["altered"], color)
            for line, strip in zip(lines[1:], strips, strict=True)
        ),
        "  (a deviation of 1 is the edge of what is tolerated)",
    ]


def _claims(claims: Sequence[Claim], color: bool) -> list[str]:
    """What the encoder's model card says, and whether it is so."""
    if not claims:
        return []
    shown = pairs([(harmless(claim.about, longest=40), harmless(claim.says)) for claim in claims])
    return [
        "what its model card claims:",
        *(
            line if claim.holds else _paint(f"{line}  DOES NOT HOLD", COLORS["altered"], color)
            for line, claim in zip(shown, claims, strict=True)
        ),
    ]


def _advice(verdict: Verdict) -> list[str]:
    """The diagnosis: its last line is what to do, those before are what the evidence points to."""
    if not verdict.diagnosis:
        return []
    *causes, remedy = verdict.diagnosis
    lines = ["what this points to:", *_bullets(causes)] if causes else []
    return [*lines, "what to do next:", *_bullets([remedy])]


def _bullets(lines: Iterable[str]) -> list[str]:
    return [f"  {harmless(line, longest=1000)}" for line in lines]


def _paint(text: str, code: str, color: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if color else text
