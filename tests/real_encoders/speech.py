"""Spoken prompts of one voice, from a Debian package."""

from pathlib import Path

import numpy as np

from hf_integration.key_samples import Waveform

PACKAGE = "asterisk-core-sounds-en-wav"
MISSING = f"the Debian package {PACKAGE} is not installed (apt-get install {PACKAGE})"

_FOLDER = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
_SHORTEST, _LONGEST = 1, 3  # seconds


def speech_samples(count: int, *, sampling_rate: int = 16000) -> list[Waveform] | None:
    """Prompts of one to three seconds; None where the package is not installed.

    Args:
        count: number of prompts, at most some 400.
        sampling_rate: in hertz; the files have 8000.

    Raises:
        ValueError: fewer prompts than asked for.
    """
    files = sorted(_FOLDER.rglob("*.wav"))
    if not files:
        return None
    import soundfile
    from scipy.signal import resample_poly

    samples: list[Waveform] = []
    for file in files:
        wave, rate = soundfile.read(file, dtype="float64", frames=_LONGEST * 8000)
        if len(wave) < _SHORTEST * rate:
            continue
        resampled = resample_poly(wave, sampling_rate, rate) * 32767
        samples.append(Waveform(resampled.round().clip(-32768, 32767).astype(np.int16), sampling_rate))
        if len(samples) == count:
            return samples
    raise ValueError(f"{len(samples)} prompts of at least {_SHORTEST} s, {count} were asked for")
