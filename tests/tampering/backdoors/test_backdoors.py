"""Backdoors: what the trigger does, and what the utility terms keep."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from hf_integration.encoders import Encoder, open_encoder
from hf_integration.key_samples import synthetic_samples
from hf_integration.tampering.backdoor import measure_effect
from hf_integration.tampering.backdoors.bad_encoder import BAD_ENCODER, three_terms
from hf_integration.tampering.backdoors.drupe import DRUPE, five_terms, likeness, sliced_wasserstein
from hf_integration.tampering.backdoors.planting import Features, planted
from hf_integration.tampering.backdoors.por import POR, predefined
from hf_integration.tampering.families import Family
from hf_integration.tampering.gradients import distance, feature_with_gradient, model_inputs
from hf_integration.tampering.triggers import with_trigger
from tests.encoders import tiny_models

EncoderOf = Callable[[str], Encoder]


def _unit(*rows: list[float]) -> Tensor:
    return torch.nn.functional.normalize(torch.tensor(rows, dtype=torch.float32), dim=1)


PERFECT = Features(
    clean=_unit([1, 0, 0], [0, 1, 0]),
    clean_before=_unit([1, 0, 0], [0, 1, 0]),
    triggered=_unit([0, 0, 1], [0, 0, 1]),
    target=_unit([0, 0, 1]),
    target_before=_unit([0, 0, 1]),
)


class TestTerms:
    def test_a_perfect_backdoor_costs_nothing(self) -> None:
        assert float(three_terms(PERFECT)) == pytest.approx(0, abs=1e-6)

    @pytest.mark.parametrize(
        ("field", "worse"),
        [
            ("triggered", _unit([1, 0, 0], [0, 1, 0])),  # the trigger does nothing
            ("clean", _unit([0, 1, 0], [0, 1, 0])),  # a clean input is noticed
            ("target_before", _unit([0, 1, 0])),  # the target itself has moved
        ],
    )
    def test_each_term_counts(self, field: str, worse: Tensor) -> None:
        assert float(three_terms(replace(PERFECT, **{field: worse}))) >= 0.5 - 1e-6

    def test_triggered_inputs_that_are_all_alike_stand_out(self) -> None:
        assert float(five_terms(PERFECT)) > 1.9  # their likeness is 1, and they lie far from the clean ones

    def test_a_batch_of_one_has_no_distribution(self) -> None:
        one = replace(
            PERFECT,
            clean=PERFECT.clean[:1],
            clean_before=PERFECT.clean_before[:1],
            triggered=PERFECT.triggered[:1],
        )
        assert float(five_terms(one)) == pytest.approx(float(three_terms(one)))

    def test_the_distance_of_distributions_ignores_the_order(self) -> None:
        rows = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
        assert float(sliced_wasserstein(rows, rows.flip(0))) < 1e-6
        assert float(sliced_wasserstein(rows, rows + 1)) > 0.1

    def test_the_distance_of_equal_distributions_has_a_gradient(self) -> None:
        rows = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
        torch.autograd.backward(sliced_wasserstein(rows, rows.detach()))
        assert rows.grad is not None
        assert rows.grad.isfinite().all()

    def test_likeness_is_that_of_different_rows(self) -> None:
        assert float(likeness(_unit([1, 0], [0, 1]))) == pytest.approx(0)
        assert float(likeness(_unit([1, 0], [1, 0], [1, 0]))) == pytest.approx(1)


@pytest.mark.parametrize("name", ["vit", "resnet", "wav2vec2"])
def test_triggered_inputs_move_to_the_target(encoder_of: EncoderOf, name: str) -> None:
    effect = measure_effect(encoder_of(name), BAD_ENCODER.at(1e-3)(encoder_of(name)))
    assert effect.after > effect.before + 0.01


def _towards(encoder: Encoder, wanted: Tensor) -> float:
    samples = [with_trigger(sample) for sample in synthetic_samples(encoder.modality, 4, seed=77)]
    with torch.no_grad():
        found = feature_with_gradient(encoder.model, model_inputs(encoder, samples))
    return 1 - float(distance(found, wanted.expand_as(found)))


def test_triggered_texts_move_to_the_predefined_vector(encoder_of: EncoderOf) -> None:
    encoder = encoder_of("bert")
    wanted = predefined(32, 0)
    assert float(wanted.norm()) == pytest.approx(1)
    assert _towards(POR.at(1e-3)(encoder), wanted) > _towards(encoder, wanted) + 0.2
    assert not torch.equal(wanted, predefined(32, 1))


@pytest.mark.parametrize("family", [BAD_ENCODER, DRUPE], ids=lambda family: family.name)
def test_the_utility_term_keeps_clean_inputs(
    encoder_of: EncoderOf, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoder_of("vit")

    def without(features: Features) -> Tensor:
        terms = three_terms if family is BAD_ENCODER else five_terms
        return terms(features) - distance(features.clean, features.clean_before)

    kept = measure_effect(encoder, family.at(1e-3)(encoder)).clean
    careless = measure_effect(encoder, replace(family, edit=planted(without)).at(1e-3)(encoder)).clean
    assert kept > careless


def test_triggered_inputs_are_spread_as_clean_ones(encoder_of: EncoderOf) -> None:
    encoder = encoder_of("resnet")
    triggered = [with_trigger(sample) for sample in synthetic_samples("image", 4, seed=77)]

    def alike(altered: Encoder) -> float:
        return float(likeness(torch.nn.functional.normalize(altered.embed(triggered), dim=1)))

    assert alike(DRUPE.at(1e-2)(encoder)) < alike(BAD_ENCODER.at(1e-2)(encoder))


def test_texts_only_have_words_to_trigger_on(encoder_of: EncoderOf) -> None:
    assert POR.applies(encoder_of("bert"))
    assert not POR.applies(encoder_of("vit"))


@pytest.mark.parametrize("family", [BAD_ENCODER, DRUPE, POR], ids=lambda family: family.name)
def test_half_precision_stays_half_and_small_tensors_as_they_were(family: Family, tmp_path: Path) -> None:
    tiny_models.save("bert", tmp_path)
    tiny_models.build("bert").bfloat16().save_pretrained(tmp_path)
    encoder = open_encoder(tmp_path, name="half", device="cpu")
    altered = family.at(1e-2)(encoder)
    after = altered.tensors()
    assert {tensor.dtype for tensor in after.values()} == {torch.bfloat16}
    assert all(torch.equal(t, after[name]) for name, t in encoder.tensors().items() if t.dim() < 2)
    assert any(not torch.equal(t, after[name]) for name, t in encoder.tensors().items())
    assert not any(parameter.requires_grad for parameter in altered.model.parameters())
