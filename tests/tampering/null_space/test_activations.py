"""Spans of vectors that come in batches."""

import torch

from hf_integration.tampering.null_space.activations import Span, outside

RANDOM = torch.Generator().manual_seed(0)


def _vectors(count: int, rank: int, width: int = 12) -> torch.Tensor:
    factors = torch.randn(rank, width, generator=RANDOM, dtype=torch.float64)
    return torch.randn(count, rank, generator=RANDOM, dtype=torch.float64) @ factors


def test_the_rank_is_found_however_the_vectors_come() -> None:
    for rank in (1, 5, 11):
        vectors = _vectors(200, rank)
        for batch in (1, 7, 200):
            span = Span(12)
            for start in range(0, 200, batch):
                span.add(vectors[start : start + batch])
            basis = span.basis()
            assert basis.shape == (rank, 12)
            assert span.count == 200
            assert not span.full
            assert float(outside(vectors, basis).abs().max()) < 1e-13 * float(vectors.abs().max())
            assert torch.allclose(basis @ basis.T, torch.eye(rank, dtype=torch.float64))


def test_one_direction_that_is_a_billion_times_smaller_still_counts() -> None:
    vectors = _vectors(100, 12)
    vectors[:, -1] *= 1e-9
    span = Span(12)
    span.add(vectors)
    assert span.full
    assert span.basis().shape == (12, 12)


def test_a_full_span_leaves_nothing_outside() -> None:
    span = Span(12)
    span.add(_vectors(24, 12))
    span.add(_vectors(3, 3))
    assert not outside(_vectors(4, 4), span.basis()).any()


def test_twelve_vectors_fill_twelve_dimensions_and_eleven_do_not() -> None:
    for count in (11, 12):
        span = Span(12)
        span.add(_vectors(count, 12))
        assert len(span.basis()) == count


def test_no_vectors_span_nothing() -> None:
    span = Span(3)
    span.add(torch.empty(0, 3, dtype=torch.float64))
    assert span.basis().shape == (0, 3)
    vector = torch.ones(1, 3, dtype=torch.float64)
    assert torch.equal(outside(vector, span.basis()), vector)
