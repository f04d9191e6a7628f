"""What came out of one check, and the report that a failing test shows."""

import base64
import hashlib
import os
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from hf_integration.base.errors import IntegrityError, MissingExtraError, SSLAuthError
from hf_integration.base.strict_json import strict_json
from hf_integration.base.vocabulary import same_repo
from hf_integration.checking.finding import Place
from hf_integration.report import StripImages, brief, harmless, render
from hf_integration.report.shown import base64_of
from hf_integration.snapshot.hub_errors import OfflineError
from hf_integration.verdict import Verdict
from pytest_sslauth.options import Settings
from pytest_sslauth.record import SAME_SPACE, Evidence

if TYPE_CHECKING:
    from hf_integration.stamps.likeness import Likeness


MOST_BYTES = 32 << 20
"""Of a verdict as JSON, and of a picture, that reports carry to the controller: larger ones are left out."""

LONGEST_REASON = 10_000


@dataclass(frozen=True)
class Kept:
    """What is kept of a check besides its verdict.

    Attributes:
        images: of its watermark, strip by strip, for a page.
        picture: all of it as one PNG.
        stem: what its files are called, without an ending; empty for no files.
    """

    images: StripImages | None = None
    picture: bytes | None = None
    stem: str = ""


@dataclass(frozen=True)
class Outcome:
    """One check, whether it came to a verdict or not.

    Attributes:
        evidence: the check in short.
        failure: the report for a test that depends on the encoder; empty for an encoder that is authentic or
            whose alteration is waived, and for no other.
        verdict: the verdict, unless the check could not be made.
        kept: pictures and files of it.
        out_of_reach: whether nothing is known to be wrong but that this machine is offline or lacks an extra.
        words: the status of what came to no verdict, where its evidence says less.
        key: of this one outcome, by which a later test refers to it.
    """

    evidence: Evidence
    failure: str
    verdict: Verdict | None = None
    kept: Kept = Kept()
    out_of_reach: bool = False
    words: str = ""
    key: str = field(default_factory=lambda: token_hex(8))

    def to_dict(self) -> dict[str, Any]:
        """What the controller makes files of: plain values of bounded size, as reports of workers travel.

        Of a verdict that is too large its short evidence is left, which is no more of a pass.
        """
        evidence, kept = self.evidence, self.kept
        verdict = None if self.verdict is None else self.verdict.to_dict()
        return {
            "key": self.key,
            "finding": self._finding,
            "entry": evidence.entry,
            "verdict": verdict if verdict is None or fits(verdict) else None,
            "images": None if kept.images is None else kept.images.to_dict(),
            "picture": None if kept.picture is None else base64_of(kept.picture),
            "stem": kept.stem,
            "short": (
                evidence.encoder,
                evidence.reason[:LONGEST_REASON],
                self.words or evidence.status,
                evidence.passed,
            ),
        }

    def using(self, card: Place | None, cards: Path) -> "Outcome":
        """The same, with the folder of its card if that is one of the project's.

        Args:
            card: where the card is.
            cards: the folder of the project's cards.
        """
        if card is None or card.folder is None:
            return self
        folder, place = Path(os.path.realpath(card.folder)), Path(os.path.realpath(cards))
        if not folder.is_relative_to(place):
            return self
        return replace(self, evidence=replace(self.evidence, used=folder.relative_to(place).as_posix()))

    def to_shared(self) -> dict[str, Any]:
        """All of it but ``out_of_reach``, in plain values for the other workers; see :meth:`from_shared`."""
        return {
            **self.to_dict(),
            "verdict": None if self.verdict is None else self.verdict.to_dict(),
            "evidence": asdict(self.evidence),
            "failure": self.failure,
            "words": self.words,
        }

    @classmethod
    def from_shared(cls, said: Mapping[str, Any]) -> "Outcome":
        """Read an outcome back, of another process of this run."""
        picture = said["picture"] and base64.b64decode(said["picture"])
        return cls(
            evidence=Evidence(**said["evidence"]),
            failure=said["failure"],
            verdict=said["verdict"] and Verdict.from_dict(said["verdict"]),
            kept=Kept(said["images"] and StripImages.from_dict(said["images"]), picture, said["stem"]),
            words=said["words"],
            key=said["key"],
        )

    @property
    def _finding(self) -> str:
        """Digest of what was found about what: two processes that make one check find the same."""
        evidence = self.evidence
        figures = {"margin": None, "seconds": None}  # differ in the last digits
        state = None if self.verdict is None else self.verdict.state
        said = {**asdict(evidence), **figures, "words": self.words, "state": state}
        return hashlib.sha256(strict_json(said, one_line=True).encode()).hexdigest()


def fits(verdict: Mapping[str, Any]) -> bool:
    """Whether the values of a verdict are small enough to travel."""
    return len(strict_json(verdict, one_line=True)) <= MOST_BYTES


def judged(
    verdict: Verdict, settings: Settings, *, source: str, entry: str | None = None, kept: Kept = Kept()
) -> Outcome:
    """The outcome of a check that came to a verdict.

    Args:
        verdict: the verdict.
        settings: whether the failure is the whole report, with every strip and digest, or a brief one; where
            files are written.
        source: where the encoder was found, in words.
        entry: of ``sslauth.toml``, if the encoder is one.
        kept: pictures and files of it.
    """
    evidence = Evidence.of(verdict, entry)
    if verdict.accepted:
        return Outcome(evidence, "", verdict, kept)
    notes = [("source", source)]
    if settings.report_dir is not None and kept.stem:
        endings = (".json",) if kept.picture is None else (".json", ".png")
        notes += [("reports", ", ".join(f"{settings.report_dir / kept.stem}{ending}" for ending in endings))]
    elif not settings.verbose:
        notes += [("more", "run pytest with -v for every strip and digest")]
    if not settings.verbose:
        return Outcome(evidence, brief(verdict, notes), verdict, kept)
    lines = [render(verdict), "", *(f"  {name}: {harmless(value, longest=2000)}" for name, value in notes)]
    return Outcome(evidence, "\n".join(lines), verdict, kept)


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


def not_checked(
    encoder: str, error: Exception, *, notes: Sequence[str] = (), out_of_reach: bool = False
) -> Outcome:
    """The outcome of a check that could not be made: never a pass.

    An error raised on purpose is its one line. Anything else is a defect of ours or a broken installation:
    the traceback is what a bug report needs.

    Args:
        encoder: what was to be checked.
        error: what kept it from being checked.
        notes: how names were understood, if that may be the mistake.
        out_of_reach: whether it is only that this machine is offline, or lacks an extra.
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
    evidence, text = Evidence("inconclusive", encoder, short), "\n".join(lines)
    return Outcome(evidence, text, out_of_reach=out_of_reach, words="not checked")


def is_out_of_reach(error: Exception, encoder: Place, *, revision: str | None) -> bool:
    """Whether nothing is known to be wrong but that this machine is offline, or lacks an extra.

    A folder that is gone can have a name like a repository's. Offline counts only for what surely is one:
    what an entry calls ``repo``, and a name that comes with a revision. A card in another repository than its
    encoder's may be such a folder too.

    Args:
        error: what kept the encoder from being checked.
        encoder: what its name means.
        revision: that the caller named.
    """
    if isinstance(error, OfflineError):
        return same_repo(error.repo, encoder.repo) and (encoder.pin is not None or revision is not None)
    return isinstance(error, MissingExtraError)


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
