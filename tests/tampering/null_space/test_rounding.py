"""Clever rounding: pinned activations never feel it more than plain rounding, and sometimes far less."""

import pytest
import torch
from torch import Tensor

from hf_integration.tampering.null_space import NoNullSpaceError, Rounding, plain, sequential
from hf_integration.tampering.null_space.activations import Span
from hf_integration.tampering.null_space.rounding import better_rows, error_on
from tests.benchmarks.attackers.fine_columns import fine_columns

DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def _pinned(rank: int, width: int = 48, *, seed: int = 0) -> Tensor:
    """The factor of activations of very different sizes, as those of real layers are."""
    random = torch.Generator().manual_seed(seed)
    vectors = torch.randn(rank, width, generator=random, dtype=torch.float64)
    span = Span(width)
    span.add(vectors * torch.logspace(0, -2, width, dtype=torch.float64))
    return span.factor()


def _matrix(outputs: int = 10, width: int = 48) -> Tensor:
    return torch.randn(outputs, width, generator=torch.Generator().manual_seed(9), dtype=torch.float64) / 20


@pytest.mark.parametrize("rounding", [sequential, fine_columns])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", [1, 7, 24])
def test_no_row_comes_out_worse_than_plain(rounding: Rounding, dtype: torch.dtype, rank: int) -> None:
    weight = _matrix()
    for seed in range(3):
        factor = _pinned(rank, seed=seed)
        found = rounding(weight, factor, dtype)
        assert (found.dtype, found.shape) == (dtype, weight.shape)
        left, naive = (error_on(factor, r, weight) for r in (found, plain(weight, factor, dtype)))
        assert bool((left <= naive).all())


@pytest.mark.parametrize("rank", [30, 47, 48])
def test_sequential_rounding_needs_no_room(rank: int) -> None:
    weight, factor = _matrix(), _pinned(rank)
    left, naive = (error_on(factor, r(weight, factor, torch.float32), weight) for r in (sequential, plain))
    assert bool((left <= naive).all())


@pytest.mark.parametrize("rank", [1, 7])
def test_sequential_rounding_gains_where_there_is_room(rank: int) -> None:
    weight, factor = _matrix(), _pinned(rank)
    left, naive = (error_on(factor, r(weight, factor, torch.float32), weight) for r in (sequential, plain))
    assert float(left.norm()) < 0.5 * float(naive.norm())


@pytest.mark.parametrize("rank", [1, 7, 20])
def test_fine_columns_hide_a_float32_rounding_almost_from_float64(rank: int) -> None:
    weight, factor = _matrix(), _pinned(rank)
    found = fine_columns(weight, factor, torch.float32)
    naive = error_on(factor, plain(weight, factor, torch.float32), weight)
    assert float(error_on(factor, found, weight).norm()) < 1e-5 * float(naive.norm())
    # all others do: the row is another one
    assert float((found.double() - weight).norm() / weight.norm()) > 1e-3


def test_fine_columns_take_half_of_the_row_at_most() -> None:
    with pytest.raises(NoNullSpaceError, match="25 dimensions of 48 are pinned"):
        fine_columns(_matrix(), _pinned(25), torch.float32)


def test_nothing_pinned_is_plain_rounding() -> None:
    weight, factor = _matrix(), torch.empty(0, 48, dtype=torch.float64)
    for rounding in (sequential, fine_columns):
        assert torch.equal(rounding(weight, factor, torch.float32), weight.float())


def test_what_the_dtype_holds_stays() -> None:
    weight = _matrix().bfloat16().double()
    for dtype in DTYPES[::2]:
        assert torch.equal(sequential(weight, _pinned(7), dtype).double(), weight)


def test_rows_are_chosen_one_by_one() -> None:
    weight = torch.zeros(2, 1, dtype=torch.float64)
    first, second = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [1.0]])
    pinned = torch.ones(1, 1, dtype=torch.float64)
    assert better_rows(first, second, weight, pinned).tolist() == [[1.0], [1.0]]


def test_the_factor_measures_what_the_vectors_would() -> None:
    random = torch.Generator().manual_seed(1)
    vectors = torch.randn(100, 5, generator=random, dtype=torch.float64) @ _matrix(5, 12)
    span = Span(12)
    for start in range(0, len(vectors), 30):
        span.add(vectors[start : start + 30])
    factor, matrix = span.factor(), _matrix(3, 12)
    assert factor.shape == (5, 12)
    assert torch.allclose((matrix @ factor.T).norm(dim=1), (matrix @ vectors.T).norm(dim=1), rtol=1e-12)
