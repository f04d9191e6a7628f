"""Predicted smallest edits against real ones."""

import math
from pathlib import Path

import pytest
import torch

from hf_integration import load_encoder, mint
from hf_integration.base.progress import Silent
from hf_integration.base.vocabulary import Precision
from hf_integration.card import WatermarkCard
from hf_integration.coverage import measurement
from hf_integration.coverage.measurement import measure_sensitivities
from hf_integration.coverage.sensitivity import EDIT, Sensitivity, _by_statistics, size_of
from hf_integration.encoders import Encoder
from hf_integration.key_samples import KeySamples
from hf_integration.stress.altered import watermark_alone
from tests.encoders import tiny_models

OVERSTATED = 300
"""An edit that many times smaller than the predicted one must go unnoticed: the prediction is careful by
``CAUTION`` times the root of samples and strips, and one random projection may miss most of a reaction."""


def breaks(
    encoder: Encoder, card: WatermarkCard, precision: Precision, name: str, place: int, edit: float
) -> bool:
    """Whether one scalar moved by ``edit`` breaks the watermark of a float64 encoder."""
    altered = encoder.duplicate()
    altered.tensors()[name].view(-1)[place] += edit
    return not watermark_alone(altered, card, precision).intact


def strict(encoder: Encoder) -> Encoder:
    """A float64 copy: edits of any size can be made exactly."""
    return encoder.at_precision("float64")


@pytest.fixture(scope="module")
def predicted(pair: tuple[Encoder, WatermarkCard]) -> Sensitivity:
    encoder, card = pair
    return measure_sensitivities(card, encoder, thorough=None, progress=Silent())["float64"]


PLACES = [
    ("encoder.layer.0.attention.self.query.weight", 77),
    ("encoder.layer.0.intermediate.dense.weight", 5),
    ("encoder.layer.1.output.dense.weight", 400),
    ("encoder.layer.1.output.LayerNorm.bias", 3),
    ("embeddings.token_type_embeddings.weight", 7),
]


@pytest.mark.parametrize(("name", "place"), PLACES)
def test_an_edit_of_the_predicted_size_breaks_the_watermark(
    pair: tuple[Encoder, WatermarkCard], predicted: Sensitivity, name: str, place: int
) -> None:
    encoder, card = pair
    edit = 1 / float(predicted.reaction(name).view(-1)[place])
    assert math.isfinite(edit)
    assert breaks(strict(encoder), card, "float64", name, place, edit)
    assert not breaks(strict(encoder), card, "float64", name, place, edit / OVERSTATED)


def test_what_no_key_sample_looks_up_has_no_reaction(
    pair: tuple[Encoder, WatermarkCard], predicted: Sensitivity
) -> None:
    encoder, card = pair
    used = {number for text in card.key_samples for number in encoder.processor(text)["input_ids"]}
    reaction = predicted.reaction("embeddings.word_embeddings.weight")
    met = {row for row in range(len(reaction)) if bool(reaction[row].any())}
    assert met == used
    assert len(used) < len(reaction)


def test_biases_of_attention_keys_have_none_either(
    pair: tuple[Encoder, WatermarkCard], predicted: Sensitivity
) -> None:
    encoder, _ = pair
    biases = encoder.tensors()["encoder.layer.0.attention.self.key.bias"]
    others = predicted.reaction("encoder.layer.0.attention.self.query.bias")
    assert predicted.reaction("encoder.layer.0.attention.self.key.bias").max() < others.min()
    assert biases.numel() == others.numel()


def test_measuring_leaves_encoder_and_gradients_alone(pair: tuple[Encoder, WatermarkCard]) -> None:
    encoder, card = pair
    before = {name: tensor.clone() for name, tensor in encoder.tensors().items()}
    trained = [parameter.requires_grad for parameter in encoder.model.parameters()]
    measure_sensitivities(card, encoder, thorough=2, progress=Silent())
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.tensors().items())
    assert [parameter.requires_grad for parameter in encoder.model.parameters()] == trained
    assert all(parameter.grad is None for parameter in encoder.model.parameters())
    assert encoder.in_process_changes() == ()


def test_running_statistics_are_predicted_though_torch_gives_no_gradient_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
    encoder = load_encoder(str(tiny_models.save("resnet", tmp_path)), device="cpu")
    card = mint(encoder, key_samples=KeySamples(tiny_models.images(8), origin="test"))
    predicted = measure_sensitivities(card, encoder, thorough=None, progress=Silent())["float64"]
    names = [name for name in predicted.sizes if name.endswith(("running_mean", "running_var"))]
    assert len(names) == len([n for n in encoder.tensors() if "running" in n]) > 2
    for name in (names[0], names[1], names[-1]):
        place = int(predicted.reaction(name).argmax())
        edit = 1 / float(predicted.reaction(name)[place])
        assert breaks(strict(encoder), card, "float64", name, place, edit)
        assert not breaks(strict(encoder), card, "float64", name, place, edit / OVERSTATED)


def test_what_rounding_hides_in_float32_a_few_samples_show_in_float64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
    faint = tiny_models.build("bert")
    with torch.no_grad():
        faint.encoder.layer[0].output.dense.weight[:, 5] *= 1e-6  # all that unit 5 is listened to
    tiny_models.save("bert", tmp_path)
    faint.save_pretrained(tmp_path)
    encoder = load_encoder(str(tmp_path), device="cpu")
    card = mint(encoder, key_samples=KeySamples(tiny_models.TEXTS, origin="test"))
    shown = measure_sensitivities(card, encoder, thorough=None, progress=Silent())["float64"]
    monkeypatch.setattr(measurement, "in_float64", lambda noise: dict.fromkeys(noise, 1.0))
    without = measure_sensitivities(card, encoder, thorough=None, progress=Silent())["float64"]
    assert all(bool((sizes >= without.sizes[name]).all()) for name, sizes in shown.sizes.items())
    name = "encoder.layer.0.intermediate.dense.weight"
    assert float(without.reaction(name)[5].max()) == 0 < float(without.reaction(name)[4].min())
    width = len(shown.reaction(name)[5])
    for place in range(0, width, width // 4):
        edit = 1 / float(shown.reaction(name)[5, place])
        assert edit < size_of(encoder.tensors()[name])
        assert breaks(strict(encoder), card, "float64", name, 5 * width + place, edit)


def test_a_part_of_a_tensor_that_cannot_matter_has_no_reaction_in_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
    encoder = load_encoder(str(tiny_models.save("siglip", tmp_path)), device="cpu", modality="image")
    card = mint(encoder, key_samples=KeySamples(tiny_models.images(8), origin="test"))
    name = "head.attention.in_proj_bias"
    found = measure_sensitivities(card, encoder, thorough=None, progress=Silent())["float64"]
    of_queries, of_keys, of_values = (found.reaction(name) * EDIT * size_of(encoder.tensors()[name])).chunk(3)
    assert float(of_keys.max()) == 0  # it adds the same to all scores of a query
    assert min(float(of_queries.min()), float(of_values.min())) > 1


def test_derivatives_by_running_statistics_are_those_of_autograd() -> None:
    # as if mean and variance were parameters, with a variance far from 1
    random = torch.Generator().manual_seed(0)
    layer = torch.nn.BatchNorm2d(3).double().eval()
    with torch.no_grad():
        layer.weight.uniform_(0.5, 2.0, generator=random)
        layer.running_mean = torch.randn(3, generator=random, dtype=torch.float64)
        layer.running_var = torch.tensor([0.01, 1.0, 40.0], dtype=torch.float64)
    given = torch.randn(2, 3, 4, 4, generator=random, dtype=torch.float64)
    direction = torch.randn(2, 3, 4, 4, generator=random, dtype=torch.float64)
    gradients = torch.autograd.grad((layer(given) * direction).sum(), [layer.weight, layer.bias])
    derived = _by_statistics({"n": layer}, dict(zip(("n.weight", "n.bias"), gradients, strict=True)))
    mean, variance = (t.clone().requires_grad_() for t in (layer.running_mean, layer.running_var))
    by_hand = (given - mean[:, None, None]) / (variance + layer.eps).sqrt()[:, None, None]
    by_hand = by_hand * layer.weight[:, None, None] + layer.bias[:, None, None]
    assert torch.allclose(layer(given), by_hand)
    expected = torch.autograd.grad((by_hand * direction).sum(), [mean, variance])
    for name, gradient in zip(("n.running_mean", "n.running_var"), expected, strict=True):
        assert torch.allclose(derived[name].abs(), gradient.abs())
