"""The verdict table: evidence in, one status and one sentence out. Nothing is measured here."""

from collections.abc import Sequence

from hf_integration.encoders.identity.in_process import Finding
from hf_integration.verdict import FileEvidence, Status, TensorEvidence, Trust

SELF_ASSERTED = (
    "only the checked repository itself vouches for this card, which is worth nothing against whoever "
    "altered both"
)


def judge(
    *,
    intact: bool,
    first_broken: str | None,
    tensors: TensorEvidence,
    files: FileEvidence,
    has_weights: bool,
    stored_dtype: str,
    trust: Trust,
    other_kind: str = "",
    failure: str = "",
    expired: str = "",
    accept_self_asserted: bool = False,
    clean_process: bool = False,
    libraries: tuple[str, ...] = (),
    process: tuple[Finding, ...] = (),
) -> tuple[Status, str]:
    """Apply the verdict table.

    Args:
        intact: whether every strip reproduced the watermark.
        first_broken: the first strip that did not.
        tensors: comparison of tensors.
        files: comparison of behaviour files.
        has_weights: whether this kind of encoder source has tensors at all. Only the kind decides: an
            encoder cannot opt out of the comparison.
        stored_dtype: dtype of the weights that the card was minted for.
        trust: why the card is believed.
        other_kind: how the kind of encoder differs from the card's, if it does.
        failure: what the encoder raised when the key samples were run, if it did.
        expired: the last day of a card whose last day is over.
        accept_self_asserted: the caller accepts a card that only the checked repository vouches for.
        clean_process: the caller asserts that nothing in this process could have changed the encoder.
        libraries: those that have other versions than when the card was minted.
        process: what of this process changes, or may change, what the encoder gives its users.

    Returns:
        Status and one sentence that says why.
    """
    if other_kind:
        return "altered", f"another encoder than the card's: {other_kind}"
    if files.changed:
        also = f"; {_tensors_differ(intact, tensors)}" if has_weights and tensors.matches is None else ""
        return "altered", f"behaviour differs from what the card recorded: {_some(files.changed)}{also}"
    if has_weights and tensors.matches is None:
        return "altered", _tensors_differ(intact, tensors)
    if tensors.outside:
        were = "was" if len(tensors.outside) == 1 else "were"
        return "altered", (
            f"{_count(tensors.outside, 'tensor')} outside the embedding path {were} changed, new or gone: "
            f"{_some(tensors.outside)}; whoever loads the files for another task gets another model"
        )
    if files.derived:
        return "inconclusive", (
            f"the files are equal, but the libraries installed here make other settings of them: "
            f"{_some(files.derived)} ({_some(libraries)})"
        )
    if failure:
        return "inconclusive", f"the key samples could not be run: {failure}"
    if not intact:
        if has_weights and not clean_process:
            return "inconclusive", (
                f"the watermark broke from strip '{first_broken}' on although the tensors and behaviour "
                "files are equal: code in this process or the environment differs"
            )
        return "altered", f"the watermark broke from strip '{first_broken}' on"
    if reservation := _reservation(
        process, expired, believed=trust != "self-asserted" or accept_self_asserted
    ):
        return "inconclusive", reservation
    if not has_weights:
        return (
            "authentic",
            "the watermark is intact, as far as the card's floor and coverage reach; no tensors at hand",
        )
    if tensors.matches == "stored":
        return "authentic", f"the watermark is intact, and {_equal(files, process)}"
    return "authentic", (
        f"the watermark is intact; the weights are a re-encoding: {_rounded(tensors, stored_dtype)}"
        f"{_besides(files, process)}"
    )


def _reservation(process: tuple[Finding, ...], expired: str, *, believed: bool) -> str:
    """Why an encoder that reproduces its watermark does not pass all the same, if there is a reason."""
    if spoiled := [finding for finding in process if finding.remedy]:
        return (
            f"the watermark is intact, but its users may get other embeddings: "
            f"{_some(tuple(finding.what for finding in spoiled))}"
        )
    if expired:
        return f"the card expired on {expired}: nobody vouches for this encoder any more"
    return "" if believed else SELF_ASSERTED


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


def _tensors_differ(intact: bool, tensors: TensorEvidence) -> str:
    parts = []
    if tensors.changed:
        parts.append(f"{len(tensors.changed)} of {tensors.checked} tensors changed: {_some(tensors.changed)}")
    if tensors.missing:
        parts.append(f"missing: {_some(tensors.missing)}")
    if tensors.unexpected:
        parts.append(f"unexpected: {_some(tensors.unexpected)}")
    watermark = (
        "the watermark is intact, so the change is below the floor or where the key samples do not reach"
        if intact
        else "the watermark is broken"
    )
    return f"{'; '.join(parts)}; {watermark}"


def _some(names: tuple[str, ...], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
