"""Where an alteration lies, from the names of the tensors that differ and the first strip that broke."""

import re

from hf_integration.encoders.interface import PROCESSOR_STRIP
from hf_integration.verdict import TensorEvidence

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
