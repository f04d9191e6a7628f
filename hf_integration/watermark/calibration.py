"""What each tile of the watermark watches, and how far benign runs let it stray: layout and calibration."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

TILE = 8
"""Side of a tile of black and white pixels."""

GROUP = 8
"""Key samples that share one group tile."""

KINDS = ("key", "group", "all")
"""What a tile watches: one key sample, the mean over a group, the mean over all of them."""


@dataclass(frozen=True)
class Layout:
    """A square grid of tiles: one per key sample, then one per group, the rest for the overall mean.

    Means are watched besides single key samples because an alteration pushes all key samples the same
    way and rounding does not: averaging is worth about a factor of ten within one precision.

    Attributes:
        keys: number of key samples.
        tile: side of a tile in pixels.
    """

    keys: int
    tile: int = TILE

    @property
    def groups(self) -> int:
        """Number of groups; the last one may be smaller than the others."""
        return -(-self.keys // GROUP)

    @property
    def columns(self) -> int:
        """Tiles along one side of the grid."""
        return math.isqrt(self.keys + self.groups) + 1

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return self.columns**2

    @property
    def side(self) -> int:
        """Side of the whole watermark in pixels."""
        return self.columns * self.tile

    @property
    def kinds(self) -> Tensor:
        """Index into ``KINDS`` for each tile, int64 tensor with shape ``(tiles,)``."""
        kinds = torch.full((self.tiles,), 2)
        kinds[: self.keys + self.groups] = 1
        kinds[: self.keys] = 0
        return kinds

    def settled(self, seen: Sequence[int]) -> Tensor:
        """Tiles whose key samples were all run, bool ``(tiles,)``.

        Args:
            seen: key samples that were run.
        """
        run = torch.zeros(self.keys, dtype=torch.bool)
        run[torch.tensor(list(seen), dtype=torch.long)] = True
        groups = torch.stack([group.all() for group in torch.split(run, GROUP)])
        rest = self.tiles - self.keys - self.groups
        return torch.cat([run, groups, run.all().expand(rest)])

    def gather(self, residuals: Tensor) -> Tensor:
        """Residuals of the key samples ``(keys, dim)`` to one feature per tile ``(tiles, dim)``."""
        groups = torch.stack([group.mean(0) for group in torch.split(residuals, GROUP)])
        rest = self.tiles - self.keys - self.groups
        return torch.cat([residuals, groups, residuals.mean(0).expand(rest, -1)])

    def cut(self, picture: Tensor) -> Tensor:
        """Picture ``(side, side)`` to tiles ``(tiles, tile * tile)``, row by row."""
        grid = picture.reshape(self.columns, self.tile, self.columns, self.tile)
        return grid.permute(0, 2, 1, 3).reshape(self.tiles, self.tile**2)

    def assemble(self, tiles: Tensor) -> Tensor:
        """Inverse of :meth:`cut`."""
        grid = tiles.reshape(self.columns, self.columns, self.tile, self.tile)
        return grid.permute(0, 2, 1, 3).reshape(self.side, self.side)


SAFETY = 8.0
"""Tolerance over the largest benign deviation seen while calibrating: runs on machines that were not at
hand may deviate further, and the self-check wants a margin of 3 on runs that calibration did not see."""

QUIET = 0.5
"""Dimensions with less than this share of the median noise are given it. Some are dead (no benign noise at
all) and would become the whole statistic; others only look quiet, as benign runs are few."""

ROUNDING = 0.5
"""Least noise assumed, in units of the precision's epsilon times the size of the sketch: a strip that
never moved on this machine may still round differently on another."""

SMALLEST = 1e-200
"""Least noise of a strip that is zero throughout: nothing may be divided by zero."""


@dataclass(frozen=True)
class Calibration:
    """Scales that turn a residual into units of its tolerance.

    Attributes:
        noise: standard deviation of each sketch dimension over benign runs, float64 ``(SKETCH_DIM,)``.
        scales: tolerated norm of a residual divided by ``noise``, float64 ``(3,)`` in the order of ``KINDS``.
    """

    noise: Tensor
    scales: Tensor

    def normalise(self, residuals: Tensor, reference: Tensor, layout: Layout) -> Tensor:
        """Features of all tiles; norm 1 is the edge of the tolerance.

        Args:
            residuals: difference to the reference, float64 ``(keys, SKETCH_DIM)``.
            reference: sketches of the reference run, same shape.
            layout: which tiles watch which means.

        Returns:
            Float64 tensor with shape ``(tiles, SKETCH_DIM)``.
        """
        features = layout.gather(evened(residuals, reference)) / self.noise
        return features / self.scales[layout.kinds][:, None]


def evened(residuals: Tensor, reference: Tensor) -> Tensor:
    """Residuals of samples with large features, scaled down to those of a median one.

    Rounding grows with what is rounded, and a convolutional encoder gives one sample features many times as
    large as another's. Samples with small features are not scaled up: their rounding may come from large
    terms that cancel.
    """
    sizes = reference.norm(dim=1, keepdim=True)
    median = sizes.median()
    scaled: Tensor = residuals * torch.where(sizes > median, median / sizes, 1.0)
    return scaled


def _largest(run: Tensor, keys: int) -> Tensor:
    """Largest norm of each kind of tile in a benign run, float64 ``(3,)``; overall as a mean of ``keys``."""
    layout = Layout(len(run))
    norms = layout.gather(run).norm(dim=1)
    largest = torch.stack([norms[layout.kinds == kind].max() for kind in range(len(KINDS))])
    largest[KINDS.index("all")] = as_mean_over(run, keys).mean(0).norm()
    return largest


def as_mean_over(run: Tensor, keys: int) -> Tensor:
    """Residuals of some samples, with the overall mean that residuals of all of them would have.

    The part of rounding that differs from sample to sample averages out, by the root of the number of
    samples; the part that all share stays. Both are estimated from the run itself; a shared part within one
    standard deviation of chance counts as none. From 16 of MiniLM's 64 samples that gave 0.6 to 1.8 times the
    true mean over strips, precisions and instruction sets (``python -m tests.benchmarks extrapolation``).

    Args:
        run: residuals, float64 ``(samples, SKETCH_DIM)``.
        keys: number of samples of the whole; with no more than ``samples`` nothing changes.
    """
    count = len(run)
    mean = run.mean(0)
    size = float(mean.norm())
    if count < 2 or count >= keys or not 0 < size < float("inf"):
        return run
    varying = float((run - mean).pow(2).sum()) / (count - 1)
    by_chance = varying / count * (1 + math.sqrt(2 / run.shape[1]))
    shared = size**2 - varying / count if size**2 > by_chance else 0.0
    share = min(math.sqrt(shared + varying / keys) / size, 1.0)
    shifted: Tensor = run - (1 - share) * mean
    return shifted


def calibrate(
    benign: Sequence[Tensor],
    reference: Tensor,
    *,
    epsilon: float,
    safety: float = SAFETY,
    evenly: bool = False,
) -> Calibration:
    """Calibrate one strip.

    Args:
        benign: residuals of benign runs to the reference, float64 ``(samples, SKETCH_DIM)`` each, on the
            first of the key samples.
        reference: sketches of the reference run on all key samples, float64 ``(keys, SKETCH_DIM)``.
        epsilon: unit of rounding of the precision that was run.
        safety: tolerance over the largest benign deviation.
        evenly: take the noise for the same in all dimensions, where it comes in jumps that are too rare to
            tell one dimension from another.

    Returns:
        The strip's calibration.
    """
    keys, width = reference.shape
    size = float(reference.norm(dim=1).median())
    least = max(ROUNDING * epsilon * size / width**0.5, SMALLEST)
    noise = torch.full((width,), least, dtype=torch.float64)
    largest = torch.zeros(len(KINDS), dtype=torch.float64)
    if benign:
        benign = [evened(run, reference[: len(run)]) for run in benign]
        moved = [run for run in benign if run.any()] or benign  # runs that were equal to the bit say nothing
        measured = torch.cat(moved).pow(2).mean(0)
        measured = (measured.mean().expand(width) if evenly else measured).sqrt()
        noise = measured.clamp(min=max(float(measured.median()) * QUIET, least))
        largest = torch.stack([_largest(run / noise, keys) for run in benign]).amax(0)
    # the least noise in every dimension, averaged as each kind of tile averages it
    averaged = torch.tensor([1.0, min(GROUP, keys) ** -0.5, keys**-0.5], dtype=torch.float64)
    floors = (least / noise).norm() * averaged
    return Calibration(noise=noise, scales=safety * torch.maximum(largest, floors))
