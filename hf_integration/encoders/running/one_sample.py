"""What a model gives for one sample, where nothing else says what its embedding is made of."""

from typing import Any

import numpy as np
import torch
from torch import nn

from hf_integration.base.errors import ENDING, EncoderError, KeySampleError, in_one_line
from hf_integration.encoders.modalities.observed import UnsupportedError, chosen_recipe, observed_recipe
from hf_integration.encoders.modalities.preparation import Preparation
from hf_integration.encoders.modalities.recipes import Recipe
from hf_integration.encoders.running.assembly import evaluation_mode
from hf_integration.key_samples.samples import Waveform

MOST_NUMBERS = 1 << 22
"""Numbers that a processor may make of the sample, as the model is run before anything vouches for either:
images of more than a thousand pixels a side have fewer."""

_SIDE = 224
"""Pixels of the image, where the processor resizes none."""


def observed(
    recipe: Recipe,
    module: nn.Module,
    preparation: Preparation,
    *,
    where: str,
    pooling: str | None = None,
) -> Recipe:
    """The recipe with pooling and width; one that has them is left as it is, and the model is not run.

    Args:
        recipe: as the family made it.
        module: the model.
        preparation: its processor.
        where: folder or name, for messages.
        pooling: the one that was chosen instead, if any.

    Raises:
        EncoderError: the model cannot be run on one sample, or gives no embedding.
    """
    if recipe.width and pooling is None:
        return recipe
    first = next(module.parameters())
    try:
        batch = preparation.prepare([_sample(preparation)]).batch([0])
        if (numbers := sum(tensor.numel() for tensor in batch.inputs.values())) > MOST_NUMBERS:
            raise UnsupportedError(f"its processor makes {numbers} numbers of a small sample")
        inputs = {
            name: tensor.to(first.device, first.dtype if tensor.is_floating_point() else None)
            for name, tensor in batch.inputs.items()
        }
        with evaluation_mode(module), torch.inference_mode():
            output = getattr(module, recipe.method)(**inputs, return_dict=True)
        if pooling is not None:
            return chosen_recipe(recipe, pooling, output)
        return observed_recipe(recipe, preparation.modality, module, output)
    except ENDING:
        raise
    except KeySampleError as error:  # a plain sample: the processor is what is wrong
        raise EncoderError(
            f"{where}: {error}", remedy="get the processor's settings again from their publisher"
        ) from error
    except UnsupportedError as why:
        raise EncoderError(f"{where}: {type(module).__name__} is not supported: {why}") from None
    except Exception as error:  # a forward raises anything for inputs that are not its own
        kind = {"text": "text", "image": "image", "audio": "recording"}[preparation.modality]
        raise EncoderError(
            f"{where}: {type(module).__name__} cannot be run on one {kind}: {in_one_line(error)}",
            remedy="only encoders that take one text, one image or one recording are supported",
        ) from error


def _sample(preparation: Preparation) -> Any:
    if preparation.modality == "text":
        return "a b c 1 2 3"
    if preparation.modality == "image":
        side = preparation.side or _SIDE
        return np.arange(side * side * 3, dtype=np.uint32).astype(np.uint8).reshape(side, side, 3)
    rate = preparation.rate
    wave = np.sin(np.arange(rate) * (2 * np.pi * 440 / rate)) * 9000
    return Waveform(wave.astype(np.int16), rate)
