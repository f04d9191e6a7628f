"""Tolerances as absolute numbers, worked out by hand.

Tests that calibrate and judge with the same code cannot see a tolerance that is four times too wide. Here
every expected number comes from the arithmetic in the comment beside it, with 64 dimensions per sketch, so
that a row of one value everywhere has eight times that value as its norm.
"""

import pytest
import torch
from torch import Tensor

from hf_integration.watermark import SKETCH_DIM, Layout, calibrate
from hf_integration.watermark.calibration import as_mean_over, evened

KEYS = 16
EPSILON = 1e-16


def _exactly(*values: float) -> object:
    return pytest.approx(values, rel=1e-12, abs=0)


def _rows(*values: float) -> Tensor:
    """One row per value, the same in all 64 dimensions: of norm 8 |value|."""
    return torch.tensor(values, dtype=torch.float64)[:, None].expand(-1, SKETCH_DIM).clone()


REFERENCE = _rows(*[1.0] * KEYS)


class TestNoise:
    def test_without_benign_runs_is_half_an_epsilon_of_the_median_size_shared_by_all_dimensions(self) -> None:
        noise = calibrate([], _rows(1, 2, 3), epsilon=EPSILON).noise
        # the median sample has norm 16: 0.5 * 1e-16 * 16 / sqrt(64) = 1e-16
        assert noise.dtype == torch.float64
        assert noise.tolist() == _exactly(*[1e-16] * 64)

    def test_of_a_strip_of_zeros_is_the_smallest_that_can_be_divided_by(self) -> None:
        calibration = calibrate([], _rows(0, 0), epsilon=EPSILON)
        assert calibration.noise.tolist() == _exactly(*[1e-200] * 64)
        assert calibration.scales[0] == pytest.approx(64)  # 8 times the norm of 64 ones

    def test_is_the_root_mean_square_over_samples_and_runs(self) -> None:
        benign = [_rows(*[1e-6] * KEYS), _rows(*[2e-6, -2e-6] * 8)]
        noise = calibrate(benign, REFERENCE, epsilon=EPSILON).noise
        # sqrt((1 + 4) / 2) * 1e-6
        assert noise.tolist() == _exactly(*[1.5811388300841898e-6] * 64)

    def test_is_not_thinned_by_runs_that_did_not_move(self) -> None:
        still = torch.zeros(KEYS, SKETCH_DIM, dtype=torch.float64)
        noise = calibrate([_rows(*[1e-6] * KEYS), still, still], REFERENCE, epsilon=EPSILON).noise
        assert noise.tolist() == _exactly(*[1e-6] * 64)

    def test_of_quiet_dimensions_is_raised_to_half_the_median_and_no_further(self) -> None:
        run = _rows(*[1e-6] * KEYS)
        run[:, 3] = 0
        run[:, 4] = 0.49e-6
        run[:, 5] = 0.51e-6
        run[:, 6] = 100e-6
        noise = calibrate([run], REFERENCE, epsilon=EPSILON).noise
        assert noise[:8].tolist() == _exactly(1e-6, 1e-6, 1e-6, 0.5e-6, 0.5e-6, 0.51e-6, 100e-6, 1e-6)

    def test_is_never_less_than_rounding(self) -> None:
        noise = calibrate([_rows(*[1e-20] * KEYS)], REFERENCE, epsilon=EPSILON).noise
        assert noise.tolist() == _exactly(*[0.5e-16] * 64)  # 0.5 * 1e-16 * 8 / 8

    def test_follows_the_precision(self) -> None:
        double = calibrate([], REFERENCE, epsilon=torch.finfo(torch.float64).eps).noise[0]
        single = calibrate([], REFERENCE, epsilon=torch.finfo(torch.float32).eps).noise[0]
        assert (float(double), float(single)) == (2.0**-53, 2.0**-24)  # half of 2^-52 and of 2^-23


class TestScales:
    """In the order of a key's tile, a group's and the one of all."""

    def test_are_eight_times_the_largest_benign_deviation(self) -> None:
        scales = calibrate([_rows(*[1e-6] * KEYS)], REFERENCE, epsilon=EPSILON).scales
        assert scales.tolist() == _exactly(64, 64, 64)  # one noise in each of 64 dimensions: 8 * 8

    def test_are_of_the_largest_key_the_largest_group_and_the_mean_of_all(self) -> None:
        run = _rows(*[3e-6, -1e-6, 1e-6, 1e-6], *[-1e-6] * 4, *[1e-6] * 8)
        scales = calibrate([run], REFERENCE, epsilon=EPSILON).scales
        # squares: one of 9 and 15 of 1, so the noise is sqrt(24 / 16) * 1e-6 = 1.2247e-6
        # key: 3; groups: 3 - 1 + 1 + 1 - 4 = 0 of 8, 8 of 8 = 1; all: 8 of 16 = 0.5; times 64 / 1.2247
        assert scales.tolist() == _exactly(*[64 * part / 1.5**0.5 for part in (3, 1, 0.5)])

    def test_are_of_the_largest_run(self) -> None:
        benign = [_rows(*[1e-6] * KEYS), _rows(*[2e-6, -2e-6] * 8)]
        scales = calibrate(benign, REFERENCE, epsilon=EPSILON).scales
        # noise 1.5811e-6; the second run has the larger keys, and means of nothing
        assert scales.tolist() == _exactly(64 * 2 / 2.5**0.5, 64 / 2.5**0.5, 64 / 2.5**0.5)

    @pytest.mark.parametrize("benign", [[], [torch.zeros(4, SKETCH_DIM, dtype=torch.float64)]])
    @pytest.mark.parametrize(
        ("keys", "group", "overall"),
        [(1, 64.0, 64.0), (4, 32.0, 32.0), (16, 64 / 8**0.5, 16.0), (64, 64 / 8**0.5, 8.0)],
    )
    def test_leave_room_for_rounding_averaged_as_the_tiles_average(
        self, benign: list[Tensor], keys: int, group: float, overall: float
    ) -> None:
        """64 for one key; a mean over ``n`` keys has ``sqrt(n)`` times less, and a group has at most 8."""
        benign = [run[:keys] for run in benign]
        scales = calibrate(benign, _rows(*[1.0] * keys), epsilon=EPSILON).scales
        assert scales.dtype == torch.float64
        assert scales.tolist() == _exactly(64, group, overall)

    def test_have_the_room_for_rounding_also_where_means_came_out_exact(self) -> None:
        """Two groups that moved as far in opposite ways: the mean of all is zero, its tolerance is not."""
        scales = calibrate([_rows(*[1e-6] * 8, *[-1e-6] * 8)], REFERENCE, epsilon=EPSILON).scales
        # rounding is 0.5e-16 in each dimension, the noise 1e-6: 8 * 8 * 0.5e-10 / sqrt(16)
        assert scales.tolist() == _exactly(64, 64, 8e-10)

    def test_count_rounding_in_units_of_each_dimensions_noise(self) -> None:
        run = torch.zeros(KEYS, SKETCH_DIM, dtype=torch.float64)
        run[:, 0] = 1e-16  # twice the rounding of 0.5e-16; 63 dimensions never move
        scales = calibrate([run], REFERENCE, epsilon=EPSILON).scales
        assert scales[0] == pytest.approx(8 * (63 + 1 / 4) ** 0.5, rel=1e-12)

    def test_follow_the_safety_that_is_asked_for(self) -> None:
        scales = calibrate([_rows(*[1e-6] * KEYS)], REFERENCE, epsilon=EPSILON, safety=2.0).scales
        assert scales.tolist() == _exactly(16, 16, 16)


class TestTheEdge:
    def test_is_eight_times_the_benign_deviation(self) -> None:
        calibration = calibrate([_rows(*[1e-6] * KEYS)], REFERENCE, epsilon=EPSILON)
        features = calibration.normalise(_rows(*[8e-6] * KEYS), REFERENCE, Layout(KEYS))
        assert features.norm(dim=1).tolist() == _exactly(*[1.0] * Layout(KEYS).tiles)

    def test_of_a_strip_that_never_moved_is_four_epsilon_for_a_key_and_one_for_the_mean_of_16(self) -> None:
        calibration = calibrate([], REFERENCE, epsilon=EPSILON)
        distances = calibration.normalise(_rows(*[1e-16] * KEYS), REFERENCE, Layout(KEYS)).norm(dim=1)
        # 2 noises in each dimension are 16; of 64, of 64 / sqrt(8), of 16
        assert distances[0] == pytest.approx(1 / 4, rel=1e-12)
        assert distances[KEYS] == pytest.approx(8**0.5 / 4, rel=1e-12)
        assert distances[-1] == pytest.approx(1, rel=1e-12)

    def test_is_wider_for_a_sample_with_large_features_and_not_narrower_for_one_with_small(self) -> None:
        reference = _rows(*[1.0] * 14, 4.0, 0.25)
        calibration = calibrate([], reference, epsilon=EPSILON)
        distances = calibration.normalise(_rows(*[1e-16] * KEYS), reference, Layout(KEYS)).norm(dim=1)
        assert distances[13:16].tolist() == _exactly(1 / 4, 1 / 16, 1 / 4)


def test_large_samples_are_scaled_down_to_the_median_and_small_ones_left_alone() -> None:
    # sizes 16, 32, 64, 128: the median of an even number is the lower one, 32
    scaled = evened(_rows(1, 1, 1, 1), _rows(2, 4, 8, 16))
    assert torch.equal(scaled, _rows(1, 1, 1 / 2, 1 / 4))


def test_benign_runs_are_evened_before_they_are_measured() -> None:
    reference = _rows(*[1.0] * 12, *[4.0] * 4)
    benign = [_rows(*[1e-6] * 12, *[4e-6] * 4)]  # rounding in proportion to the features
    calibration = calibrate(benign, reference, epsilon=EPSILON)
    assert calibration.noise.tolist() == _exactly(*[1e-6] * 64)
    assert calibration.scales.tolist() == _exactly(64, 64, 64)


class TestMeansOverMoreSamplesThanWereRun:
    """Two samples, ``mean + d`` and ``mean - d``: they vary by 2 |d|^2, their mean by half of that."""

    @pytest.mark.parametrize("scale", [1.0, 1e-9, 1e9])
    @pytest.mark.parametrize(
        ("mean", "deviation", "expected"),
        [
            # one dimension: shared from 1 + sqrt(2) = 2.41 times |d|^2 on
            ([2.0], [1.0], 3.25**0.5),  # 4: shared 4 - 1, and 2 / 8 that varies
            ([1.6], [1.0], 1.81**0.5),  # 2.56: shared 1.56
            ([1.5], [1.0], 0.5),  # 2.25: none, 2 / 8 is left
            # two dimensions: from 1 + sqrt(2 / 2) = 2 times on
            ([1.5, 0.0], [0.0, 1.0], 1.5**0.5),  # 2.25: shared 1.25
            ([1.4, 0.0], [0.0, 1.0], 0.5),  # 1.96: none
            ([2.0, 0.0], [1.0, 1.0], 0.5**0.5),  # exactly at the limit of 2 * 2: none, and 4 / 8 is left
            # a mean that is smaller than chance makes it is left as it is, not made larger
            ([0.25], [1.0], 0.25),
        ],
    )
    def test_keep_what_is_shared_and_an_eighth_of_what_varies(
        self, mean: list[float], deviation: list[float], expected: float, scale: float
    ) -> None:
        centre, apart = (torch.tensor(row, dtype=torch.float64) * scale for row in (mean, deviation))
        found = as_mean_over(torch.stack([centre + apart, centre - apart]), 8)
        assert float(found.mean(0).norm()) == pytest.approx(expected * scale, rel=1e-9)
        assert torch.allclose(found[0] - found[1], 2 * apart, rtol=1e-9)

    def test_count_in_the_tolerance_of_the_mean_and_nowhere_else(self) -> None:
        run = torch.zeros(2, SKETCH_DIM, dtype=torch.float64)
        run[:, :32], run[0, 32:], run[1, 32:] = 1e-6, 1e-6, -1e-6
        scales = calibrate([run], _rows(*[1.0] * 8), epsilon=EPSILON).scales
        # in units of the noise: mean^2 = 32, varying 2 * 32, by chance 32 * (1 + sqrt(2 / 64)) = 37.7:
        # no part is shared
        # a key has 8, the group of two sqrt(32), all eight sqrt(64 / 8) = sqrt(8)
        assert scales.tolist() == _exactly(64, 8 * 32**0.5, 8 * 8**0.5)

    def test_are_left_alone_where_a_run_is_not_finite(self) -> None:
        run = torch.tensor([[torch.inf], [1.0]], dtype=torch.float64)
        assert torch.equal(as_mean_over(run, 8), run)
