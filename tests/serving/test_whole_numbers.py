"""Answers in whole numbers: int8 by the largest number of a vector is a form, all others are named."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.explaining import explain
from hf_integration.serving.judging import Judged, judge_answers
from hf_integration.serving.numeric import FLOAT32, Form, comparable, form_of
from hf_integration.serving.presets import preset
from hf_integration.serving.probes import texts_of
from hf_integration.serving.recipe import PLAIN
from hf_integration.serving.sources import CopySource
from hf_integration.serving.whole_numbers import what_is_open
from hf_integration.tampering.weights.fine_tuning import ONE_STEP
from tests.misbehaving.encoders import binary, int8_by_dimension, int8_by_vector, ubinary
from tests.serving import small_encoders
from tests.serving.conftest import Opened

INT8 = Form("int8")
SAMPLES = small_encoders.samples(24)
TEXTS = [str(sample) for sample in SAMPLES]


def embeddings(count: int = 24, width: int = 384, *, size: float | None = None) -> Tensor:
    drawn = torch.randn(count, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return F.normalize(drawn, dim=1) if size is None else drawn * size


@pytest.mark.parametrize("size", [None, 1e-6, 0.3, 40.0, 1e4])
@pytest.mark.parametrize("width", [8, 64, 384, 4096])
@pytest.mark.parametrize("way", ["whole", "scaled back", "scaled back in float32"])
def test_int8_is_recognised(way: str, width: int, size: float | None) -> None:
    exact = embeddings(width=width, size=size)
    whole = int8_by_vector(exact)
    if way != "whole":
        whole *= exact.abs().amax(dim=1, keepdim=True) / 127
    answers = whole.float().double() if way.endswith("float32") else whole
    assert form_of(answers) == INT8
    assert form_of(comparable(answers)) == INT8
    torch.testing.assert_close(
        comparable(answers), F.normalize(INT8.rounded(exact), dim=1), rtol=1e-6, atol=1e-9
    )


def test_int8_keeps_lengths_and_rounds_once() -> None:
    exact = embeddings(size=3.0)
    once = INT8.rounded(exact)
    torch.testing.assert_close(once.norm(dim=1), exact.norm(dim=1))
    torch.testing.assert_close(INT8.rounded(once), once)
    assert bool(((once - exact).abs() <= 0.8 * INT8.steps(exact)).all())


@pytest.mark.parametrize("row", [0.0, float("nan"), float("inf")])
def test_vectors_that_are_none_do_no_harm(row: float) -> None:
    answers = INT8.rounded(embeddings())
    answers[3] = row
    assert form_of(answers) == (INT8 if row == 0 else FLOAT32)
    assert bool(INT8.rounded(answers)[3].isfinite().all()) == (row == 0)


@pytest.mark.parametrize("width", [1, 2, 3, 384])
def test_float32_is_not_taken_for_int8(width: int) -> None:
    """The largest number of a vector is always a whole part of itself."""
    answers = embeddings(200, width, size=1.0).float().double()
    assert form_of(answers) == FLOAT32
    assert torch.equal(comparable(answers), answers)


def test_one_vector_that_is_not_rounded_makes_all_exact() -> None:
    answers = int8_by_vector(embeddings())
    answers[5, 7] += 0.5
    assert form_of(answers) != INT8


def answered(encoder: TorchEncoder, *, batch_size: int = 1) -> Tensor:
    return encoder.embed(TEXTS, batch_size=batch_size).double()


def judged(encoder: TorchEncoder, answers: Tensor, stated: str | None) -> Judged:
    expected = None if stated is None else preset(stated).recipe
    return judge_answers(CopySource(encoder), SAMPLES, answers, expected=expected)


@pytest.mark.parametrize("batch_size", [1, 7, 24])
@pytest.mark.parametrize("normalised", [True, False])
def test_int8_that_was_stated_is_authentic(normalised: bool, batch_size: int, opened: Opened) -> None:
    encoder = opened(normalised=normalised)
    found = judged(encoder, int8_by_vector(answered(encoder, batch_size=batch_size)), "torch,int8")
    assert found.status == "authentic"
    assert f"by up to {found.tolerated:.1e} of their length may go unnoticed" in found.reason


@pytest.mark.parametrize("stated", ["torch", None, "torch,decimals:4", "tei", "torch,float16"])
def test_int8_that_was_not_stated_is_named(stated: str | None, encoder: TorchEncoder) -> None:
    found = judged(encoder, int8_by_vector(answered(encoder)), stated)
    assert found.status == "inconclusive"
    assert "answers in int8, each scaled by its largest number" in found.reason
    assert found.reason.startswith("this is the encoder, but not as expected: ")


@pytest.mark.parametrize("rate", [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3])
def test_an_altered_encoder_in_int8_passes_only_below_what_is_stated(
    rate: float, encoder: TorchEncoder
) -> None:
    altered = ONE_STEP.at(rate, seed=1)(encoder)
    assert isinstance(altered, TorchEncoder)
    moved = float((answered(altered) - answered(encoder)).norm(dim=1).max())
    found = judged(encoder, int8_by_vector(answered(altered)), "torch,int8")
    if rate <= 1e-7:  # moves no number by as much as rounding does
        assert found.status == "authentic"
    elif rate >= 1e-4:
        assert found.status == "inconclusive"
    assert found.status == "inconclusive" or (found.status == "authentic" and moved < found.tolerated)


def test_float32_where_int8_was_stated_is_no_pass(encoder: TorchEncoder) -> None:
    found = judged(encoder, answered(encoder), "torch,int8")
    assert found.status == "inconclusive"
    assert "answers in float32" in found.reason


def test_identify_names_int8(encoder: TorchEncoder) -> None:
    best = explain(encoder, SAMPLES, int8_by_vector(answered(encoder)))[0]
    assert best.fits
    assert best.match.recipe == PLAIN.but(form=INT8)


@pytest.mark.parametrize("seed", range(4))
def test_what_int8_hides_is_not_said_to_be_done(seed: int, encoder: TorchEncoder) -> None:
    """Weights in float16 move an answer by one number at most, as a plain run in float32 does."""
    samples = small_encoders.samples(24, seed=seed)
    answers = encoder.at_precision("float32").embed(texts_of(samples), batch_size=1).double()
    best = explain(encoder, samples, int8_by_vector(answers))[0]
    assert best.fits
    assert best.match.recipe == PLAIN.but(form=INT8)


OTHERS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "a scale of each dimension": (int8_by_dimension, "int8 by a scale that is not known"),
    "the same without signs": (
        lambda rows: int8_by_dimension(rows) + 128,
        "uint8 by a scale that is not known",
    ),
    "one scale": (lambda rows: (rows * 127).round(), "int8 by a scale that is not known"),
    "more than a byte": (lambda rows: (rows * 32_767).round(), "no int8"),
    "binary": (binary, "answers are binary, one bit for each of 64 dimensions: 100.00% of the bits"),
    "ubinary": (ubinary, "answers are binary, one bit for each of 64 dimensions: 100.00% of the bits"),
}


@pytest.mark.parametrize("stated", ["torch", None, "torch,int8", "tei", "bfloat16"])
@pytest.mark.parametrize("kind", OTHERS)
def test_other_whole_numbers_are_named_and_never_judged(
    kind: str, stated: str | None, encoder: TorchEncoder
) -> None:
    written, said = OTHERS[kind]
    found = judged(encoder, written(answered(encoder)), stated)
    assert (found.status, found.found, found.unexplained) == ("inconclusive", None, False)
    assert said in found.reason or stated in ("tei", "bfloat16")
    assert found.reason.endswith("ask the server for floating-point numbers")


@pytest.mark.parametrize("written", [binary, ubinary])
def test_the_bits_of_another_encoder_are_half_of_them_right(
    written: Callable[[Tensor], Tensor], encoder: TorchEncoder, opened: Opened
) -> None:
    reason = judged(encoder, written(answered(opened(seed=1))), "torch").reason
    share = float(reason.partition("dimensions: ")[2].partition("%")[0])
    assert 40 < share < 60


def test_dead_dimensions_say_nothing() -> None:
    exact = embeddings()
    exact[:, 5] = 1e-9
    answers = binary(torch.where(torch.arange(384) == 5, -exact, exact))
    assert ": 100.00% of the bits" in str(what_is_open(answers, exact))
    exact[:, 5] = 0.01
    assert ": 99.74% of the bits" in str(what_is_open(answers, exact))


def test_binary_is_as_numpy_packs_it() -> None:
    rows = embeddings(4, 16)
    expected = np.packbits(rows.numpy() > 0, axis=1)
    assert np.array_equal(ubinary(rows).numpy(), expected)
    assert np.array_equal(binary(rows).numpy(), expected.astype(np.int16) - 128)


@pytest.mark.parametrize("answers", [embeddings(), INT8.rounded(embeddings()), torch.zeros(24, 384).double()])
def test_what_is_not_whole_is_left_to_the_judgement(answers: Tensor) -> None:
    assert what_is_open(answers, embeddings()) is None


def test_a_statement_of_int8_is_read() -> None:
    assert preset("tei,int8").recipe.form == INT8
    assert preset("torch,int8").recipe.normalised
    assert replace(preset("torch,int8").recipe, form=FLOAT32) == PLAIN.but(normalised=True)
