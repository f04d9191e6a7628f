"""The verdict table: what was measured and what a caller accepts, in; one status and one sentence, out."""

from collections.abc import Sequence
from dataclasses import dataclass

from hf_integration.encoders.identity.in_process import Finding
from hf_integration.verdict import FileEvidence, Status, StripResult, TensorEvidence, Trust


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a caller accepts; by default nothing.

    Attributes:
        self_asserted: a card that only the checked repository itself vouches for.
        clean_process: the caller asserts that no code in this process tampers with encoders, so a broken
            watermark over equal tensors is an alteration and not an open question.
    """

    self_asserted: bool = False
    clean_process: bool = False


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What was measured of one encoder against one card. Nothing in here is judged.

    Attributes:
        strips: how well each strip reproduced the watermark, in forward order; never empty.
        tensors: comparison of tensors.
        files: comparison of behaviour files.
        has_weights: whether this kind of encoder source has tensors at all. Only the kind decides: an
            encoder cannot opt out of the comparison.
        stored_dtype: dtype of the weights that the card was minted for.
        trust: why the card is believed.
        process: what of this process changes, or may change, what the encoder gives its users.
        libraries: those that read files and have other versions than when the card was minted.
        other_kind: how the kind of encoder differs from the card's, if it does.
        failure: why the key samples were not run, if they were not.
        expired: the last day of the card, if it is over.
    """

    strips: tuple[StripResult, ...]
    tensors: TensorEvidence
    files: FileEvidence
    has_weights: bool
    stored_dtype: str
    trust: Trust
    process: tuple[Finding, ...] = ()
    libraries: tuple[str, ...] = ()
    other_kind: str | None = None
    failure: str | None = None
    expired: str | None = None

    @property
    def first_broken(self) -> str | None:
        """The first strip, in forward order, that did not reproduce the watermark."""
        return next((strip.name for strip in self.strips if not strip.intact), None)

    @property
    def intact(self) -> bool:
        """Whether every strip reproduced the watermark."""
        return bool(self.strips) and self.first_broken is None

    @property
    def differ(self) -> bool:
        """Whether tensors were compared and are neither the recorded ones nor a re-encoding of them."""
        return self.has_weights and self.tensors.matches is None


SELF_ASSERTED = (
    "only the checked repository itself vouches for this card, which is worth nothing against whoever "
    "altered both"
)


def judge(findings: Findings, policy: Policy) -> tuple[Status, str]:
    """Apply the verdict table.

    Args:
        findings: what was measured.
        policy: what the caller accepts.

    Returns:
        Status and one sentence that says why.
    """
    if reason := _alteration(findings):
        return "altered", reason
    if reason := _open_question(findings):
        return "inconclusive", reason
    if not findings.intact:
        if findings.has_weights and not policy.clean_process:
            return "inconclusive", (
                f"the watermark broke from strip '{findings.first_broken}' on although the tensors and "
                "behaviour files are equal: code in this process or the environment differs"
            )
        return "altered", f"the watermark broke from strip '{findings.first_broken}' on"
    if reason := _reservation(findings, policy):
        return "inconclusive", reason
    return "authentic", _equality(findings)


def _alteration(findings: Findings) -> str | None:
    """What makes an encoder another one, whatever the watermark says."""
    tensors, files = findings.tensors, findings.files
    if findings.other_kind:
        return f"another encoder than the card's: {findings.other_kind}"
    if files.changed:
        also = f"; {_tensors_differ(findings)}" if findings.differ else ""
        return f"behaviour differs from what the card recorded: {_some(files.changed)}{also}"
    if findings.differ:
        return _tensors_differ(findings)
    if tensors.outside:
        were = "was" if len(tensors.outside) == 1 else "were"
        return (
            f"{_count(tensors.outside, 'tensor')} outside the embedding path {were} changed, new or gone: "
            f"{_some(tensors.outside)}; whoever loads the files for another task gets another model"
        )
    return None


def _open_question(findings: Findings) -> str | None:
    """What kept the watermark from being asked, or makes its answer say nothing."""
    if findings.files.derived:
        return (
            f"the files are equal, but the libraries installed here make other settings of them: "
            f"{_some(findings.files.derived)} ({_some(findings.libraries)})"
        )
    return f"the key samples could not be run: {findings.failure}" if findings.failure else None


def _reservation(findings: Findings, policy: Policy) -> str | None:
    """Why an encoder that reproduces its watermark does not pass all the same, if there is a reason."""
    if spoiled := [finding for finding in findings.process if finding.remedy]:
        return (
            f"the watermark is intact, but its users may get other embeddings: "
            f"{_some(tuple(finding.what for finding in spoiled))}"
        )
    if findings.expired:
        return f"the card expired on {findings.expired}: nobody vouches for this encoder any more"
    believed = findings.trust != "self-asserted" or policy.self_asserted
    return None if believed else SELF_ASSERTED


def _equality(findings: Findings) -> str:
    """What an authentic encoder has in common with its card."""
    tensors, files, process = findings.tensors, findings.files, findings.process
    if not findings.has_weights:
        return "the watermark is intact, as far as the card's floor and coverage reach; no tensors at hand"
    if tensors.matches == "stored":
        return f"the watermark is intact, and {_equal(files, process)}"
    return (
        f"the watermark is intact; the weights are a re-encoding: "
        f"{_rounded(tensors, findings.stored_dtype)}{_besides(files, process)}"
    )


def _rounded(tensors: TensorEvidence, stored_dtype: str) -> str:
    if not tensors.kept:
        return f"the {stored_dtype} originals rounded to {tensors.matches}"
    return f"{tensors.checked - tensors.kept} tensors rounded to {tensors.matches}, {tensors.kept} as stored"


def _equal(files: FileEvidence, process: tuple[Finding, ...]) -> str:
    """What is equal, in words; "all" is said only where nothing was left unread."""
    if not files.not_covered and not files.notes and not process:
        return "all tensors and behaviour files are equal"
    return f"the tensors and behaviour files that were compared are equal{_besides(files, process)}"


def _besides(files: FileEvidence, process: tuple[Finding, ...]) -> str:
    """What is to be said besides: what was found in the process, cannot matter, or nobody looked at."""
    said = [f"{_count(process, 'finding')} in this process"] if process else []
    if files.notes:
        said.append(f"{_count(files.notes, 'difference')} that cannot change the embedding that was checked")
    if files.not_covered:
        said.append(f"{_count(files.not_covered, 'thing')} that this verdict does not cover")
    return f"; the report names {' and '.join(said)}" if said else ""


def _count(names: Sequence[object], what: str) -> str:
    return f"1 {what}" if len(names) == 1 else f"{len(names)} {what}s"


def _tensors_differ(findings: Findings) -> str:
    tensors, parts = findings.tensors, []
    if tensors.changed:
        parts.append(f"{len(tensors.changed)} of {tensors.checked} tensors changed: {_some(tensors.changed)}")
    if tensors.missing:
        parts.append(f"missing: {_some(tensors.missing)}")
    if tensors.unexpected:
        parts.append(f"unexpected: {_some(tensors.unexpected)}")
    watermark = (
        "the watermark is intact, so the change is below the floor or where the key samples do not reach"
        if findings.intact
        else "the watermark is broken"
    )
    return f"{'; '.join(parts)}; {watermark}"


def _some(names: tuple[str, ...], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
