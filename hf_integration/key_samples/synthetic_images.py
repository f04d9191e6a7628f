"""Images of the built-in pool: patterns that excite every spatial frequency and channel.

Photographs would need a licence and megabytes. Flat colours, gratings up to one pixel and noise reach
every frequency, and few colours per image keep them small as PNG. Integers throughout: the pixels
must not depend on the rounding of a machine.
"""

from collections.abc import Callable

import numpy as np

from hf_integration.base.errors import KeySampleError
from hf_integration.key_samples.deterministic_random import PEAK, TURN, DeterministicRandom, Integers, sine
from hf_integration.key_samples.samples import Image

LARGEST_SIDE = 224
SMALLEST_SIDE = 8

Draw = Callable[[DeterministicRandom, int], Image]


def synthetic_image(position: int, *, seed: int, size: int = LARGEST_SIDE) -> Image:
    """The image at one position of the pool.

    Args:
        position: from 0; the kinds of pattern take turns.
        seed: any integer.
        size: side in pixels, from 8; more than 224 is taken as 224.

    Returns:
        uint8 RGB with shape ``(size, size, 3)``.

    Raises:
        KeySampleError: the size is too small.
    """
    if size < SMALLEST_SIDE:
        raise KeySampleError(f"synthetic images of {size} pixels", remedy=f"use at least {SMALLEST_SIDE}")
    draw = PATTERNS[position % len(PATTERNS)]
    return draw(DeterministicRandom(seed, "image", position), min(size, LARGEST_SIDE))


def _grid(size: int) -> tuple[Integers, Integers]:
    rows, columns = np.indices((size, size), dtype=np.int64)
    return rows, columns


def _colours(random: DeterministicRandom, count: int) -> Image:
    """Colours with shape ``(count, 3)``; neighbours differ by at least 64 in every channel."""
    colours = [random.uint8(3).astype(np.int64)]
    for _ in range(count - 1):
        step = 64 + random.uint8(3).astype(np.int64) // 2
        colours.append((colours[-1] + step) % 256)
    return np.stack(colours).astype(np.uint8)


def _blend(random: DeterministicRandom, levels: int) -> Image:
    """A ramp of colours between two that differ in every channel, shape ``(levels, 3)``."""
    first, last = _colours(random, 2).astype(np.int64)
    weights = np.arange(levels)[:, None]
    ramp: Integers = (first * (levels - 1 - weights) + last * weights) // (levels - 1)
    return ramp.astype(np.uint8)


def _wave(random: DeterministicRandom, size: int) -> Integers:
    """A plane wave of any orientation from one period per image to one per two pixels."""
    rows, columns = _grid(size)
    # Octaves are equally likely, as they are in natural images.
    octave = random.below(max(1, size.bit_length() - 1))
    longest = max(2, size >> octave)
    step = TURN // random.between(max(2, longest // 2), longest)
    along, across = random.between(-4, 4), random.between(1, 4)
    turn = rows * along + columns * across if random.chance(50) else rows * across + columns * along
    return sine(turn * step // max(abs(along), across) + random.below(TURN))


def gradient(random: DeterministicRandom, size: int) -> Image:
    """A linear ramp of another direction and phase in each channel."""
    rows, columns = _grid(size)
    channels = []
    for _ in range(3):
        start = random.below(256)
        ramp = rows * random.between(-255, 255) + columns * random.between(-255, 255)
        folded = (start + ramp // size) % 510
        channels.append(np.where(folded > 255, 510 - folded, folded))
    return np.stack(channels, axis=-1).astype(np.uint8)


def binary_noise(random: DeterministicRandom, size: int) -> Image:
    """Two colours, each pixel by itself: every frequency at once."""
    return _colours(random, 2)[random.bits(size, size)]


def grating(random: DeterministicRandom, size: int) -> Image:
    """One plane wave in eight steps between two colours."""
    levels = (_wave(random, size) + PEAK) * 8 // (2 * PEAK + 1)
    return np.take(_blend(random, 8), levels, axis=0)


def channel_gratings(random: DeterministicRandom, size: int) -> Image:
    """Stripes of another frequency and orientation in each channel."""
    dark = random.uint8(3) // 3
    light = 255 - random.uint8(3) // 3
    on = np.stack([_wave(random, size) >= 0 for _ in range(3)], axis=-1)
    return np.where(on, light, dark).astype(np.uint8)


def checkerboard(random: DeterministicRandom, size: int) -> Image:
    """Cells of one pixel up to a quarter of the image."""
    rows, columns = _grid(size)
    tall, wide = (max(1, (size // 4) >> random.below(6)) for _ in range(2))
    return np.take(_colours(random, 2), (rows // tall + columns // wide) % 2, axis=0)


def polygons(random: DeterministicRandom, size: int) -> Image:
    """Overlapping triangles and ellipses in flat colours: edges of every orientation."""
    rows, columns = _grid(size)
    colours = _colours(random, 9)
    image = np.broadcast_to(colours[0], (size, size, 3)).copy()
    for colour in colours[1:]:
        if random.chance(50):
            corners = [(random.below(size), random.below(size)) for _ in range(3)]
            sides = [
                (columns - x) * (next_y - y) - (rows - y) * (next_x - x)
                for (y, x), (next_y, next_x) in zip(corners, [*corners[1:], corners[0]], strict=True)
            ]
            inside = np.logical_and.reduce([side >= 0 for side in sides])
            inside |= np.logical_and.reduce([side <= 0 for side in sides])
        else:
            y, x = random.below(size), random.below(size)
            tall, wide = (random.between(2, max(2, size // 3)) for _ in range(2))
            inside = ((rows - y) * wide) ** 2 + ((columns - x) * tall) ** 2 <= (tall * wide) ** 2
        image[inside] = colour
    return image


def palette_noise(random: DeterministicRandom, size: int) -> Image:
    """Blocks of one to eight pixels in four random colours."""
    block = 1 << random.below(4)
    cells = -(-size // block)
    index = (random.uint8(cells, cells) % 4).repeat(block, axis=0).repeat(block, axis=1)
    return np.take(_colours(random, 4), index[:size, :size], axis=0)


def contours(random: DeterministicRandom, size: int) -> Image:
    """Smooth hills of three waves, cut into sixteen colours: low frequencies with curved edges."""
    hills = sum((_wave(random, size) for _ in range(3)), np.zeros((size, size), np.int64))
    return np.take(_colours(random, 16), (hills + 3 * PEAK) * 16 // (6 * PEAK + 1), axis=0)


PATTERNS: tuple[Draw, ...] = (
    binary_noise,
    gradient,
    grating,
    polygons,
    channel_gratings,
    palette_noise,
    contours,
    checkerboard,
)
"""Patterns in the order in which positions take turns."""
