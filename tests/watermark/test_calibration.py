"""Tolerances follow from benign runs, and from rounding where nothing was seen to move."""

import pytest
import torch
from torch import Tensor

from hf_integration.watermark import SKETCH_DIM, Layout, calibrate
from hf_integration.watermark.calibration import as_mean_over

KEYS = 16
EPSILON = torch.finfo(torch.float64).eps


def _noise(scale: float, seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(KEYS, SKETCH_DIM, generator=random, dtype=torch.float64).mul(scale).double()


REFERENCE = _noise(1.0, 99)


def _distances(residuals: Tensor, benign: list[Tensor], safety: float = 8.0) -> Tensor:
    calibration = calibrate(benign, REFERENCE, epsilon=EPSILON, safety=safety)
    features: Tensor = calibration.normalise(residuals, REFERENCE, Layout(KEYS))
    distances: Tensor = features.norm(dim=1)
    return distances


def test_the_largest_benign_run_lies_at_one_over_the_safety_factor() -> None:
    benign = [_noise(1e-6, seed) for seed in range(5)]
    largest = torch.stack([_distances(run, benign) for run in benign]).amax(0)
    for kind in range(3):
        assert largest[Layout(KEYS).kinds == kind].max() == pytest.approx(1 / 8)


def test_a_common_shift_is_seen_by_the_mean_long_before_any_single_key_sees_it() -> None:
    benign = [_noise(1e-6, seed) for seed in range(5)]
    shift = torch.full((KEYS, SKETCH_DIM), 6e-6, dtype=torch.float64)
    distances = _distances(shift, benign)
    assert distances[-1] > 2.5 * distances[0]


def test_a_strip_that_never_moved_still_tolerates_rounding_and_nothing_more() -> None:
    still = [torch.zeros(KEYS, SKETCH_DIM, dtype=torch.float64)]
    direction = REFERENCE / REFERENCE.norm(dim=1, keepdim=True) * REFERENCE.norm(dim=1).median()
    assert _distances(direction * EPSILON, still)[:KEYS].max() < 1
    assert _distances(direction * EPSILON * 8, still)[:KEYS].min() > 1


def test_a_dead_dimension_is_checked_without_becoming_the_whole_statistic() -> None:
    benign = [_noise(1e-6, seed) for seed in range(5)]
    for run in benign:
        run[:, 3] = 0
    other = _noise(1e-6, 50)
    other[:, 3] = 1e-10  # a whisper in a dimension that never moved
    assert _distances(other, benign).max() < 1
    other[:, 3] = 1e-5  # as large as an alteration elsewhere
    assert _distances(other, benign).max() > 1


def test_a_strip_that_is_zero_throughout_divides_by_nothing() -> None:
    zero = torch.zeros(KEYS, SKETCH_DIM, dtype=torch.float64)
    calibration = calibrate([zero], zero, epsilon=EPSILON)
    assert calibration.normalise(zero, zero, Layout(KEYS)).norm() == 0
    assert calibration.normalise(zero + 1e-30, zero, Layout(KEYS)).norm() > 1


@pytest.mark.parametrize("samples", [16, 32, 64])
def test_benign_runs_on_fewer_samples_tolerate_what_runs_on_all_do(samples: int) -> None:
    random = torch.Generator().manual_seed(1)
    reference = torch.ones(64, SKETCH_DIM, dtype=torch.float64)
    run = torch.randn(64, SKETCH_DIM, generator=random, dtype=torch.float64)
    whole = calibrate([run], reference, epsilon=1e-16)
    fewer = calibrate([run[:samples]], reference, epsilon=1e-16)
    assert torch.allclose(fewer.scales, whole.scales, rtol=0.35)


def _mean(run: Tensor, keys: int) -> float:
    return float(as_mean_over(run, keys).mean(0).norm())


def test_what_all_samples_share_does_not_average_out() -> None:
    shift = torch.ones(16, SKETCH_DIM, dtype=torch.float64)
    assert torch.equal(as_mean_over(shift, 64), shift)
    both = shift + _noise(1.0, 1)  # the mean over 1024 samples would be all but free of the noise
    assert _mean(both, 1024) == pytest.approx(float(shift[0].norm()), rel=0.1)


@pytest.mark.parametrize("seed", range(20))
def test_what_differs_from_sample_to_sample_does(seed: int) -> None:
    run = _noise(1.0, seed)
    assert 1.0 <= _mean(run, 64) * 64**0.5 / SKETCH_DIM**0.5 * 1.2 <= 2.0


def test_samples_are_left_as_they_are_where_there_is_nothing_to_extrapolate() -> None:
    run = _noise(1.0, 2)
    assert torch.equal(as_mean_over(run, 16), run)
    assert torch.equal(as_mean_over(run, 8), run)
    assert torch.equal(as_mean_over(run[:1], 64), run[:1])
    zero = torch.zeros_like(run)
    assert torch.equal(as_mean_over(zero, 64), zero)
