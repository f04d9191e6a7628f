"""Coverage as a card records it."""

import math

import pytest
import torch

from hf_integration.base.progress import Silent
from hf_integration.card import WatermarkCard
from hf_integration.card.coverage import Coverage, NotMeasured
from hf_integration.coverage import measurement
from hf_integration.coverage.measurement import graph_of, lookup_tables, measure_coverage
from hf_integration.coverage.sensitivity import EDIT, Sensitivity, count, inert_among, size_of
from hf_integration.encoders import Encoder


def test_a_minted_card_states_its_coverage(pair: tuple[Encoder, WatermarkCard]) -> None:
    encoder, card = pair
    coverage = card.coverage
    assert isinstance(coverage, Coverage)
    assert coverage.edit == EDIT
    scalars = sum(tensor.numel() for tensor in encoder.tensors().values() if tensor.is_floating_point())
    for totals in coverage.precisions.values():
        assert 0 < totals.covered <= totals.met < totals.scalars == scalars
    strict, single = coverage.precisions["float64"], coverage.precisions["float32"]
    assert strict.covered >= single.covered
    assert strict.tensors_covered == strict.tensors
    assert all(name.endswith("key.bias") for name in coverage.cannot_matter)
    assert len(coverage.cannot_matter) == 2
    missed, rows = coverage.rows_without_key_sample["embeddings.word_embeddings.weight"]
    assert 0 < missed < rows


def test_a_scalar_is_covered_from_an_edit_of_a_tenth_of_its_tensors_size_on() -> None:
    tensor = torch.full((4,), -2.0)
    assert size_of(tensor) == 2.0
    edge = 1 / (EDIT * 2)
    reaction = torch.tensor([edge * 1.01, edge * 0.99, 0.0, math.inf])
    (found,) = count(Sensitivity({"w": reaction}), {"w": tensor}, frozenset())
    assert (found.scalars, found.covered, found.met) == (4, 2, 4)


def test_what_was_not_measured_is_not_covered() -> None:
    (found,) = count(Sensitivity(), {"w": torch.ones(3)}, frozenset())
    assert (found.covered, found.met) == (0, 3)


def test_rows_that_no_key_sample_looks_up_are_told_apart() -> None:
    reaction = torch.tensor([[9.0, 9.0], [0.0, 0.0], [9.0, 0.0]])
    (found,) = count(Sensitivity({"t": reaction}), {"t": torch.full((3, 2), 5.0)}, frozenset({"t"}))
    assert (found.rows, found.rows_unmet, found.met, found.covered) == (3, 1, 4, 3)


@pytest.mark.parametrize(
    ("name", "inert"), [("layer.0.key.bias", True), ("layer.0.query.bias", False), ("monkey.bias", False)]
)
def test_only_biases_of_attention_keys_are_said_to_be_without_influence(name: str, *, inert: bool) -> None:
    found = count(Sensitivity({name: torch.zeros(2)}), {name: torch.ones(2)}, frozenset())
    assert bool(inert_among(found)) is inert


def test_a_bias_of_attention_keys_that_the_strict_check_reacts_to_is_not() -> None:
    reactions = Sensitivity({"key.bias": torch.full((2,), 1e6)})
    assert inert_among(count(reactions, {"key.bias": torch.ones(2)}, frozenset())) == ()


def test_tables_are_found_by_their_modules(pair: tuple[Encoder, WatermarkCard]) -> None:
    assert "embeddings.word_embeddings.weight" in lookup_tables(pair[0])
    assert "encoder.layer.0.intermediate.dense.weight" not in lookup_tables(pair[0])


def test_what_is_partly_covered_is_listed_with_its_counts() -> None:
    tensors = {"a": torch.ones(4), "b": torch.ones(2)}
    reactions = Sensitivity({"a": torch.tensor([99.0, 99.0, 99.0, 0.0]), "b": torch.full((2,), 99.0)})
    totals = measurement._totals(count(reactions, tensors, frozenset()), ())
    assert totals.partly_covered == {"a": (3, 4)}
    assert (totals.scalars, totals.met, totals.covered) == (6, 6, 5)
    assert (totals.tensors, totals.tensors_covered) == (2, 2)


def test_a_small_tensor_is_judged_by_its_own_size() -> None:
    tensor = torch.full((1,), 1e-6)
    for reaction, covered in ((1.1 / (EDIT * 1e-6), 1), (0.9 / (EDIT * 1e-6), 0)):
        (found,) = count(Sensitivity({"w": torch.tensor([reaction])}), {"w": tensor}, frozenset())
        assert found.covered == covered


def test_too_little_memory_is_said_and_not_tried(
    pair: tuple[Encoder, WatermarkCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, card = pair
    held = encoder.description.parameters * measurement.BYTES_PER_SCALAR
    each = graph_of(encoder, card.key_samples).whole
    monkeypatch.setattr(measurement, "available_memory", lambda: float(held + each - 1))
    coverage = measure_coverage(card, encoder, progress=Silent())
    assert isinstance(coverage, NotMeasured)
    assert "memory" in coverage.reason
    monkeypatch.setattr(measurement, "available_memory", lambda: float(held + each))
    assert isinstance(measure_coverage(card, encoder, progress=Silent()), Coverage)


def test_layers_that_compute_again_make_no_larger_batches(
    pair: tuple[Encoder, WatermarkCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, card = pair
    whole = graph_of(encoder, card.key_samples).whole
    monkeypatch.setattr(measurement, "MOST_GRAPH", 3 * whole)
    monkeypatch.setattr(measurement, "LONG", 1000)  # none is run by itself
    for kept_whole, again in ((100 * whole, False), (whole, True)):
        monkeypatch.setattr(measurement, "KEPT_WHOLE", kept_whole)
        passes, _ = measurement._passes(card, encoder, room=1e12)
        assert (passes.batch_size, passes.recomputing[0]) == (3, again)


def test_the_memory_of_a_graph_is_what_its_activations_take(pair: tuple[Encoder, WatermarkCard]) -> None:
    encoder, _ = pair
    trained = [parameter.requires_grad for parameter in encoder.model.parameters()]
    short, long = (graph_of(encoder, ["sea " * words]).whole for words in (2, 20))
    width, layers = encoder.description.embedding_dim, 2
    assert long > 20 * width * 8 * layers  # at least every layer's output
    assert 4 * short < long < 20 * short
    assert [parameter.requires_grad for parameter in encoder.model.parameters()] == trained
