"""The grid of tiles and the statistics they watch."""

import pytest
import torch

from hf_integration.watermark import GROUP, SKETCH_DIM, TILE, Layout


@pytest.mark.parametrize("keys", [1, 2, 7, 8, 9, 16, 63, 64, 100, 257])
def test_there_is_a_tile_for_every_key_every_group_and_at_least_one_for_the_mean(keys: int) -> None:
    kinds = Layout(keys).kinds.bincount()
    assert kinds[0] == keys
    assert kinds[1] == -(-keys // GROUP)
    assert kinds[2] >= 1


@pytest.mark.parametrize("keys", [1, 9, 64])
def test_cutting_and_assembling_are_inverse(keys: int) -> None:
    layout = Layout(keys)
    picture = torch.arange(layout.side**2).view(layout.side, layout.side)
    assert layout.cut(picture).shape == (layout.tiles, TILE * TILE)
    assert torch.equal(layout.assemble(layout.cut(picture)), picture)


def test_tiles_watch_single_keys_then_group_means_then_the_mean_of_all() -> None:
    layout = Layout(10)
    residuals = torch.randn(10, SKETCH_DIM, dtype=torch.float64)
    features = layout.gather(residuals)
    assert torch.equal(features[:10], residuals)
    assert torch.allclose(features[10], residuals[:8].mean(0))
    assert torch.allclose(features[11], residuals[8:].mean(0))
    assert torch.allclose(features[12:], residuals.mean(0).expand(layout.tiles - 12, -1))


@pytest.mark.parametrize(
    ("keys", "groups", "columns"),
    # groups of 8, and the smallest square with a tile left over: 1 + 1 < 4, 8 + 1 < 16, 64 + 8 < 81
    [(1, 1, 2), (2, 1, 2), (3, 1, 3), (8, 1, 4), (9, 2, 4), (64, 8, 9), (71, 9, 9), (72, 9, 10)],
)
def test_the_grid_by_numbers(keys: int, groups: int, columns: int) -> None:
    layout = Layout(keys)
    assert (layout.groups, layout.columns) == (groups, columns)
    assert (layout.tiles, layout.side) == (columns**2, 8 * columns)


def test_a_tile_is_settled_once_all_its_samples_were_run() -> None:
    layout = Layout(16)
    settled = layout.settled(range(8))
    assert (settled.shape, settled.dtype) == ((layout.tiles,), torch.bool)
    assert layout.settled(range(8)).nonzero().flatten().tolist() == [*range(8), 16]
    assert bool(layout.settled(range(16)).all())
    assert not bool(layout.settled([]).any())
