"""Waveforms of the built-in pool: chirps, harmonic stacks, noise bands, clicks and silence.

Speech would need a licence. These reach every band of a spectrogram and every onset that a
convolution sees. Integers throughout, as for the images.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from hf_integration.base.errors import KeySampleError
from hf_integration.key_samples.deterministic_random import PEAK, TURN, DeterministicRandom, Integers, sine
from hf_integration.key_samples.samples import Waveform

TENTHS_OF_SECONDS = (5, 8, 11, 15)
"""Four lengths only, so that batches of equal length need no padding: padding moves some encoders."""

LONGEST_COLLAGE = 30.0
"""Seconds of a collage; 350 kB in a card."""

LAYERS = 2
"""Rows of sounds in a collage that are heard at the same time."""

SLOWEST_RATE, FASTEST_RATE = 4000, 48000

# Eight bits of amplitude: the low byte of every sample is zero, which halves the compressed size, and the
# rounding excites all bands a little.
_STEP = 256

# Phases accumulate in finer units than the sine table has, or slow tones would drift.
_FINE = 1 << 16

Sound = Callable[[DeterministicRandom, int, int], Integers]


def synthetic_waveform(
    position: int, *, seed: int, rate: int = 16000, seconds: float | None = None
) -> Waveform:
    """The waveform at one position of the pool.

    Args:
        position: from 0; lengths and kinds of sound take turns.
        seed: any integer.
        rate: sampling rate in hertz.
        seconds: length of a collage of many sounds, for encoders that compute on a window of fixed length
            and would spend it on silence.

    Returns:
        int16 mono of 0.5, 0.8, 1.1 or 1.5 seconds, or of the given length.

    Raises:
        KeySampleError: the rate is not between 4000 and 48000.
    """
    if not SLOWEST_RATE <= rate <= FASTEST_RATE:
        raise KeySampleError(
            f"synthetic audio at {rate} Hz", remedy=f"use a rate from {SLOWEST_RATE} to {FASTEST_RATE} Hz"
        )
    random = DeterministicRandom(seed, "audio", position)
    if seconds is None:
        sound = _one_sound(random, position, rate)
    else:
        length = round(rate * min(seconds, LONGEST_COLLAGE))
        sound = sum((_in_a_row(random, length, rate) for _ in range(LAYERS)), np.zeros(length, np.int64))
    quantised = np.clip(sound, -PEAK, PEAK) // _STEP * _STEP
    return Waveform(quantised.astype(np.int16), rate)


def _one_sound(random: DeterministicRandom, place: int, rate: int) -> Integers:
    """A sound with its envelope; kinds and lengths take turns with the place."""
    length = rate * TENTHS_OF_SECONDS[place % len(TENTHS_OF_SECONDS)] // 10
    sound = SOUNDS[place % len(SOUNDS)](random, length, rate)
    return sound * random.between(8, 28) // 32 * _envelope(random, length) // TURN


def _in_a_row(random: DeterministicRandom, length: int, rate: int) -> Integers:
    """Sounds one after the other, in no order."""
    parts: list[Integers] = []
    while sum(map(len, parts)) < length:
        parts.append(_one_sound(random, random.below(1000), rate))
    return np.concatenate(parts)[:length]


def _phase(start: int, hertz: Integers, rate: int) -> Integers:
    """Phase after each sample of a tone whose frequency changes, in units of the sine table."""
    return (start + np.cumsum(hertz * TURN * _FINE // rate)) // _FINE


def _frequency(random: DeterministicRandom, rate: int) -> int:
    """A frequency in hertz; octaves from 60 Hz to half the sampling rate are equally likely."""
    octaves = max(1, (rate // 2 // 60).bit_length() - 1)
    lowest = 60 << random.below(octaves)
    return random.between(lowest, min(2 * lowest, rate // 2 - 1))


def _envelope(random: DeterministicRandom, length: int) -> Integers:
    """Loudness from 0 to ``TURN``: ramps at the ends of each segment, and some segments silent."""
    segments = random.between(1, 4)
    edges = [length * part // segments for part in range(segments + 1)]
    envelope = np.zeros(length, np.int64)
    for number, (begin, end) in enumerate(pairwise(edges)):
        # The first segment always sounds, so that no sample is silence only.
        if number and random.chance(25):
            continue
        ramp = random.between(1, max(1, (end - begin) // 3))
        places = np.arange(end - begin)
        envelope[begin:end] = np.minimum(np.minimum(places, places[::-1]) * TURN // ramp, TURN)
    return envelope


def chirp(random: DeterministicRandom, length: int, rate: int) -> Integers:
    """A tone that glides from one frequency to another."""
    first, last = _frequency(random, rate), _frequency(random, rate)
    hertz = first + (last - first) * np.arange(length) // length
    return sine(_phase(random.below(TURN) * _FINE, hertz, rate))


def harmonic_stack(random: DeterministicRandom, length: int, rate: int) -> Integers:
    """A voice-like pitch with vibrato and up to twelve harmonics of random strength."""
    pitch, depth, speed = random.between(80, 400), random.between(0, 12), random.between(2, 7)
    wobble = sine(np.arange(length) * TURN * speed // rate)
    phase = _phase(0, pitch + depth * wobble // PEAK, rate)
    total = np.zeros(length, np.int64)
    loudness = 0
    for harmonic in range(1, min(12, rate // 2 // (pitch + depth)) + 1):
        strength = random.between(1, 16)
        loudness += strength
        total += sine(phase * harmonic + random.below(TURN)) * strength
    return total * 2 // max(2, loudness)


def noise_band(random: DeterministicRandom, length: int, rate: int) -> Integers:
    """Noise smoothed by a running mean and moved to a carrier: a band of random place and width."""
    width = 1 << random.below(7)
    noise = random.uint8(length + width).astype(np.int64) - 128
    sums = np.cumsum(noise)
    smooth = (sums[width:] - sums[:-width]) * 512 // (1 << (width.bit_length() // 2 + 1))
    carrier = sine(_phase(0, np.full(length, _frequency(random, rate)), rate))
    return smooth * carrier // PEAK if random.chance(70) else smooth


def clicks(random: DeterministicRandom, length: int, rate: int) -> Integers:
    """Short pulses of both signs over a faint tone."""
    sound = sine(_phase(0, np.full(length, _frequency(random, rate)), rate)) // 16
    for _ in range(random.between(4, 24)):
        place, width = random.below(length), random.between(1, 12)
        sound[place : place + width] += PEAK if random.chance(50) else -PEAK
    return sound


def chord(random: DeterministicRandom, length: int, rate: int) -> Integers:
    """A glide, a second glide and noise together."""
    parts = (chirp(random, length, rate), chirp(random, length, rate), noise_band(random, length, rate))
    return sum(parts, np.zeros(length, np.int64)) // 2


SOUNDS: tuple[Sound, ...] = (chirp, noise_band, harmonic_stack, clicks, chord)
"""Sounds in the order in which positions take turns; five of them meet each of the four lengths."""
