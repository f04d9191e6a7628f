"""One head, one channel: what is closed is closed, and nothing else."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from hf_integration.encoders import Encoder
from hf_integration.tampering.weights.pruning import CHANNEL, HEAD
from hf_integration.tampering.weights.targets import attention_outputs, channel_layers
from tests.encoders import tiny_models

EncoderOf = Callable[[str], Encoder]
WITHOUT_HEADS = ("resnet", "convnext", "fnet", "funnel")
"""Convolutions, Fourier transforms, and a decoder of its own over blocks that are called otherwise."""
WITH_HEADS = [name for name in tiny_models.CONFIGS if name not in WITHOUT_HEADS]


def _changed(encoder: Encoder, altered: Encoder) -> dict[str, torch.Tensor]:
    after = altered.tensors()
    return {n: after[n] != t for n, t in encoder.tensors().items() if not torch.equal(t, after[n])}


@pytest.mark.parametrize("name", WITH_HEADS)
def test_every_attention_layer_is_found_with_its_heads(encoder_of: EncoderOf, name: str) -> None:
    found = attention_outputs(encoder_of(name))
    assert len(found) == (3 if name == "siglip" else 2)  # SigLIP pools by attention
    assert {heads for _, heads in found} == {2}


def test_a_head_that_is_removed_says_nothing(encoder_of: EncoderOf) -> None:
    encoder = encoder_of("vit")
    ((name, changed),) = _changed(encoder, HEAD.at(1.0)(encoder)).items()
    assert name.endswith("o_proj.weight")
    closed = changed.all(0)
    assert closed.nonzero().flatten().tolist() in (list(range(16)), list(range(16, 32)))
    assert (HEAD.at(1.0)(encoder).tensors()[name][:, closed] == 0).all()
    assert not changed[:, ~closed].any()


def test_a_gate_scales_what_the_head_says(encoder_of: EncoderOf) -> None:
    encoder = encoder_of("bert")
    altered = HEAD.at(0.25)(encoder)
    ((name, changed),) = _changed(encoder, altered).items()
    assert torch.equal(altered.tensors()[name][changed], encoder.tensors()[name][changed] * 0.75)


def test_no_heads_no_family(encoder_of: EncoderOf) -> None:
    assert not HEAD.applies(encoder_of("resnet"))
    assert CHANNEL.applies(encoder_of("resnet"))


@pytest.mark.parametrize("seed", range(4))
def test_a_channel_that_is_removed_is_zero_behind_its_layer(encoder_of: EncoderOf, seed: int) -> None:
    """In a ResNet: behind the batch normalisation that would bring a zero filter back."""
    altered = CHANNEL.at(1.0, seed=seed)(encoder_of("resnet"))
    zero: list[int] = []

    def count(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        zero.append(int((output == 0).all(0).flatten(1).all(1).sum()))

    for _, normalisation in channel_layers(altered):
        assert normalisation is not None
        normalisation.register_forward_hook(count)
    altered.embed(tiny_models.images())
    assert sorted(zero)[-2:] == [0, 1]


def test_a_channel_of_a_linear_layer_loses_filter_and_bias(encoder_of: EncoderOf) -> None:
    encoder = encoder_of("bert")
    changed = _changed(encoder, CHANNEL.at(1.0)(encoder))
    matrix, bias = (next(n for n in changed if n.endswith(kind)) for kind in ("weight", "bias"))
    assert len(changed) == 2
    assert changed[bias].sum() == 1
    assert torch.equal(changed[matrix].all(1), changed[bias])
    assert changed[matrix].any(1).sum() == 1
