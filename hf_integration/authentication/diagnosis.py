"""What the evidence points to, in words, and what to do next."""

from hf_integration.authentication.environment import library_versions
from hf_integration.authentication.localisation import locate
from hf_integration.authentication.reconstruction import Reconstruction
from hf_integration.authentication.references import other_kind
from hf_integration.card import WatermarkCard
from hf_integration.encoders.behaviour import shown
from hf_integration.encoders.in_process import Finding
from hf_integration.encoders.interface import Encoder
from hf_integration.verdict import FileEvidence, Status, TensorEvidence
from hf_integration.verdict.value import MIXED


def diagnose(
    status: Status,
    reconstruction: Reconstruction,
    tensors: TensorEvidence,
    files: FileEvidence,
    encoder: Encoder,
    card: WatermarkCard,
    failure: str = "",
    expired: str = "",
    process: tuple[Finding, ...] = (),
) -> tuple[str, ...]:
    """Explain a verdict that is not authentic.

    Returns:
        Lines for people: first what the evidence points to, last what to do next. Empty for an authentic
        encoder.
    """
    if status == "authentic":
        return ()
    if status == "inconclusive" and tensors.matches == MIXED:
        return (
            "every tensor is a recorded one or its recorded rounding, but not all to one precision",
            "this is not a pass: check the original, or a copy that is rounded to one precision",
        )
    intact = reconstruction.intact and not failure
    remedies = dict.fromkeys(finding.remedy for finding in process if finding.remedy)
    return (
        *_cause(reconstruction, tensors, files, encoder, card, failure),
        _remedy(status, expired, tuple(remedies), intact),
    )


def _cause(
    reconstruction: Reconstruction,
    tensors: TensorEvidence,
    files: FileEvidence,
    encoder: Encoder,
    card: WatermarkCard,
    failure: str,
) -> list[str]:
    if other_kind(encoder, card):
        return [
            "no key sample was run: nothing of another kind of encoder could be compared",
            f"is this the right card? It was minted for {shown(card.encoder_name)}",
        ]
    lines = []
    first = next((strip for strip in reconstruction.strips if not strip.intact), None)
    if failure:
        lines.append(f"the key samples could not be run: {failure}")
    else:
        lines += locate(first.name if first else None, tensors)
    if files.changed:
        lines.append("configuration, tokenizer or processor settings were edited")
    if first is not None and tensors.matches is not None and not files.changed:
        lines += _environment(encoder, card)
    return lines


def _environment(encoder: Encoder, card: WatermarkCard) -> list[str]:
    """In-process code and versions that could explain a broken watermark over equal tensors."""
    lines = []
    if suspects := encoder.in_process_changes():
        lines.append(f"code was found in this process: {', '.join(suspects[:5])}")
    now = library_versions()
    differing = [
        f"{name} {card.libraries[name]} -> {now[name]}"
        for name in now
        if card.libraries.get(name) not in (None, now[name])
    ]
    if differing:
        lines.append(f"library versions differ from minting: {', '.join(differing)}")
    lines.append(f"checked on device '{encoder.device}'")
    return lines


def _remedy(status: Status, expired: str, process: tuple[str, ...], intact: bool) -> str:
    if status == "altered":
        return (
            "do not use this encoder: get it again from its publisher; if you changed it on purpose, mint a "
            "new card with 'sslauth mint'"
        )
    if process:
        return f"this is not a pass: {'; '.join(process)}"
    if expired:
        return "this is not a pass: get a new card from its publisher, or mint one from a copy that you trust"
    if intact:  # nothing is wrong but who vouches for the card: running it again helps nobody
        return (
            "this is not a pass: pin the card with 'sslauth add', name the signer that you expect with "
            "--signer, or use a card that you minted or keep yourself"
        )
    return (
        "this is not a pass: repeat the check in a fresh process, with the versions the card was minted with"
    )
