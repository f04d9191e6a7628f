"""The watermark as a picture for people."""

import io

import numpy as np
from torch import Tensor

SCALE = 4
"""Enlargement: a watermark of 72 pixels a side is too small to judge on a screen."""


def picture_bytes(watermark: Tensor) -> bytes:
    """An 8-bit grey PNG.

    Args:
        watermark: uint8 tensor of 0 and 255 with shape ``(side, side)``.
    """
    import PIL.Image

    pixels = np.kron(watermark.numpy(), np.ones((SCALE, SCALE), np.uint8))
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
