"""Images: processed once, batched by shape."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hf_integration.base.errors import KeySampleError
from hf_integration.encoders.identity.behaviour import Behaviour, processor_behaviour
from hf_integration.encoders.modalities.preparation import Batch, Preparation, Prepared


class ImagePreparation(Preparation):
    """An image processor.

    Args:
        image_processor: a transformers image processor.
    """

    modality = "image"
    pads = False  # images of another shape are another input; nothing masks a padded border

    def __init__(self, image_processor: Any) -> None:
        self._processor = image_processor
        self.backend = str(getattr(image_processor, "backend", "") or "pil")
        self.side = resized_to(image_processor)

    @property
    def processor(self) -> Any:
        """The image processor."""
        return self._processor

    def prepare(self, samples: Sequence[Any]) -> "PreparedImages":
        """Process all images in one call.

        Raises:
            KeySampleError: a sample is no RGB image of uint8, or the processor refuses it.
        """
        images = [checked_pixels(sample) for sample in samples]
        if not images:
            return PreparedImages([])
        try:
            # The layout is known, and guessing it fails for images 1 or 3 pixels wide.
            values = self._processor(images, input_data_format="channels_last")["pixel_values"]
        except Exception as error:  # processors raise anything for an odd shape
            raise KeySampleError(f"an image cannot be processed: {error}") from error
        return PreparedImages([torch.as_tensor(np.asarray(value)) for value in values])

    def behaviour(self) -> Behaviour:
        """The image processor's settings."""
        return processor_behaviour(self._processor)


def resized_to(processor: Any) -> int | None:
    """Pixels of the shorter side that a processor resizes images to, if it says so."""
    size = getattr(processor, "size", None)
    if not getattr(processor, "do_resize", False) or not isinstance(size, Mapping):
        return None
    sides = [size[key] for key in ("shortest_edge", "height", "width") if isinstance(size.get(key), int)]
    return min(sides, default=None)


class PreparedImages(Prepared):
    """Pixel values with shape ``(channels, height, width)`` each.

    Args:
        pixel_values: one tensor per image.
    """

    def __init__(self, pixel_values: list[Tensor]) -> None:
        self._values = pixel_values
        shapes = {shape: place for place, shape in enumerate(sorted({tuple(v.shape) for v in pixel_values}))}
        self.lengths = [shapes[tuple(value.shape)] for value in pixel_values]
        self._dim = max((value.numel() for value in pixel_values), default=0)

    def batch(self, indices: Sequence[int]) -> Batch:
        """Stacked images of one shape."""
        return Batch({"pixel_values": torch.stack([self._values[index] for index in indices])})

    def strip(self, indices: Sequence[int]) -> Tensor:
        """Flattened pixel values, filled with zeros where shapes differ."""
        strip = torch.zeros(len(indices), self._dim, dtype=torch.float64)
        for place, index in enumerate(indices):
            strip[place, : self._values[index].numel()] = self._values[index].reshape(-1)
        return strip


def checked_pixels(sample: object) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """An RGB image with shape ``(height, width, 3)``.

    Args:
        sample: a raw sample.

    Raises:
        KeySampleError: no such image, or an empty one.
    """
    if hasattr(sample, "convert"):  # users of `embed` hold PIL images
        sample = np.asarray(sample.convert("RGB"))
    if (
        not isinstance(sample, np.ndarray)
        or sample.dtype != np.uint8
        or sample.ndim != 3
        or sample.shape[2] != 3
    ):
        raise KeySampleError(
            f"this encoder takes RGB images (uint8, height x width x 3), and a sample is {_describe(sample)}",
            remedy="give key samples of the encoder's modality",
        )
    if not sample.size:
        raise KeySampleError(f"an image of {sample.shape[0]} x {sample.shape[1]} pixels is empty")
    return sample


def _describe(sample: object) -> str:
    if isinstance(sample, np.ndarray):
        return f"an array of {sample.dtype} with shape {sample.shape}"
    return type(sample).__name__
