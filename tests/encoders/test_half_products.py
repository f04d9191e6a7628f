"""Half precision by quick kernels: rounded where a slow kernel rounds, and nothing else is touched."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hf_integration import load_encoder
from hf_integration.authentication import observe_sketches
from hf_integration.base.vocabulary import Precision
from hf_integration.encoders.running.half_products import PRODUCTS, quick
from tests.encoders import tiny_models

HALVES: tuple[Precision, ...] = ("float16", "bfloat16")
CALLS: dict[Callable[..., Any], Callable[[torch.Tensor], torch.Tensor]] = {
    F.linear: lambda x: F.linear(x[0], x[1], bias=x[0, 0, :5]),
    F.conv1d: lambda x: F.conv1d(x, x[:, :, :3], stride=2),
    F.conv2d: lambda x: F.conv2d(x[None], x[:, :, :3, None].transpose(2, 3)[:, :, :1]),
    F.scaled_dot_product_attention: lambda x: F.scaled_dot_product_attention(x, x, x),
    torch.matmul: lambda x: torch.matmul(x, x.transpose(1, 2)),
    torch.bmm: lambda x: torch.bmm(x, x.transpose(1, 2)),
    torch.Tensor.matmul: lambda x: x @ x.transpose(1, 2),
}


def test_every_product_is_tried() -> None:
    assert set(CALLS) == PRODUCTS


def given(dtype: torch.dtype) -> torch.Tensor:
    return torch.randn(5, 5, 5, generator=torch.Generator().manual_seed(0)).to(dtype)


@pytest.mark.parametrize("precision", HALVES)
@pytest.mark.parametrize("call", CALLS.values(), ids=[product.__qualname__ for product in CALLS])
def test_a_product_is_that_of_float32_rounded_once(
    call: Callable[[torch.Tensor], torch.Tensor], precision: Precision
) -> None:
    dtype = getattr(torch, precision)
    with quick(precision, everywhere=True):
        found = call(given(dtype))
    assert found.dtype == dtype
    assert torch.equal(found, call(given(dtype).float()).to(dtype))


@pytest.mark.parametrize("precision", HALVES)
def test_what_is_in_another_dtype_stays_as_it_is(precision: Precision) -> None:
    layer = nn.Linear(5, 3)
    with quick(precision, everywhere=True):
        found = layer(given(torch.float32))
    assert torch.equal(found, layer(given(torch.float32)))


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_full_precisions_are_never_run_in_another_way(precision: Precision) -> None:
    with quick(precision, everywhere=True) as mode:
        assert mode is None


@pytest.mark.parametrize("name", ["bert", "convnext", "wav2vec2", "clip"])
def test_a_whole_encoder_is_as_near_to_the_slow_kernels_as_another_batch_size_is(
    name: str, tmp_path: Path
) -> None:
    encoder = load_encoder(str(tiny_models.save(name, tmp_path)), device="cpu")
    running = encoder.at_precision("float16", run_only=True)
    samples = tiny_models.samples(encoder.modality)
    slow = observe_sketches(running, samples, seed=0)["embedding"]
    with quick("float16", everywhere=True):
        fast = observe_sketches(running, samples, seed=0)["embedding"]
    full = observe_sketches(encoder, samples, seed=0)["embedding"]
    assert not torch.equal(fast, full)
    assert float((fast - slow).norm() / slow.norm()) < 3e-3
