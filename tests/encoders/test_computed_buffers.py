"""Buffers that no file holds: a copy in half precision has those that a load in half precision computes."""

import shutil
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import nn

from hf_integration.authentication import observe_sketches
from hf_integration.encoders import Encoder, open_encoder, wrap_module
from hf_integration.encoders.running.precision_copy import ComputedBuffers, computed_buffers
from hf_integration.key_samples import KeySamples
from hf_integration.minting.instruction_sets import Run, run_under
from tests.encoders import tiny_models

Half = Literal["float16", "bfloat16"]
ROUNDED = {"gemma": "embed_scale", "gemma2": "embed_scale", "gemma3": "embed_scale", "swinv2": "coords_table"}
"""Tiny models with a buffer that a load in half precision rounds."""
IN_FLOAT32 = ("modernbert", "qwen2", "qwen3", "nomic_bert")
"""Those whose every computed buffer it leaves in float32."""


def opened(name: str, folder: Path, half: str = "") -> Encoder:
    """A tiny encoder as it is, or saved in half precision, from a folder of its own."""
    saved = tiny_models.save(name, folder / f"{name}{half}")
    if half:
        tiny_models.build(name).to(getattr(torch, half)).save_pretrained(saved)
    return open_encoder(saved, name=name, device="cpu")


@pytest.mark.parametrize(
    ("name", "half"),
    [
        # a Fourier transform cannot be computed in half precision on a CPU
        *((name, "bfloat16") for name in tiny_models.CONFIGS if name != "fnet"),
        *((name, "float16") for name in (*ROUNDED, *IN_FLOAT32)),
    ],
)
def test_a_half_copy_of_any_architecture_is_what_a_half_folder_loads_as(
    name: str, half: Half, tmp_path: Path
) -> None:
    encoder, saved = opened(name, tmp_path), opened(name, tmp_path, half)
    samples = tiny_models.samples(encoder.modality)[:2]
    for precision in ("float64", half):
        copy = encoder.at_precision(precision, weights=half)
        expected = saved.at_precision(precision)
        assert torch.equal(copy.embed(samples), expected.embed(samples))
        assert {n: b.dtype for n, b in computed_buffers(copy.model)} == {
            n: b.dtype for n, b in computed_buffers(expected.model)
        }


@pytest.mark.parametrize("name", [*ROUNDED, *IN_FLOAT32])
def test_there_are_buffers_of_both_kinds_among_them(name: str, tmp_path: Path) -> None:
    found = dict(computed_buffers(opened(name, tmp_path, "bfloat16").model))
    rounded = [buffer for buffer, tensor in found.items() if tensor.dtype == torch.bfloat16]
    assert found
    assert bool(rounded) == (name in ROUNDED)
    assert all(ROUNDED[name] in buffer for buffer in rounded)


def test_a_half_folder_keeps_its_own_in_every_precision(tmp_path: Path) -> None:
    saved = opened("gemma3", tmp_path, "bfloat16")
    own = saved.model.embed_tokens.embed_scale
    assert saved.at_precision("bfloat16", weights="bfloat16") is saved
    for precision in ("float64", "float32"):
        scale = saved.at_precision(precision, weights="bfloat16").model.embed_tokens.embed_scale
        assert scale.dtype == getattr(torch, precision)
        assert scale == own


def test_one_that_was_changed_in_this_process_stays_so_in_every_copy(tmp_path: Path) -> None:
    encoder = opened("gemma3", tmp_path)
    encoder.model.embed_tokens.embed_scale.mul_(1.5)
    changed = encoder.model.embed_tokens.embed_scale.clone()
    for precision, weights in (("float64", "stored"), ("float32", "bfloat16"), ("bfloat16", "bfloat16")):
        copy = encoder.at_precision(precision, weights=weights)  # type: ignore[arg-type]  # both are literals
        assert copy.model.embed_tokens.embed_scale.double() == changed.double()


def test_one_that_another_load_computes_otherwise_stays_as_it_is() -> None:
    def model(dtype: torch.dtype, scale: float = 1.1) -> nn.Module:
        built = nn.Linear(1, 1)
        built.register_buffer("scale", torch.tensor([scale, -1e9], dtype=dtype), persistent=False)
        return built

    first = model(torch.float32)
    for scale, taken in ((1.1, True), (1.2, False)):
        known = ComputedBuffers(first, torch.float32, lambda dtype, scale=scale: model(dtype, scale))  # type: ignore[misc]
        assert bool(known.after_load_in(torch.float16, first)) == taken


def test_a_module_in_memory_keeps_its_own(tmp_path: Path) -> None:
    encoder = opened("gemma3", tmp_path)
    held = wrap_module(encoder.model, encoder.processor)
    copy = held.at_precision("float32", weights="bfloat16")
    assert copy.model.embed_tokens.embed_scale == encoder.model.embed_tokens.embed_scale


def test_an_encoder_without_such_buffers_is_not_loaded_again(tmp_path: Path) -> None:
    encoder = opened("bert", tmp_path)
    shutil.rmtree(tmp_path / "bert")
    assert encoder.at_precision("float64", weights="float16").embed(["the cat"]).isfinite().all()


def test_a_model_is_loaded_once_for_each_dtype_and_its_copies_share_nothing() -> None:
    def model(dtype: torch.dtype) -> nn.Module:
        loaded.append(dtype)
        built = nn.Linear(1, 1)
        built.register_buffer("scale", torch.tensor(1 / 3, dtype=dtype), persistent=False)
        return built

    loaded: list[torch.dtype] = []
    first = model(torch.float32)
    known = ComputedBuffers(first, torch.float32, model)
    for _ in range(2):
        for dtype in (torch.float16, torch.bfloat16, torch.float32):
            (buffer,) = known.after_load_in(dtype, first).values()
            assert buffer == torch.tensor(1 / 3, dtype=dtype)
            buffer.zero_()
    assert loaded == [torch.float32, torch.float16, torch.bfloat16]


def test_the_other_processes_of_minting_compute_the_same(tmp_path: Path) -> None:
    encoder = opened("gemma3", tmp_path)
    samples = KeySamples(tiny_models.TEXTS[:2], origin="test")
    work = Run("bfloat16", "float64", 8, keys=2)
    there = run_under("avx2", encoder, samples, [work], seed=0)["bfloat16", "float64"]
    here = observe_sketches(encoder.at_precision("float64", weights="bfloat16"), samples, seed=0)
    for strip, sketches in here.items():
        torch.testing.assert_close(there[strip], sketches, rtol=1e-12, atol=1e-12)
