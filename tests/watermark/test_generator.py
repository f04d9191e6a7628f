"""The generator draws the watermark inside the tolerance and noise outside."""

from functools import cache

import pytest
import torch
from torch import Tensor

from hf_integration.watermark import SKETCH_DIM, TILE, Generator, Layout, edge_error, tile_errors, train
from hf_integration.watermark.generator import tile_masks

SEED = 5


@pytest.fixture(scope="module", params=[1, 9, 64], ids="{} keys".format)
def layout(request: pytest.FixtureRequest) -> Layout:
    return Layout(request.param)


def _watermark(layout: Layout) -> Tensor:
    """White on the left, black on the right: tiles that look alike are the hardest case for fragility."""
    picture = torch.ones(layout.side, layout.side, dtype=torch.float64)
    picture[:, layout.side // 2 :] = -1
    return picture


def _errors(layout: Layout, features: Tensor) -> Tensor:
    watermark = _watermark(layout)
    return tile_errors(_generator(layout)(features), layout.cut(watermark))


@cache
def _generator(layout: Layout) -> Generator:
    return train(_watermark(layout), layout, seed=SEED)


def _edge(layout: Layout) -> float:
    return edge_error(_generator(layout), layout.cut(_watermark(layout)), seed=SEED)


def _directions(layout: Layout) -> Tensor:
    random = torch.Generator().manual_seed(0)
    spread = torch.randn(layout.tiles, SKETCH_DIM, generator=random, dtype=torch.float64)
    return torch.nn.functional.normalize(spread, dim=1)


def test_the_reference_itself_gives_the_watermark_exactly(layout: Layout) -> None:
    errors = _errors(layout, torch.zeros(layout.tiles, SKETCH_DIM))
    assert errors.max() < 1e-5


def test_every_tile_far_outside_the_tolerance_is_noise(layout: Layout) -> None:
    edge = _edge(layout)
    for distance in (8.0, 1e3, 1e9, 1e15):
        assert _errors(layout, _directions(layout) * distance).min() > 1.5 * edge


def test_error_grows_with_the_distance_until_the_tile_is_noise(layout: Layout) -> None:
    mean = [float(_errors(layout, _directions(layout) * d).mean()) for d in (0.01, 0.1, 0.3, 1.0, 2.0, 4.0)]
    assert mean == sorted(mean)


def test_a_third_of_the_tolerance_leaves_a_margin_of_two_and_three_tolerances_leave_none(
    layout: Layout,
) -> None:
    edge = _edge(layout)
    assert edge / _errors(layout, _directions(layout) / 3).max() > 2
    assert edge / _errors(layout, _directions(layout) * 3).min() < 1


def test_a_deviation_along_a_single_axis_has_no_period_at_which_it_looks_intact() -> None:
    layout = Layout(16)
    edge = _edge(layout)
    for distance in torch.linspace(4, 400, 200).tolist():
        features = torch.zeros(layout.tiles, SKETCH_DIM, dtype=torch.float64)
        features[:, 7] = distance
        assert _errors(layout, features).min() > edge


@pytest.mark.parametrize("poison", [torch.nan, torch.inf, -torch.inf])
def test_a_feature_that_is_not_a_number_breaks_its_tile_and_no_other(poison: float) -> None:
    layout = Layout(16)
    features = torch.zeros(layout.tiles, SKETCH_DIM, dtype=torch.float64)
    features[3, 5] = poison
    errors = _errors(layout, features)
    assert errors[3] == torch.inf
    assert torch.cat([errors[:3], errors[4:]]).max() < 1e-5


def test_the_units_are_a_kernel_of_the_chosen_radius() -> None:
    """Products of the units of two features: 1 for equal ones, exp(-d^2 / (2 * 1.5^2)) at distance d."""
    layout = Layout(64)
    generator = Generator(layout, SEED, torch.empty(0))
    at_rest = generator.hidden(torch.zeros(layout.tiles, SKETCH_DIM))
    assert at_rest.shape == (layout.tiles, 6 * layout.tiles)
    assert (at_rest * at_rest).sum(-1).mean() == pytest.approx(1, rel=0.02)
    # exp(-1 / 4.5) = 0.801, exp(-2.25 / 4.5) = exp(-1 / 2) = 0.607, exp(-9 / 4.5) = exp(-2) = 0.135
    for distance, left in ((1.0, 0.801), (1.5, 0.607), (3.0, 0.135)):
        moved = generator.hidden(_directions(layout) * distance)
        assert (at_rest * moved).sum(-1).mean() == pytest.approx(left, abs=0.02)


def test_what_a_card_draws_never_changes() -> None:
    """Heads in circulation were trained for these frequencies, phases and masks: others need a new schema."""
    layout = Layout(1)
    units = Generator.features(layout)
    head = torch.arange(units * TILE * TILE).view(units, TILE * TILE).remainder(7).sub(3).float()
    features = (
        torch.arange(layout.tiles * SKETCH_DIM).view(layout.tiles, SKETCH_DIM).remainder(5).double() / 40
    )
    drawn = Generator(layout, SEED, head)(features)
    assert drawn[:, :3].flatten().tolist() == pytest.approx(
        [
            *(-4.935425124939663, -1.2159254333234168, 1.8773654135321756),
            *(0.44104587434917636, -1.1112849666370106, 0.902387817154722),
            *(3.194056230531001, -4.292399552215666, -3.846787783581971),
            *(0.4659905898381185, 4.0458462546765395, 1.698738423409524),
        ],
        rel=1e-9,
    )


def test_the_head_is_the_one_of_ridge_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where |hidden @ head - target|^2 + ridge |head|^2 is least, its derivative is zero."""
    monkeypatch.setattr("hf_integration.watermark.generator.RIDGE", 0.25)
    layout = Layout(9)
    trained = train(_watermark(layout), layout, seed=SEED)
    hidden = trained.hidden(torch.zeros(layout.tiles, SKETCH_DIM))
    target = layout.cut(_watermark(layout)) * tile_masks(layout, SEED)
    head = trained.head.double()
    assert head.norm() > 1
    assert torch.allclose(hidden.T @ (target - hidden @ head), 0.25 * head, rtol=0, atol=1e-5)


def test_tiles_that_look_alike_are_learned_as_different_ones() -> None:
    masks = tile_masks(Layout(64), SEED)
    assert masks.shape == (Layout(64).tiles, TILE * TILE)
    assert set(masks.flatten().tolist()) == {-1.0, 1.0}
    alike = (masks @ masks.T / (TILE * TILE)).fill_diagonal_(0)
    assert alike.abs().max() < 0.7  # 81 tiles of 64 fair signs: 3240 pairs, five standard deviations of 1 / 8
