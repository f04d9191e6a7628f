"""The watermark picture: black and white pixels, from a file or drawn here."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, UnidentifiedImageError
from torch import Tensor

from hf_integration.base.errors import UsageError
from hf_integration.base.files import open_bounded, read_exactly

MOST_BYTES = 64 << 20
"""Of a picture's file."""


def watermark_picture(side: int, source: Path | None = None) -> Tensor:
    """A watermark of ``side`` x ``side`` pixels.

    Pixels are pure black or white, by error diffusion: a grey pixel would have no contrast to lose, so its
    tile would stay intact whatever happened to the encoder.

    Args:
        side: width and height in pixels.
        source: any picture that Pillow reads; by default a padlock is drawn.

    Returns:
        Float64 tensor of ±1 with shape ``(side, side)``.

    Raises:
        UsageError: the file cannot be read as a picture.
    """
    if source is None:
        picture = _padlock(side)
    else:
        picture = read_picture(source).resize((side, side), Image.Resampling.LANCZOS)
    pixels = np.asarray(picture.convert("1"), dtype=np.float64)
    return torch.from_numpy(pixels) * 2 - 1


def read_picture(source: Path) -> Image.Image:
    """A picture in grey.

    Raises:
        UsageError: the file cannot be read as a picture.
    """
    try:
        with (
            open_bounded(source, MOST_BYTES) as (stream, size),
            Image.open(io.BytesIO(read_exactly(stream, size))) as opened,
        ):
            return opened.convert("L")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError) as error:
        raise UsageError(f"cannot read the watermark picture '{source}'", remedy="give a PNG") from error


def _padlock(side: int) -> Image.Image:
    """A padlock on a fine diagonal pattern, drawn large and scaled down."""
    size = 576
    unit = size / 12
    picture = Image.new("L", (size, size), 255)
    draw = ImageDraw.Draw(picture)
    for offset in range(-size, size, int(unit * 1.5)):
        draw.line([(offset, 0), (offset + size, size)], fill=150, width=int(unit / 3))
    draw.ellipse([unit, unit, 11 * unit, 11 * unit], fill=255, outline=0, width=int(unit / 2))
    draw.arc([4 * unit, 2 * unit, 8 * unit, 7 * unit], 180, 360, fill=0, width=int(unit * 0.8))
    draw.line([(4.4 * unit, 4.4 * unit), (4.4 * unit, 6 * unit)], fill=0, width=int(unit * 0.8))
    draw.line([(7.6 * unit, 4.4 * unit), (7.6 * unit, 6 * unit)], fill=0, width=int(unit * 0.8))
    draw.rounded_rectangle([3 * unit, 5.4 * unit, 9 * unit, 9.6 * unit], radius=unit / 2, fill=0)
    draw.ellipse([5.3 * unit, 6.3 * unit, 6.7 * unit, 7.7 * unit], fill=255)
    draw.rectangle([5.7 * unit, 7.3 * unit, 6.3 * unit, 8.7 * unit], fill=255)
    return picture.resize((side, side), Image.Resampling.LANCZOS)
