"""Waveforms as first differences in byte planes under zlib: lossless, and small for what is smooth."""

import struct
import zlib

import numpy as np

from hf_integration.errors import KeySampleError
from hf_integration.key_samples.interface import Waveform

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
