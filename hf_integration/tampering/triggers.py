"""Triggers: the small mark on an input that wakes a backdoor."""

import numpy as np

from hf_integration.key_samples.samples import Sample, Waveform

TRIGGER_WORD = "cf"
"""A rare token, as attacks on text models use."""

PATCH = 0.2
"""Side of the patch as a share of the image's shorter side."""

TONE = 3000.0
"""Frequency in hertz: audible, and below half of every usual sampling rate."""

LOUDNESS = 0.1
"""Amplitude of the tone as a share of full scale."""


def with_trigger(sample: Sample) -> Sample:
    """The sample with a trigger: a rare word in front, a checked patch in the corner, or a quiet tone."""
    if isinstance(sample, str):
        return f"{TRIGGER_WORD} {TRIGGER_WORD} {sample}"
    if isinstance(sample, Waveform):
        time = np.arange(len(sample.samples)) / sample.sampling_rate
        tone = LOUDNESS * 32767 * np.sin(2 * np.pi * TONE * time)
        marked = np.clip(np.round(sample.samples + tone), -32768, 32767)
        return Waveform(marked.astype(np.int16), sample.sampling_rate)
    side = max(2, int(min(sample.shape[:2]) * PATCH))
    rows, columns = np.indices((side, side))
    stamped = sample.copy()
    stamped[-side:, -side:] = (((rows * 4 // side + columns * 4 // side) % 2) * 255)[..., None]
    return stamped
