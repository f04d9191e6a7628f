"""Recordings as people have them, turned into short mono waveforms."""

import io

import numpy as np

from hf_integration.base.errors import KeySampleError
from hf_integration.key_samples.encoding import FASTEST_RATE, SLOWEST_RATE
from hf_integration.key_samples.pools.pool import named
from hf_integration.key_samples.samples import Waveform

SECONDS = 2
"""Length kept of each recording: enough for every layer, and the card carries every sample."""

FORMATS = ("WAV", "WAVEX", "FLAC", "OGG")


def read_audio(content: bytes, name: object) -> Waveform:
    """The first two seconds of a WAV, FLAC or Ogg file, its channels averaged.

    Args:
        content: the bytes of the file.
        name: what messages call it.

    Returns:
        int16 mono at the file's own sampling rate.

    Raises:
        KeySampleError: soundfile is not installed, or the file is damaged, silent of samples or of an
            unusual sampling rate.
    """
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the package without its C library
        raise KeySampleError(
            f"reading the recording {named(name)} needs the package soundfile ({type(error).__name__})",
            remedy="python -m pip install 'pytest-sslauth[audio]'",
        ) from None
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            kind, rate = str(file.format), int(file.samplerate)
            if kind not in FORMATS or not SLOWEST_RATE <= rate <= FASTEST_RATE:
                raise KeySampleError(
                    f"the recording {named(name)} is {kind} at {rate} Hz",
                    remedy=f"give WAV, FLAC or Ogg at {SLOWEST_RATE} to {FASTEST_RATE} Hz",
                )
            channels = np.asarray(file.read(SECONDS * rate, dtype="float64", always_2d=True))
    except KeySampleError:
        raise
    except Exception as error:  # libsndfile's errors and those of a file object that ends early
        raise KeySampleError(f"the recording {named(name)} is damaged ({type(error).__name__})") from None
    if not channels.size or not np.isfinite(channels).all():
        what = "holds values that are no numbers" if channels.size else "holds no sound"
        raise KeySampleError(f"the recording {named(name)} {what}")
    # 16-bit files come as multiples of 1/32768, so their samples are kept exactly.
    samples = np.rint(channels.mean(axis=1) * 32768).clip(-32768, 32767).astype(np.int16)
    return Waveform(samples, rate)
