"""Key samples as bytes for a card, and back, without loss.

A card is read before anything in it is trusted, so reading is strict and bounded: a malformed blob
is an error within milliseconds, whatever size it claims to have.
"""

from hf_integration.errors import KeySampleError
from hf_integration.key_samples.audio_encoding import decode_waveform, encode_waveform
from hf_integration.key_samples.image_encoding import decode_image, encode_image
from hf_integration.key_samples.interface import MODALITIES, KeySamples, Modality, Sample, Waveform

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
