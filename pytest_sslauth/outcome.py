"""What came out of one check, and the report that a failing test shows."""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from hf_integration.base.errors import IntegrityError, SSLAuthError
from hf_integration.report import StripImages, brief, harmless, render
from hf_integration.verdict import Verdict
from pytest_sslauth.record import SAME_SPACE, Evidence

if TYPE_CHECKING:
    from hf_integration.stamps.likeness import Likeness


@dataclass(frozen=True)
class Outcome:
    """One check, whether it came to a verdict or not.

    Attributes:
        evidence: the check in short.
        failure: the report for a test that depends on the encoder; empty for an encoder that is authentic or
            whose alteration is waived, and for no other.
        verdict: the verdict, unless the check could not be made.
        images: of its watermark, where a page is to show them.
        words: the status of what came to no verdict, where its evidence says less.
        key: of this one outcome, by which a later test refers to it.
    """

    evidence: Evidence
    failure: str
    verdict: Verdict | None = None
    images: StripImages | None = None
    words: str = ""
    key: str = field(default_factory=lambda: token_hex(8))

    def to_dict(self) -> dict[str, Any]:
        """What the controller makes a page of: plain values, as reports of workers travel."""
        evidence = self.evidence
        return {
            "key": self.key,
            "verdict": None if self.verdict is None else self.verdict.to_dict(),
            "images": None if self.images is None else self.images.to_dict(),
            "short": (evidence.encoder, evidence.reason, self.words or evidence.status, evidence.passed),
        }


def judged(
    verdict: Verdict,
    *,
    source: str,
    reports: str = "",
    whole: bool = False,
    entry: str | None = None,
    images: StripImages | None = None,
) -> Outcome:
    """The outcome of a check that came to a verdict.

    Args:
        verdict: the verdict.
        source: where the encoder was found, in words.
        reports: where its reports are, in words.
        whole: whether the failure is the whole report, with every strip and digest, and not a brief one.
        entry: of ``sslauth.toml``, if the encoder is one.
        images: of the watermark, where a page is to show them.
    """
    evidence = Evidence.of(verdict, entry)
    if verdict.accepted:
        return Outcome(evidence, "", verdict, images)
    notes = [("source", source), *([("reports", reports)] if reports else [])]
    if whole:
        lines = [
            render(verdict),
            "",
            *(f"  {name}: {harmless(value, longest=2000)}" for name, value in notes),
        ]
        return Outcome(evidence, "\n".join(lines), verdict, images)
    more = ("more", "run pytest with -v for every strip and digest")
    return Outcome(evidence, brief(verdict, notes if reports else [*notes, more]), verdict, images)


def compared(likeness: "Likeness") -> Outcome:
    """The outcome of holding something against a stamp.

    Args:
        likeness: what was found.
    """
    statuses: dict[str, str] = {"same": SAME_SPACE, "other": "another space"}
    status = statuses.get(likeness.status, "inconclusive")
    evidence = Evidence(status, likeness.encoder, likeness.reason)
    text = "\n".join(harmless(line, longest=1000) for line in str(likeness).split("\n"))
    return Outcome(evidence, "" if likeness.status == "same" else text)


def not_checked(encoder: str, error: Exception, *, notes: Sequence[str] = ()) -> Outcome:
    """The outcome of a check that could not be made: never a pass.

    An error raised on purpose is its one line. Anything else is a defect of ours or a broken installation:
    the traceback is what a bug report needs.

    Args:
        encoder: what was to be checked.
        error: what kept it from being checked.
        notes: how names were understood, if that may be the mistake.
    """
    purpose = isinstance(error, SSLAuthError)
    reason = str(error) if purpose else f"internal error: {type(error).__name__}: {error}"
    # most errors name the encoder already
    named = "" if reason.startswith((f"{encoder}: ", f"'{encoder}'")) else f"{harmless(encoder)}: "
    lines = [f"NOT CHECKED: {named}{harmless(reason, longest=1000)}", "This is not a pass."]
    lines += [harmless(note, longest=1000) for note in notes]
    if not purpose:
        lines += ["", "Please report this as a bug of pytest-sslauth:"]
        lines += [harmless(line, longest=1000) for line in _frames(error)]
    # one of three statuses; that the evidence is not to be believed is more than a question left open
    short = f"not checked, integrity error: {reason}" if isinstance(error, IntegrityError) else reason
    return Outcome(Evidence("inconclusive", encoder, short), "\n".join(lines), words="not checked")


def altered_since(verdict: Verdict, differences: tuple[str, ...], borrower: str) -> Outcome:
    """The outcome for an encoder that was altered in this process after it had been accepted.

    Args:
        verdict: what was found before.
        differences: what differs now, in words.
        borrower: the test that it was handed to last.
    """
    accepted, on_disk = ("found authentic", "authentic") if verdict.waiver is None else ("waived",) * 2
    reason = f"altered in this process after it was {accepted}, last handed to {borrower}"
    lines = [
        f"ALTERED: {harmless(verdict.encoder)}",
        f"{harmless(reason, longest=1000)}; the encoder on disk was {on_disk}",
        "",
        f"what differs: {len(differences)}",
        *(f"  {harmless(difference)}" for difference in differences[:10]),
        *([f"  and {len(differences) - 10} more"] if len(differences) > 10 else []),
        "",
        "what to do next:",
        "  let tests that train or patch the encoder load one of their own; the next test gets a fresh copy",
    ]
    evidence = Evidence(
        "altered",
        verdict.encoder,
        reason,
        revision=verdict.revision,
        precision=verdict.precision,
        card=verdict.card.digest,
    )
    return Outcome(evidence, "\n".join(lines))


def _frames(error: Exception) -> list[str]:
    return "".join(traceback.format_exception(error)).rstrip().split("\n")
