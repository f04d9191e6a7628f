"""Sketches keep what matters of a feature and are the same everywhere."""

import hashlib

import pytest
import torch

from hf_integration.watermark import SKETCH_DIM, sketch
from hf_integration.watermark.sketch import normals, phases, signs


@pytest.mark.parametrize("width", [1, 63, 64, 65, 384, 5000])
def test_any_width_becomes_the_width_of_a_sketch(width: int) -> None:
    assert sketch(torch.randn(3, width), seed=1, strip="layer 1").shape == (3, SKETCH_DIM)


@pytest.mark.parametrize("width", [1, 64, 384])
def test_a_change_of_any_single_coordinate_changes_the_sketch_by_as_much(width: int) -> None:
    feature = torch.zeros(width, width, dtype=torch.float64)
    feature.fill_diagonal_(1e-13)
    assert torch.allclose(sketch(feature, seed=1, strip="s").norm(dim=1), torch.tensor(1e-13).double())


def test_squared_norms_are_kept_in_expectation() -> None:
    features = torch.randn(2000, 384, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ratio = sketch(features, seed=1, strip="s").pow(2).sum(1) / features.pow(2).sum(1)
    assert ratio.mean() == pytest.approx(1, abs=0.02)


def test_every_strip_and_every_seed_has_signs_of_its_own() -> None:
    feature = torch.randn(1, 384)
    sketches = [sketch(feature, seed=s, strip=n) for s, n in ((1, "a"), (1, "b"), (2, "a"))]
    assert not torch.equal(sketches[0], sketches[1])
    assert not torch.equal(sketches[0], sketches[2])


def test_deterministic_numbers_never_change() -> None:
    """Cards in circulation depend on these bits: a new algorithm needs a new schema version."""
    numbers = torch.cat([signs(7, "x", 100), phases(7, "x", 5, 6).flatten(), normals(7, "x", 5, 6).flatten()])
    digest = hashlib.sha256(numbers.numpy().tobytes()).hexdigest()
    assert digest == "922baef46c51728741fbc5e8758f6ebe7edeca29320f893c0c376136cbb1499c"


def test_normals_have_zero_mean_and_unit_variance() -> None:
    sample = normals(3, "n", 300, 300)
    assert sample.mean() == pytest.approx(0, abs=0.02)
    assert sample.var() == pytest.approx(1, abs=0.02)
