"""The reports on one verdict: for people, for programs, and in one word."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.report.columns import margin_text, number, pairs, table
from hf_integration.verdict import (
    LARGEST_ERROR,
    Accepted,
    Claim,
    Deployment,
    Status,
    StripResult,
    Trust,
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


TRUST: dict[Trust, str] = {
    "pinned": "its digest is the one that you pinned",
    "signed": "its signature was checked",
    "local": "it comes from a folder of yours, and not from what was checked",
    "self-asserted": "it comes from the very repository or folder that it vouches for",
}

COPY_TRUST: dict[Trust, str] = {
    "pinned": "the copy is at the commit that you pinned",
    "signed": "the copy fits a card whose signature was checked",
    "local": "the copy is a folder of yours",
    "self-asserted": "the copy is whatever the Hub gave for a name; nobody pinned it",
}

COLORS: dict[Status, str] = {"authentic": "1;32", "altered": "1;31", "inconclusive": "1;33"}

WAIVED = "1;33"

MOST_NAMES = 10
"""Differing files and tensors that are listed; the others are counted."""

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
    subject = verdict.encoder if verdict.deployment is None else verdict.deployment.address
    head = headline(verdict) if verdict.waiver else f"{headline(verdict)}: {harmless(subject)}"
    painted = _paint(head, WAIVED if verdict.waiver else COLORS[verdict.status], color)
    sections = [
        [painted, harmless(verdict.reason, longest=1000)],
        pairs(_facts(verdict)),
        _nearest(verdict.deployment),
        _claims(verdict.claims, color),
        _strips(verdict.strips, color),
        _names("behaviour settings that differ", verdict.files.changed),
        _names(f"tensors that differ, of {verdict.tensors.checked}", verdict.tensors.changed),
        _names("tensors of the card that this encoder lacks", verdict.tensors.missing),
        _names("tensors that the card does not know", verdict.tensors.unexpected),
        _names("tensors outside the embedding path that differ", verdict.tensors.outside),
        _names("found in this process", verdict.process),
        _names("settings that the libraries derive otherwise from equal files", verdict.files.derived),
        _names("differences that cannot change the embedding that was checked", verdict.files.notes),
        _names("not covered by this verdict, code or weights beside the encoder", verdict.files.not_covered),
        _advice(verdict),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section)


def short_digest(digest: str) -> str:
    """The beginning of a digest, long enough to recognise it by: ``sha256:0123456789abcdef``."""
    algorithm, colon, digits = harmless(digest).partition(":")
    return f"{algorithm}{colon}{digits[:DIGEST_DIGITS]}"


def _facts(verdict: Verdict) -> list[tuple[str, str]]:
    tensors, files = verdict.tensors, verdict.files
    if verdict.deployment is not None:
        return _deployed(verdict, verdict.deployment)
    compared = f"{tensors.checked} tensors" if tensors.checked else "no tensors at hand"
    facts = [
        ("encoder", harmless(verdict.encoder)),
        ("revision", harmless(verdict.revision or "none: a local folder or a module in memory")),
        ("card", f"{harmless(verdict.card.digest)} at {harmless(verdict.card.location or 'memory')}"),
        ("trust", f"{verdict.trust}: {TRUST[verdict.trust]}"),
        ("precision", verdict.precision),
        ("margin", _margin(verdict.margin)),
        ("compared", f"{len(verdict.strips)} strips, {compared}, {files.checked} behaviour files"),
        ("took", f"{verdict.seconds:.1f} s, loading not counted"),
    ]
    if verdict.status == "altered" and verdict.state:
        facts.insert(-1, ("state", f"{harmless(verdict.state)} (what a waiver names)"))
    if tensors.matches in ("float16", "bfloat16"):
        kept = f", {tensors.kept} of them as stored" if tensors.kept else ""
        said = f"a re-encoding: the recorded weights rounded to {tensors.matches}{kept}"
        facts.insert(-1, ("weights", said))
    return facts


def _deployed(verdict: Verdict, deployment: Deployment) -> list[tuple[str, str]]:
    samples = verdict.key_samples.run
    said = ", ".join(f"{harmless(name)} {harmless(value)}" for name, value in deployment.claims.items())
    return [
        ("endpoint", f"{harmless(deployment.address)}, asked by the API {harmless(deployment.api)}"),
        ("trusted copy", f"{harmless(verdict.encoder)} {harmless(verdict.revision or '')}".strip()),
        ("trust", f"{verdict.trust}: {COPY_TRUST[verdict.trust]}"),
        ("expected", harmless(deployment.expected)),
        ("found", harmless(deployment.found or "no recipe that is known")),
        ("the server says", said or "nothing about itself"),
        ("margin", _margin(verdict.margin)),
        ("compared", f"{samples} fresh key samples in {deployment.requests} requests"),
        (
            "floor",
            f"what moves embeddings by up to {number(deployment.tolerated)} of their length may go unnoticed",
        ),
        (
            "unnoticed",
            f"another encoder behind up to {100 * deployment.unnoticed:.1f} % of requests"
            f" ({100 * deployment.confidence:g} % sure)",
        ),
        ("took", f"{verdict.seconds:.1f} s, loading not counted"),
    ]


def _nearest(deployment: Deployment | None) -> list[str]:
    """Recipes that come near the answers, where another one was expected."""
    if deployment is None or not deployment.nearest:
        return []
    rows = [("recipe", "largest distance", "typical")]
    rows += [
        (harmless(near.recipe, longest=120), number(near.distance), number(near.typical))
        for near in deployment.nearest
    ]
    return ["recipes that come nearest:", *table(rows, right=(1, 2))]


def _margin(margin: float | None) -> str:
    if margin is None:
        return "none, as the question stays open"
    return f"{margin_text(margin)} (tolerance / error of the worst strip; above 1 is intact)"


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


def _names(what: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    lines = [f"{what}: {len(names)}"]
    lines += [f"  {harmless(name)}" for name in names[:MOST_NAMES]]
    if len(names) > MOST_NAMES:
        lines.append(f"  and {len(names) - MOST_NAMES} more")
    return lines


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


REPORTERS: dict[str, type[Reporter]] = {
    "human": HumanReporter,
    "json": JsonReporter,
    "quiet": QuietReporter,
}
"""By the name that ``sslauth verify --format`` knows it by."""
