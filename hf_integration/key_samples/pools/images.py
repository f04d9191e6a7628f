"""Pictures as people have them, turned into small RGB arrays."""

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np

from hf_integration.base.errors import KeySampleError
from hf_integration.key_samples.pools.pool import named
from hf_integration.key_samples.samples import Image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

LONGEST_SIDE = 256
"""Pixels: most processors reduce to 224 or 256, and the card carries every pixel."""

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF")
_MOST_PIXELS = 89_478_485  # Pillow's own limit, for callers who switched it off


def read_image(content: bytes, name: object) -> Image:
    """Pixels of a PNG, JPEG, BMP, WebP or GIF (its first frame), the longest side at most 256.

    Turned upright by its EXIF entry; transparent places become white.

    Args:
        content: the bytes of the file.
        name: what messages call it.

    Returns:
        uint8 with shape ``(height, width, 3)``.

    Raises:
        KeySampleError: not such an image, damaged, or too many pixels.
    """
    import PIL.Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            with PIL.Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                limit = min(_MOST_PIXELS, PIL.Image.MAX_IMAGE_PIXELS or _MOST_PIXELS)
                if picture.width * picture.height > limit:
                    raise PIL.Image.DecompressionBombError
                return _small_rgb(picture)
    except (PIL.Image.DecompressionBombWarning, PIL.Image.DecompressionBombError):
        raise KeySampleError(
            f"the image {named(name)} has too many pixels to be opened safely", remedy="make it smaller"
        ) from None
    except PIL.UnidentifiedImageError:
        raise KeySampleError(
            f"the image {named(name)} cannot be read: not {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        ) from None
    except Exception as error:  # Pillow raises some ten kinds for damaged files
        raise KeySampleError(f"the image {named(name)} is damaged ({type(error).__name__})") from None


def _small_rgb(picture: "Picture") -> Image:
    import PIL.Image
    import PIL.ImageOps

    upright = PIL.ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I;16"):  # conversion would clip all but the darkest 256 of 65,536 greys
        upright = PIL.Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
    if upright.has_transparency_data:
        opaque = PIL.Image.new("RGBA", upright.size, "white")
        opaque.alpha_composite(upright.convert("RGBA"))
        upright = opaque
    rgb = upright.convert("RGB")
    if max(rgb.size) > LONGEST_SIDE:
        rgb.thumbnail((LONGEST_SIDE, LONGEST_SIDE), PIL.Image.Resampling.BILINEAR)
    return np.array(rgb, dtype=np.uint8)
