"""How the watermark is cut into tiles, and which statistic of the key samples each tile belongs to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

TILE = 8
"""Side of a tile in pixels."""

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
    """

    keys: int

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
        return self.columns * TILE

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
        """Picture ``(side, side)`` to tiles ``(tiles, TILE * TILE)``, row by row."""
        grid = picture.reshape(self.columns, TILE, self.columns, TILE)
        return grid.permute(0, 2, 1, 3).reshape(self.tiles, TILE * TILE)

    def assemble(self, tiles: Tensor) -> Tensor:
        """Inverse of :meth:`cut`."""
        grid = tiles.reshape(self.columns, self.columns, TILE, TILE)
        return grid.permute(0, 2, 1, 3).reshape(self.side, self.side)
