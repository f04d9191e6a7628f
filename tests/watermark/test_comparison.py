"""Errors in the picture, by numbers worked out by hand."""

import pytest
import torch

from hf_integration.watermark import Generator, Layout, edge_error, tile_errors, train
from hf_integration.watermark.generator import DIRECTIONS


def test_the_error_of_a_tile_is_the_root_mean_square_over_its_pixels() -> None:
    expected = torch.tensor([[1.0, -1, 1, -1]] * 4, dtype=torch.float64)
    drawn = torch.stack(
        [
            expected[0],  # exact: 0
            torch.zeros(4, dtype=torch.float64),  # each off by 1: 1
            torch.tensor([1.0, -1, 1, 1]).double(),  # one of four off by 2: sqrt(4 / 4) = 1
            torch.tensor([1.0, -1, 1, 0]).double(),  # one of four off by 1: sqrt(1 / 4) = 0.5
        ]
    )
    assert tile_errors(drawn, expected).tolist() == [0, 1, 1, 0.5]


def test_the_pictures_of_many_strips_are_compared_at_once() -> None:
    expected = torch.ones(3, 4, dtype=torch.float64)
    drawn = torch.stack([expected, expected * 3])
    drawn[0, 2] = -1
    assert tile_errors(drawn, expected).tolist() == [[0, 0, 2], [2, 2, 2]]


@pytest.mark.parametrize("poison", [torch.nan, torch.inf, -torch.inf])
def test_a_tile_with_a_pixel_that_is_no_number_is_infinitely_wrong(poison: float) -> None:
    drawn = torch.ones(2, 4, dtype=torch.float64)
    drawn[1, 0] = poison
    assert tile_errors(drawn, torch.ones(2, 4, dtype=torch.float64)).tolist() == [0, torch.inf]


@pytest.fixture(scope="module")
def layout() -> Layout:
    return Layout(9)


@pytest.fixture(scope="module")
def generator(layout: Layout) -> Generator:
    return train(torch.ones(layout.side, layout.side, dtype=torch.float64), layout, seed=5)


class TestTheEdge:
    def test_is_the_mean_error_over_directions_of_length_one(
        self, layout: Layout, generator: Generator
    ) -> None:
        expected = torch.ones(layout.tiles, 64, dtype=torch.float64)
        random = torch.Generator().manual_seed(0)
        some = torch.randn(400, layout.tiles, 64, generator=random, dtype=torch.float64)
        some /= some.norm(dim=-1, keepdim=True)
        mean = tile_errors(generator(some), expected).mean()
        # 64 directions for 16 tiles each: a thousand tiles average to a few per cent of these 6400
        assert DIRECTIONS == 64
        assert edge_error(generator, expected, seed=5) == pytest.approx(float(mean), rel=0.02)

    def test_is_where_the_picture_has_lost_a_fifth_and_gained_noise_of_a_third(
        self, layout: Layout, generator: Generator
    ) -> None:
        """A kernel of length scale 1.5: exp(-1 / (2 * 1.5^2)) = 0.80 of the picture is left at length 1.

        The units of the 15 other tiles, 96 in all, add noise of about sqrt(16 / 96 * (1 - 0.80^2)) = 0.25:
        together sqrt(0.2^2 + 0.25^2) = 0.32.
        """
        expected = torch.ones(layout.tiles, 64, dtype=torch.float64)
        assert edge_error(generator, expected, seed=5) == pytest.approx(0.32, rel=0.1)

    def test_of_one_seed_is_the_same_everywhere_and_of_another_is_another(
        self, layout: Layout, generator: Generator
    ) -> None:
        """Minting again with a card's seed must give the card's tolerance."""
        expected = torch.ones(layout.tiles, 64, dtype=torch.float64)
        edge = edge_error(generator, expected, seed=5)
        assert edge == pytest.approx(0.326265507161132, rel=1e-6)
        assert edge != edge_error(generator, expected, seed=6)
