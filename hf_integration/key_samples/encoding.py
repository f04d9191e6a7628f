"""Key samples as bytes for a card, and back, without loss.

A card is read before anything in it is trusted, so reading is strict and bounded: a malformed blob
is an error within milliseconds, whatever size it claims to have.
"""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from hf_integration.base.errors import KeySampleError
from hf_integration.base.vocabulary import MODALITIES, Modality
from hf_integration.key_samples.samples import Image, KeySamples, Sample, Waveform

MOST_TEXT_BYTES = 64 * 1024
"""Longest text in a card, in bytes of UTF-8: many times what any text encoder reads."""


def encode_samples(samples: KeySamples) -> list[bytes]:
    """One blob per sample: text as UTF-8, an image as PNG, audio as compressed differences.

    Raises:
        KeySampleError: a sample is empty or too large for a card; it names the position.
    """
    blobs = []
    for position, sample in enumerate(samples):
        try:
            blobs.append(_encode(sample))
        except KeySampleError as error:
            raise KeySampleError(f"key sample {position}: {error}") from None
    return blobs


def _encode(sample: Sample) -> bytes:
    if isinstance(sample, str):
        return _encode_text(sample)
    if isinstance(sample, Waveform):
        return encode_waveform(sample)
    return encode_image(sample)


def decode_sample(modality: Modality, blob: bytes) -> Sample:
    """The sample that ``encode_samples`` made the blob from.

    Args:
        modality: kind of raw sample that the card declares.
        blob: untrusted bytes.

    Raises:
        KeySampleError: the blob is malformed or larger than a card may hold.
    """
    match modality:
        case "text":
            return _decode_text(blob)
        case "image":
            return decode_image(blob)
        case "audio":
            return decode_waveform(blob)
        case _:
            raise KeySampleError(f"unknown modality {modality!r}", remedy=f"one of {', '.join(MODALITIES)}")


def _encode_text(text: str) -> bytes:
    try:
        blob = text.encode()
    except UnicodeEncodeError:
        raise KeySampleError("a text with a lone surrogate cannot be stored as UTF-8") from None
    _check_text_size(len(blob))
    return blob


def _decode_text(blob: bytes) -> str:
    _check_text_size(len(blob))
    try:
        return blob.decode()
    except UnicodeDecodeError as error:
        raise KeySampleError(f"a text that is not UTF-8 at byte {error.start}") from None


def _check_text_size(size: int) -> None:
    if not 1 <= size <= MOST_TEXT_BYTES:
        raise KeySampleError(f"a text of {size} bytes; a card holds 1 to {MOST_TEXT_BYTES}")


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


MOST_SAMPLES = 60 * 48_000
"""Longest waveform in a card: a minute at 48 kHz."""

SLOWEST_RATE, FASTEST_RATE = 1_000, 192_000
"""Sampling rates in hertz that a card may hold."""

_HEADER = struct.Struct("<II")  # sampling rate in hertz, number of samples


def encode_waveform(waveform: Waveform) -> bytes:
    """Header and compressed differences of a mono recording.

    Args:
        waveform: int16 with shape ``(time,)``.

    Raises:
        KeySampleError: no samples, too many, or a sampling rate out of bounds.
    """
    _check(waveform.sampling_rate, waveform.samples.size)
    # Differences modulo 2**16 are undone by a running sum modulo 2**16, whatever the jumps.
    values = waveform.samples.astype(np.uint16)
    differences = values - np.concatenate([np.zeros(1, np.uint16), values[:-1]])
    planes = (differences >> 8).astype(np.uint8).tobytes() + (differences & 255).astype(np.uint8).tobytes()
    return _HEADER.pack(waveform.sampling_rate, waveform.samples.size) + zlib.compress(planes, 9)


def decode_waveform(blob: bytes) -> Waveform:
    """The waveform that ``encode_waveform`` made the blob from.

    Args:
        blob: untrusted bytes.

    Raises:
        KeySampleError: the blob is damaged, or holds other than the stated number of samples.
    """
    if len(blob) < _HEADER.size:
        raise KeySampleError("a truncated waveform")
    rate, count = _HEADER.unpack_from(blob)
    _check(rate, count)
    inflate = zlib.decompressobj()
    try:
        # One byte more than stated tells an overlong stream without unpacking it.
        planes = inflate.decompress(blob[_HEADER.size :], 2 * count + 1)
    except zlib.error:
        raise KeySampleError("a damaged waveform") from None
    if len(planes) != 2 * count or not inflate.eof or inflate.unused_data:
        raise KeySampleError(f"a waveform that does not hold the {count} samples that it states")
    high, low = np.frombuffer(planes, np.uint8).reshape(2, count).astype(np.uint16)
    samples = np.cumsum(high << 8 | low, dtype=np.uint16)
    return Waveform(samples.astype(np.int16), rate)


def _check(rate: int, count: int) -> None:
    if not SLOWEST_RATE <= rate <= FASTEST_RATE:
        raise KeySampleError(f"a waveform at {rate} Hz; a card holds {SLOWEST_RATE} to {FASTEST_RATE} Hz")
    if not 1 <= count <= MOST_SAMPLES:
        raise KeySampleError(f"a waveform of {count} samples; a card holds 1 to {MOST_SAMPLES}")
