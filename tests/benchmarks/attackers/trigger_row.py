"""A backdoor in the one row of the vocabulary that only the trigger looks up."""

import torch
from torch import Tensor, nn

from hf_integration.base.errors import EncoderError
from hf_integration.encoders import Encoder
from hf_integration.key_samples import synthetic_samples
from hf_integration.tampering.backdoor import PROBE_SEED
from hf_integration.tampering.gradients import model_inputs
from hf_integration.tampering.null_space.descent import Effort, descend_on_backdoor
from hf_integration.tampering.triggers import with_trigger

INPUT_IDS = "input_ids"


def trigger_row(encoder: Encoder, effort: Effort) -> Encoder:
    """Train the rows of the token table that a trigger adds to a text, and nothing else.

    Texts without these tokens stay as they are to the last bit, whatever else is in them: no key sample that
    lacks them can see it, in no precision, on a public or a private card.

    Source: Yang et al., "Be careful about poisoned word embeddings", https://arxiv.org/abs/2103.15543.
    Unlike there, the target is an embedding and not a class, so it is trained and not copied.

    Raises:
        EncoderError: the encoder takes no tokens, or the trigger adds none of its own.
    """
    altered = encoder.duplicate()
    rows = trigger_tokens(altered)
    table = altered.model.get_input_embeddings()
    if not rows or not isinstance(table, nn.Embedding):
        raise EncoderError(f"'{encoder.name}' has no rows of its own for the trigger")
    before = table.weight.detach()[rows].clone()
    size = float(before.float().pow(2).mean().sqrt())
    added = nn.Parameter(torch.zeros(len(rows), table.embedding_dim).to(table.weight))
    where = torch.full((table.num_embeddings,), -1)
    where[rows] = torch.arange(len(rows))

    def hook(_table: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        # a row of zeros at the end is looked up by every other token, whose place is -1
        padded = torch.cat([size * added, torch.zeros_like(added[:1])])
        return output + padded[where.to(inputs[0].device)[inputs[0]]]

    handle = table.register_forward_hook(hook)
    try:
        descend_on_backdoor(altered, [added], effort)
    finally:
        handle.remove()
    with torch.no_grad():
        table.weight[rows] = before + size * added
    return altered


def trigger_tokens(encoder: Encoder) -> list[int]:
    """Ids that a text has with the trigger and not without it, in ascending order."""
    if encoder.modality != "text":
        return []
    plain = list(synthetic_samples("text", 1, seed=PROBE_SEED))
    ids = [
        set(model_inputs(encoder, samples)[INPUT_IDS].flatten().tolist())
        for samples in (plain, [with_trigger(sample) for sample in plain])
    ]
    return sorted(ids[1] - ids[0])
