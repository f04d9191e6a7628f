"""The watermark that is the key samples themselves: each key image in grey, in the tile that watches it.

A card that has it stores neither picture nor generator. Both follow from its key images and its seed, so what
the card shows cannot be other images than those that are checked.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hf_integration.base.errors import FlawError, KeySampleError
from hf_integration.base.vocabulary import Modality
from hf_integration.key_samples.encoding import decode_image, encode_image
from hf_integration.key_samples.samples import Image, KeySamples
from hf_integration.watermark import Layout

MOST_IMAGES = 256
"""With more, nobody would make out one of them, and reading a card would take longer than a moment."""

LARGE, SMALL = 32, 16
"""Sides of a tile in pixels: the larger one up to 64 key images, so that no check waits for its picture."""


def objection(modality: Modality, count: int, *, secret: bool) -> str:
    """Why key samples cannot be the watermark of a card; empty where they can.

    Args:
        modality: of the encoder.
        count: number of key samples.
        secret: whether the card is private.
    """
    if modality != "image":
        return f"only key images can be drawn, and this encoder takes {modality}"
    if secret:
        return "the key samples of a private card are secret, and the pictures of every check would show them"
    if count > MOST_IMAGES:
        return f"{count} key images are too many to be drawn, at most {MOST_IMAGES} are"
    return ""


def layout_of_images(count: int) -> Layout:
    """The tiles of as many key images."""
    return Layout(count, LARGE if count <= 64 else SMALL)


def draw_images(samples: KeySamples) -> Tensor:
    """The watermark of key images; a tile that watches a mean shows the mean of these images.

    Args:
        samples: images.

    Returns:
        Uint8 tensor with shape ``(side, side)``, the same on every machine.
    """
    layout = layout_of_images(len(samples))
    shrunk = np.stack([_shrunk(image, layout.tile) for image in samples])
    tiles = layout.gather(torch.from_numpy(shrunk).double().flatten(1))
    return layout.assemble(tiles.round().to(torch.uint8))


def png_of(watermark: Tensor) -> bytes:
    """The PNG beside ``card.json``, for people.

    Args:
        watermark: uint8 tensor with shape ``(side, side)``.
    """
    return encode_image(_coloured(watermark))


def check_png(data: bytes, watermark: Tensor) -> None:
    """Refuse a PNG that shows something else than the watermark.

    Args:
        data: untrusted bytes.
        watermark: as the key images give it.

    Raises:
        FlawError: it does, or it is none that :func:`png_of` writes.
    """
    try:
        shown = decode_image(data)
    except KeySampleError as error:
        raise FlawError("", str(error)) from None
    if not np.array_equal(shown, _coloured(watermark)):
        raise FlawError("", "shows other images than the key samples")


def _coloured(watermark: Tensor) -> Image:
    return watermark.numpy()[..., None].repeat(3, axis=2)


def _shrunk(image: Any, side: int) -> npt.NDArray[np.int64]:
    """The middle square of an image in grey, ``(side, side)``: means, in whole numbers.

    Not by an image library: how these round differs between releases and processors.
    """
    pixels: Image = image
    height, width = pixels.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    # channel by channel in 32 bits: a card may hold large images, and nobody waits for one that is refused
    red, green, blue = pixels[top : top + edge, left : left + edge].astype(np.int32).transpose(2, 0, 1)
    grey = (299 * red + 587 * green + 114 * blue) // 1000
    places = np.arange(side + 1) * edge
    first, last = places[:-1] // side, -(-places[1:] // side)
    within = (first[:, None] <= np.arange(edge)) & (np.arange(edge) < last[:, None])
    # sums of whole numbers that float64 holds exactly, in whatever order they are added
    sums = (within.astype(np.float64) @ grey @ within.T.astype(np.float64)).astype(np.int64)
    area = np.outer(last - first, last - first)
    means: npt.NDArray[np.int64] = (sums + area // 2) // area
    return means
