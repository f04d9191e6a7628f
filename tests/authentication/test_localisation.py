"""Where an alteration lies."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from hf_integration import authenticate
from hf_integration.authentication.diagnosis import layer_of, locate
from hf_integration.verdict import TensorEvidence
from tests.authentication.conftest import Minted

NAMES = ("embeddings.w", "encoder.norm", "encoder.layer.0.w", "encoder.layer.1.w", "final.w")


@pytest.mark.parametrize(
    ("tensor", "layer"),
    [
        ("encoder.layer.0.attention.self.key.weight", 1),
        ("vision_model.encoder.layers.11.mlp.fc1.bias", 12),
        ("encoder.stages.2.layers.0.layer.1.convolution.weight", 3),
        ("encoder.layers.0.blocks.1.output.dense.weight", 1),
        ("feature_extractor.conv_layers.3.conv.weight", None),
        ("embeddings.word_embeddings.weight", None),
        ("layers.9.weight", 10),
        ("blocks.0.attn.weight", 1),
        ("encoder.layers.weight", None),
    ],
)
def test_a_tensor_belongs_to_the_outermost_numbered_layer(tensor: str, layer: int | None) -> None:
    assert layer_of(tensor) == layer


EVERY = "every tensor differs: another model, or one that was fine-tuned as a whole"
ALMOST = "almost every tensor differs: another model, or one that was fine-tuned as a whole"
UNNOTICED = "no key sample noticed: the edit is too small, or where none of them reaches"
BEGINS = "the deviation begins at strip 'layer 1'; the strips before it are within the tolerance"
PROCESSOR = (
    "the deviation begins in the processor (tokenizer, image or audio processing): the model sees other "
    "inputs"
)


def _evidence(changed: int = 0, checked: int = 20, **others: Any) -> TensorEvidence:
    return TensorEvidence(checked, tuple(f"encoder.layer.{i}.w" for i in range(changed)), **others)


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (NAMES, EVERY),
        (NAMES[2:3], "one tensor was edited: encoder.layer.0.w"),
        (("encoder.layer.1.a", "encoder.layer.1.b"), "all tensors that differ belong to layer 2"),
        (
            ("embeddings.a", "embeddings.b"),
            "the tensors that differ belong to no layer: embeddings, or what follows the last layer",
        ),
        (
            ("encoder.layer.0.a", "encoder.layer.1.b"),
            "tensors of 2 parts of the encoder differ: several layers were edited or trained",
        ),
        (
            ("encoder.layer.0.a", "embeddings.a"),
            "tensors of 2 parts of the encoder differ: several layers were edited or trained",
        ),
    ],
)
def test_how_much_differs_is_said(changed: tuple[str, ...], line: str) -> None:
    assert locate("layer 1", TensorEvidence(checked=len(NAMES), changed=changed))[0] == line


@pytest.mark.parametrize(
    ("changed", "lines"),
    [
        (20, [EVERY]),
        (18, [ALMOST]),  # nine tenths of 20: where a whole model was trained no layer is where it begins
        (17, ["tensors of 17 parts of the encoder differ: several layers were edited or trained", BEGINS]),
        (0, [BEGINS]),
    ],
)
def test_from_nine_tenths_on_the_encoder_is_altered_as_a_whole(changed: int, lines: list[str]) -> None:
    assert locate("layer 1", _evidence(changed)) == lines


def test_of_a_single_tensor_that_differs_none_is_left_for_the_edit_to_begin_in() -> None:
    assert locate("layer 1", _evidence(1, checked=1)) == [EVERY]


def test_where_nothing_was_compared_the_strip_still_tells() -> None:
    assert locate("layer 1", _evidence(checked=0)) == [BEGINS]
    assert locate(None, _evidence(checked=0)) == []


def test_nothing_different_has_nothing_to_say() -> None:
    assert locate(None, _evidence()) == []


def test_a_deviation_that_begins_in_the_processor_is_said_first() -> None:
    assert locate("processor", _evidence()) == [PROCESSOR]
    assert locate("processor", _evidence(1)) == [PROCESSOR, "one tensor was edited: encoder.layer.0.w"]


def test_tensors_of_one_side_only_are_counted_with_an_example_each() -> None:
    evidence = _evidence(missing=("pooler.a", "pooler.b"), unexpected=("adapter.c", "adapter.d", "adapter.e"))
    missing = "2 tensors of the card are missing, such as pooler.a"
    new = "3 tensors are new, such as adapter.c"
    assert locate("layer 1", evidence) == [missing, new, BEGINS]
    assert locate(None, evidence) == [missing, new, UNNOTICED]


def test_an_edit_that_no_key_sample_noticed_is_said_to_be_that() -> None:
    assert locate(None, _evidence(1)) == ["one tensor was edited: encoder.layer.0.w", UNNOTICED]


@pytest.mark.parametrize(
    ("name", "strip"),
    [
        ("embeddings.LayerNorm.bias", "input embedding"),
        ("encoder.layer.0.intermediate.dense.weight", "layer 1"),
        ("encoder.layer.1.output.dense.bias", "layer 2"),
    ],
)
def test_the_first_broken_strip_of_a_real_edit_is_the_layers(
    minted: Callable[[str], Minted], name: str, strip: str
) -> None:
    encoder, _, card = minted("bert")
    altered = encoder.duplicate()
    altered.tensors()[name].add_(torch.full_like(altered.tensors()[name], 1e-3))
    verdict = authenticate(altered, card)
    assert verdict.status == "altered"
    assert verdict.first_broken_strip == strip
    assert any(f"'{strip}'" in line for line in verdict.diagnosis)
    assert any(name in line for line in verdict.diagnosis)
