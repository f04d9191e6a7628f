"""Images as PNG, read back only in the narrow form that is written here."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from hf_integration.errors import KeySampleError
from hf_integration.key_samples.interface import Image

MOST_PIXELS_A_SIDE = 1024
"""Largest width and height in a card."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TRUE_COLOUR, _PALETTE = 2, 3
_DEPTHS = {_TRUE_COLOUR: {8}, _PALETTE: {1, 2, 4, 8}}
# Raw pixels, a filter byte per row, and what deflate adds to incompressible data, with room to spare.
_MOST_BYTES = 4 * MOST_PIXELS_A_SIDE * MOST_PIXELS_A_SIDE


def encode_image(pixels: Image) -> bytes:
    """A PNG of an RGB image, with a palette where it has at most 256 colours.

    Args:
        pixels: uint8 with shape ``(height, width, 3)``, at most 1024 a side.

    Raises:
        KeySampleError: the image is empty or too large for a card.
    """
    import PIL.Image

    height, width = pixels.shape[:2]
    _check_size(width, height)
    packed = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colours, index = np.unique(packed, return_inverse=True)
    buffer = io.BytesIO()
    if len(colours) <= 256:
        picture = PIL.Image.fromarray(index.reshape(height, width).astype(np.uint8)).convert("L")
        table = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=-1).astype(np.uint8)
        picture.putpalette(table.tobytes())  # turns the grey picture into one of palette entries
        depth = next(depth for depth in (1, 2, 4, 8) if len(colours) <= 1 << depth)
        picture.save(buffer, "PNG", optimize=True, bits=depth)
    else:
        PIL.Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def decode_image(blob: bytes) -> Image:
    """The pixels of a PNG that ``encode_image`` wrote.

    Everything that could make a decoder allocate (size, other modes, text, profiles, further frames) is
    refused from the chunk list, before Pillow sees the bytes.

    Args:
        blob: untrusted bytes.

    Returns:
        uint8 with shape ``(height, width, 3)``.

    Raises:
        KeySampleError: not such a PNG, damaged, or larger than 1024 pixels a side.
    """
    import PIL.Image

    width, height = _check_chunks(blob)
    try:
        with PIL.Image.open(io.BytesIO(blob), formats=["PNG"]) as picture:
            if picture.size != (width, height) or picture.mode not in {"P", "RGB"}:
                raise KeySampleError("an image whose header is read in two ways")
            pixels = np.array(picture.convert("RGB"), dtype=np.uint8)
    except KeySampleError:
        raise
    except Exception as error:  # Pillow raises some ten kinds for damaged bytes
        raise KeySampleError(f"a damaged PNG image ({type(error).__name__})") from None
    return pixels


def _check_size(width: int, height: int) -> None:
    if not (1 <= width <= MOST_PIXELS_A_SIDE and 1 <= height <= MOST_PIXELS_A_SIDE):
        raise KeySampleError(
            f"an image of {width}x{height} pixels; a card holds 1 to {MOST_PIXELS_A_SIDE} a side"
        )


def _check_chunks(blob: bytes) -> tuple[int, int]:
    """Width and height, once the list of chunks is one that ``encode_image`` can have written."""
    if len(blob) > _MOST_BYTES:
        raise KeySampleError(f"an image of {len(blob)} bytes; a card holds at most {_MOST_BYTES}")
    chunks = list(_chunks(blob))
    names = [name for name, _ in chunks]
    if not names or names[0] != b"IHDR" or len(chunks[0][1]) != 13:
        raise KeySampleError("a PNG image without its header")
    width, height, depth, colour, compression, filters, interlace = struct.unpack(">IIBBBBB", chunks[0][1])
    _check_size(width, height)
    if depth not in _DEPTHS.get(colour, ()) or (compression, filters, interlace) != (0, 0, 0):
        raise KeySampleError("a PNG image that is neither 8-bit RGB nor of a palette")
    head = [b"IHDR", b"PLTE"] if colour == _PALETTE else [b"IHDR"]
    pixels = names[len(head) : -1]
    if names[: len(head)] != head or names[-1] != b"IEND" or set(pixels) != {b"IDAT"}:
        raise KeySampleError("a PNG image with other chunks than a card's images have")
    if colour == _PALETTE and len(chunks[1][1]) not in range(3, 3 * 2**depth + 1, 3):
        raise KeySampleError("a PNG image with a malformed palette")
    return width, height


def _chunks(blob: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not blob.startswith(_SIGNATURE):
        raise KeySampleError("an image that is not PNG")
    place = len(_SIGNATURE)
    while place < len(blob):
        head = blob[place : place + 8]
        if len(head) < 8:
            raise KeySampleError("a truncated PNG image")
        size, name = struct.unpack(">I4s", head)
        end = place + 12 + size  # head, body and checksum
        if end > len(blob):
            raise KeySampleError("a truncated PNG image")
        body = blob[place + 8 : end - 4]
        if zlib.crc32(name + body) != int.from_bytes(blob[end - 4 : end], "big"):
            # Pillow skips the checksums of pixel data.
            raise KeySampleError("a PNG image with a wrong checksum")
        yield name, body
        place = end
