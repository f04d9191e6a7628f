"""Where an alteration lies."""

from collections.abc import Callable

import pytest
import torch

from hf_integration import authenticate
from hf_integration.authentication.localisation import layer_of, locate
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
    ],
)
def test_a_tensor_belongs_to_the_outermost_numbered_layer(tensor: str, layer: int | None) -> None:
    assert layer_of(tensor) == layer


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (NAMES, "every tensor differs"),
        (NAMES[2:3], "one tensor was edited: encoder.layer.0.w"),
        (("encoder.layer.1.a", "encoder.layer.1.b"), "belong to layer 2"),
        (("embeddings.a", "embeddings.b"), "belong to no layer"),
        (("encoder.layer.0.a", "encoder.layer.1.b"), "2 parts of the encoder"),
    ],
)
def test_how_much_differs_is_said(changed: tuple[str, ...], words: str) -> None:
    lines = locate("layer 1", TensorEvidence(checked=len(NAMES), changed=changed))
    assert words in lines[0]


def test_an_edit_that_no_key_sample_noticed_is_said_to_be_that() -> None:
    lines = locate(None, TensorEvidence(checked=9, changed=("a",)))
    assert any("no key sample noticed" in line for line in lines)


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
