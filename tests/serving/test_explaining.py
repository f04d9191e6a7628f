"""What is said of answers beside the recipe: which texts it does not explain, and what noise is left."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.computing import Computed, simplified
from hf_integration.serving.explaining import explain
from hf_integration.serving.presets import least_noise, presets
from hf_integration.serving.recipe import PLAIN, Recipe
from hf_integration.tampering.weights.fine_tuning import fine_tune
from tests.serving import small_encoders
from tests.serving.small_encoders import OWN_LENGTH, WIDTH

SAMPLES = small_encoders.samples(24)
TEXTS = [str(sample) for sample in SAMPLES]
NOISY = [one for one in presets().values() if one.noise > least_noise(one.recipe)]


def answered(encoder: TorchEncoder, recipe: Recipe, noise: float = 0.0) -> Tensor:
    """Of a deployment that computes in float32, with so much noise in random directions."""
    found = Computed(encoder, recipe).embed(TEXTS, precision=recipe.arithmetic).float().double()
    drawn = torch.randn(found.shape, generator=torch.Generator().manual_seed(5)).double()
    answers: Tensor = found + noise * F.normalize(drawn, dim=1) * found.norm(dim=1, keepdim=True)
    return answers


@pytest.mark.parametrize("dimensions", [8, 16, WIDTH - 1])
def test_dimensions_that_are_cut_and_not_scaled_again_are_named(
    dimensions: int, encoder: TorchEncoder
) -> None:
    best = explain(encoder, SAMPLES, answered(encoder, PLAIN)[:, :dimensions])[0]
    assert best.fits
    assert best.match.recipe == PLAIN.but(dimensions=dimensions)


@pytest.mark.parametrize("changes", [{}, {"normalised": False}, {"dimensions": 16}], ids=str)
def test_a_server_with_the_noise_of_a_known_one_is_not_taken_for_half_precision(
    changes: dict[str, Any], encoder: TorchEncoder
) -> None:
    """The candle backend of text-embeddings-inference does not scale, and is as noisy as its router."""
    noise = presets()["tei"].noise
    best = explain(encoder, SAMPLES, answered(encoder, PLAIN.but(gelu="tanh", **changes), noise))[0]
    assert best.fits
    assert best.match.recipe == PLAIN.but(gelu="tanh", **changes)
    assert best.but == ""


def test_some_known_runtimes_are_noisy() -> None:
    assert {one.name for one in NOISY} == {"llamacpp", "llamacpp-f32"}


@pytest.mark.parametrize("name", [one.name for one in NOISY])
def test_a_noisy_runtime_is_named_with_its_noise(name: str, encoder: TorchEncoder) -> None:
    known = presets()[name]
    recipe = simplified(encoder, known.recipe)
    best = explain(encoder, SAMPLES, answered(encoder, recipe, known.noise))[0]
    assert best.fits
    assert best.match.recipe.gelu == recipe.gelu
    assert best.but.endswith(f"what is left is no more than the noise of {best.preset}")


@pytest.mark.parametrize("rate", [1e-6, 1e-4])
def test_the_noise_of_some_runtime_excuses_no_altered_encoder_that_computes_otherwise(
    rate: float, encoder: TorchEncoder
) -> None:
    copy = encoder.duplicate()
    fine_tune(1)(copy, rate, 0)
    found = explain(encoder, SAMPLES, answered(copy, PLAIN))
    assert not any(one.fits for one in found if one.match.recipe.arithmetic == "float32")


def test_texts_that_are_cut_in_an_unknown_way_are_said_to_be(encoder: TorchEncoder) -> None:
    counts = [len(text.split()) + 2 for text in TEXTS]
    long = [place for place, count in enumerate(counts) if count > OWN_LENGTH]
    assert 0 < len(long) <= len(TEXTS) - 8
    answers = answered(encoder, PLAIN)
    answers[long] = answered(encoder, PLAIN.but(pooling="cls"))[long]
    best = explain(encoder, SAMPLES, answers)[0]
    assert best.fits
    assert best.words == "torch: as the encoder itself; longer texts are cut in an unknown way"


def test_one_short_text_that_is_answered_otherwise_is_explained_by_nothing(encoder: TorchEncoder) -> None:
    answers = answered(encoder, PLAIN)
    shortest = min(range(len(TEXTS)), key=lambda place: len(TEXTS[place].split()))
    answers[shortest] = answers[shortest].roll(1)
    assert not any(one.fits for one in explain(encoder, SAMPLES, answers))
