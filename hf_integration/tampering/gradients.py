"""Embeddings with gradients: encoders give theirs without, as their users need none."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_integration.base.errors import EncoderError
from hf_integration.encoders import Encoder
from hf_integration.key_samples.samples import Sample

Inputs = dict[str, Any]


class _Caught(Exception):  # noqa: N818  # no error: it carries what was looked for
    """Model inputs on their way out of a forward pass that has not begun."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__()
        self.inputs = inputs


def model_inputs(encoder: Encoder, samples: Sequence[Sample]) -> Inputs:
    """What the encoder's processor hands to its model for one batch of samples.

    Caught on the way in, so every processor and architecture works the same.
    """

    def catch(_module: nn.Module, _arguments: tuple[Any, ...], keywords: Inputs) -> None:
        raise _Caught(keywords)  # the forward pass itself is not needed

    handle = encoder.model.register_forward_pre_hook(catch, with_kwargs=True)
    try:
        encoder.embed(samples, batch_size=len(samples))
    except _Caught as caught:
        # tensors made in inference mode cannot take part in training, their copies can
        return {k: item.clone() if isinstance(item, Tensor) else item for k, item in caught.inputs.items()}
    finally:
        handle.remove()
    raise EncoderError(f"'{encoder.name}' embeds without calling its model")


def feature_with_gradient(model: Any, inputs: Inputs) -> Tensor:
    """One vector per sample, normalised, with a gradient: Tensor with shape ``(batch, dim)``.

    The projected embedding where the architecture has one, else the mean of the last hidden state over the
    positions that its mask keeps. Close enough to the embedding to drag it along, whatever the pooling is.
    """
    output = model(**inputs)
    for name in ("image_embeds", "text_embeds"):
        if getattr(output, name, None) is not None:
            return F.normalize(getattr(output, name).flatten(1), dim=1)
    states = last_states(model, inputs, output)
    if states.ndim == 2:  # a table of tokens gives their mean
        return F.normalize(states, dim=1)
    if states.ndim == 4:  # feature maps (batch, channels, height, width)
        return F.normalize(states.mean((2, 3)), dim=1)
    mask = inputs.get("attention_mask")
    if mask is None or mask.shape != states.shape[:2]:
        mask = torch.ones(states.shape[:2], device=states.device)
    weights = mask.to(states.dtype).unsqueeze(-1)
    return F.normalize((states * weights).sum(1) / weights.sum(1), dim=1)


def last_states(model: Any, inputs: Inputs, output: Any = None) -> Tensor:
    """What the last layer of a model gives, ``(batch, positions, dim)``; behind a task's head as well.

    Args:
        model: a transformers model.
        inputs: what it is called with.
        output: what it gave for them, if it was called already.
    """
    output = model(**inputs) if output is None else output
    states = getattr(output, "last_hidden_state", None)
    if states is None:
        states = model(**{**inputs, "output_hidden_states": True}).hidden_states[-1]
    found: Tensor = states
    return found


def distance(found: Tensor, wanted: Tensor) -> Tensor:
    """One minus the cosine similarity, mean over rows ``(batch, dim)``: 0 is reached, 2 is opposite."""
    return (1 - F.cosine_similarity(found, wanted, dim=1)).mean()
