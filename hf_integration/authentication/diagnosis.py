"""What the evidence points to, in words, and what to do next."""

import re

from hf_integration.authentication.judgement import Findings
from hf_integration.authentication.references import library_versions
from hf_integration.base.vocabulary import PROCESSOR_STRIP
from hf_integration.card import WatermarkCard
from hf_integration.encoders.identity.behaviour import shown
from hf_integration.encoders.interface import Encoder
from hf_integration.verdict import MIXED, Status, TensorEvidence


def diagnose(status: Status, findings: Findings, encoder: Encoder, card: WatermarkCard) -> tuple[str, ...]:
    """Explain a verdict that is not authentic.

    Args:
        status: of the verdict.
        findings: what it was made of.
        encoder: what was checked.
        card: what it was checked with.

    Returns:
        Lines for people: first what the evidence points to, last what to do next. Empty for an authentic
        encoder.
    """
    if status == "authentic":
        return ()
    if status == "inconclusive" and findings.tensors.matches == MIXED:
        return (
            "every tensor is a recorded one or its recorded rounding, but not all to one precision",
            "this is not a pass: check the original, or a copy that is rounded to one precision",
        )
    return (*_cause(findings, encoder, card), _remedy(status, findings))


def _cause(findings: Findings, encoder: Encoder, card: WatermarkCard) -> list[str]:
    if findings.other_kind:
        return [
            "no key sample was run: nothing of another kind of encoder could be compared",
            f"is this the right card? It was minted for {shown(card.encoder_name)}",
        ]
    tensors, files = findings.tensors, findings.files
    if findings.failure:
        lines = [f"the key samples could not be run: {findings.failure}"]
    else:
        lines = locate(findings.first_broken, tensors)
    if files.changed:
        lines.append("configuration, tokenizer or processor settings were edited")
    if findings.first_broken is not None and tensors.matches is not None and not files.changed:
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
    lines.append(f"the encoder is on device '{encoder.device}'")
    return lines


def _remedy(status: Status, findings: Findings) -> str:
    if status == "altered":
        return (
            "do not use this encoder: get it again from its publisher; if you changed it on purpose, mint a "
            "new card with 'sslauth mint'"
        )
    if remedies := dict.fromkeys(finding.remedy for finding in findings.process if finding.remedy):
        return f"this is not a pass: {'; '.join(remedies)}"
    if findings.expired:
        return "this is not a pass: get a new card from its publisher, or mint one from a copy that you trust"
    if (
        findings.intact and not findings.failure
    ):  # nothing is wrong but who vouches for the card: running it again helps nobody
        return (
            "this is not a pass: pin the card with 'sslauth add', name the signer that you expect with "
            "--signer, or use a card that you minted or keep yourself"
        )
    return (
        "this is not a pass: repeat the check in a fresh process, with the versions the card was minted with"
    )


_NUMBERED = re.compile(r"(?:^|\.)(?:layers?|blocks|stages)\.(\d+)\.")

WHOLE = 0.9
"""Share of tensors that differ from which on the encoder counts as altered as a whole."""


def layer_of(tensor: str) -> int | None:
    """Number of the layer or stage that a tensor belongs to, from 1, as strips count; ``None`` outside."""
    found = _NUMBERED.search(tensor)
    return int(found[1]) + 1 if found else None


def locate(first_broken: str | None, tensors: TensorEvidence) -> list[str]:
    """Say where an alteration begins, in words.

    Args:
        first_broken: the first strip that did not reproduce the watermark, if any.
        tensors: which tensors differ.
    """
    lines = []
    if first_broken == PROCESSOR_STRIP:
        lines.append(
            "the deviation begins in the processor (tokenizer, image or audio processing): the model sees "
            "other inputs"
        )
    if tensors.changed:
        lines.append(_extent(tensors))
    lines += _other_tensors(tensors)
    if lines and first_broken is None:
        lines.append("no key sample noticed: the edit is too small, or where none of them reaches")
    whole = len(tensors.changed) >= WHOLE * max(tensors.checked, 1)
    if first_broken not in (None, PROCESSOR_STRIP) and not whole:
        lines.append(
            f"the deviation begins at strip '{first_broken}'; the strips before it are within the tolerance"
        )
    return lines


def _other_tensors(tensors: TensorEvidence) -> list[str]:
    """Tensors that only one side has: another architecture, or parts that were taken away or added."""
    lines = []
    if tensors.missing:
        lines.append(f"{len(tensors.missing)} tensors of the card are missing, such as {tensors.missing[0]}")
    if tensors.unexpected:
        lines.append(f"{len(tensors.unexpected)} tensors are new, such as {tensors.unexpected[0]}")
    return lines


def _extent(tensors: TensorEvidence) -> str:
    """How much of the encoder differs."""
    changed = tensors.changed
    if len(changed) == tensors.checked:
        return "every tensor differs: another model, or one that was fine-tuned as a whole"
    if len(changed) >= WHOLE * tensors.checked:
        return "almost every tensor differs: another model, or one that was fine-tuned as a whole"
    layers = {layer_of(name) for name in changed}
    if len(changed) == 1:
        return f"one tensor was edited: {changed[0]}"
    if len(layers) == 1 and None not in layers:
        return f"all tensors that differ belong to layer {layers.pop()}"
    if layers == {None}:
        return "the tensors that differ belong to no layer: embeddings, or what follows the last layer"
    return f"tensors of {len(layers)} parts of the encoder differ: several layers were edited or trained"
