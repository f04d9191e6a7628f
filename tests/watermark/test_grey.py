"""Larger tiles of grey pixels are as fragile as small ones of black and white, whatever they show."""

from functools import cache

import pytest
import torch
from torch import Tensor

from hf_integration.watermark import SKETCH_DIM, Generator, Layout, edge_error, targets, tile_errors, train

SEED = 5
PICTURES = ("middle grey", "black", "white", "noise", "ramp", "all of these")


def _picture(name: str, layout: Layout) -> Tensor:
    """A picture from -1 (black) to 1 (white), ``(side, side)``."""
    side = layout.side
    random = torch.Generator().manual_seed(1)
    kinds = {
        "middle grey": torch.zeros(side, side, dtype=torch.float64),
        "black": torch.full((side, side), -1.0, dtype=torch.float64),
        "white": torch.ones(side, side, dtype=torch.float64),
        "noise": torch.rand(side, side, generator=random, dtype=torch.float64) * 2 - 1,
        "ramp": torch.linspace(-1, 1, side, dtype=torch.float64).expand(side, side),
    }
    if name in kinds:
        return kinds[name]
    tiles = [layout.cut(picture) for picture in kinds.values()]
    return layout.assemble(torch.stack([tiles[tile % 5][tile] for tile in range(layout.tiles)]))


def _black_and_white(layout: Layout) -> Tensor:
    random = torch.Generator().manual_seed(2)
    return torch.randint(0, 2, (layout.side, layout.side), generator=random).double() * 2 - 1


class Drawn:
    """A generator, what it shall draw, and the error that it may have."""

    def __init__(self, picture: Tensor, layout: Layout) -> None:
        self.picture, self.layout = picture, layout
        self.expected = targets(picture, layout)
        self.generator = train(picture, layout, seed=SEED)
        self.tolerance = edge_error(self.generator, self.expected, seed=SEED)

    def errors(self, features: Tensor) -> Tensor:
        return tile_errors(self.generator(features), self.expected)

    def reach(self, direction: Tensor) -> float:
        """How far in a direction the first tile breaks."""
        low, high = 0.0, 4.0
        for _ in range(9):
            middle = (low + high) / 2
            broken = bool((self.errors(direction * middle) > self.tolerance).any())
            low, high = (low, middle) if broken else (middle, high)
        return high


@cache
def _drawn(name: str, keys: int, tile: int) -> Drawn:
    layout = Layout(keys, tile)
    return Drawn(_picture(name, layout) if name else _black_and_white(layout), layout)


def _directions(layout: Layout, moved: str) -> Tensor:
    """Some directions of unit length, of single tiles, of the mean over all, and of all tiles at once."""
    random = torch.Generator().manual_seed(3)
    units = torch.randn(8, layout.tiles, SKETCH_DIM, generator=random, dtype=torch.float64)
    units /= units.norm(dim=-1, keepdim=True)
    if moved == "single tiles":
        units *= torch.eye(layout.tiles, dtype=torch.float64)[: len(units), :, None]
    elif moved == "the mean":
        units = units[:, :1] * (layout.kinds == 2).double()[:, None]
    return units


@pytest.mark.parametrize("name", PICTURES)
class TestAnyPicture:
    def test_it_is_drawn_exactly_where_nothing_moved(self, name: str) -> None:
        drawn = _drawn(name, 16, 32)
        tiles = drawn.generator(torch.zeros(drawn.layout.tiles, SKETCH_DIM))
        assert tile_errors(tiles, drawn.expected).max() < 1e-5
        assert (drawn.generator.picture(tiles) - drawn.picture).abs().max() < 1e-4

    def test_every_tile_far_outside_the_tolerance_is_noise(self, name: str) -> None:
        drawn = _drawn(name, 16, 32)
        for distance in (8.0, 1e3, 1e9, 1e15):
            far = _directions(drawn.layout, "all tiles")[0] * distance
            assert drawn.errors(far).min() > 1.5 * drawn.tolerance

    def test_what_is_not_a_number_breaks_its_tile_and_no_other(self, name: str) -> None:
        drawn = _drawn(name, 16, 32)
        features = torch.zeros(drawn.layout.tiles, SKETCH_DIM, dtype=torch.float64)
        features[3, 5] = torch.nan
        assert (drawn.errors(features) > drawn.tolerance).nonzero().flatten().tolist() == [3]

    @pytest.mark.parametrize("moved", ["single tiles", "the mean", "all tiles"])
    def test_it_breaks_no_later_than_black_and_white(self, name: str, moved: str) -> None:
        grey, plain = _drawn(name, 16, 32), _drawn("", 16, 8)
        directions = _directions(grey.layout, moved)
        reached = [sum(map(one.reach, directions)) / len(directions) for one in (grey, plain)]
        assert reached[0] <= reached[1]


@pytest.mark.parametrize(("keys", "tile"), [(4, 32), (64, 32), (65, 16)])
def test_nor_does_any_number_of_tiles(keys: int, tile: int) -> None:
    grey, plain = _drawn("all of these", keys, tile), _drawn("", keys, 8)
    for moved in ("single tiles", "the mean", "all tiles"):
        directions = _directions(grey.layout, moved)[:4]
        reached = [sum(map(one.reach, directions)) / len(directions) for one in (grey, plain)]
        assert reached[0] <= reached[1], moved


def test_every_pixel_has_as_much_to_lose_as_another() -> None:
    layout = Layout(4, 16)
    for name in PICTURES:
        expected = targets(_picture(name, layout), layout)
        halves = expected.view(layout.tiles, -1, layout.tile**2)
        assert torch.allclose(halves.pow(2).sum(1), torch.ones(layout.tiles, layout.tile**2).double())


def test_black_and_white_is_drawn_as_before_there_was_grey() -> None:
    layout = Layout(9)
    picture = _black_and_white(layout)
    assert torch.equal(targets(picture, layout), layout.cut(picture))
    drawn = torch.randn(layout.tiles, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    by_mean = (drawn - layout.cut(picture)).pow(2).mean(-1).sqrt()
    assert torch.equal(tile_errors(drawn, layout.cut(picture)), by_mean)


def test_what_a_card_of_images_draws_never_changes() -> None:
    """Such a card stores no head: it is trained again, by everybody who reads the card."""
    layout = Layout(1, 16)
    generator: Generator = train(_picture("ramp", layout), layout, seed=SEED)
    assert generator.head.shape == (Generator.features(layout), 2 * 16 * 16)
    assert [*generator.head[:2, :2].flatten().tolist(), float(generator.head[5, 300])] == pytest.approx(
        [-0.160758048, -0.138573006, 0.0300218649, 0.0109364465, -0.198020115], rel=1e-6
    )
