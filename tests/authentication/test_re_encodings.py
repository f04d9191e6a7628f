"""Copies that are rounded, whole or in part: each tensor may be the recorded one or its rounding."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from hf_integration import authenticate, load_encoder
from hf_integration.authentication import Authenticator
from hf_integration.base.vocabulary import Precision
from hf_integration.encoders import Encoder
from hf_integration.encoders.files.safetensors_files import SINGLE
from hf_integration.report import HumanReporter
from hf_integration.verdict import Verdict
from tests.authentication.conftest import Minted
from tests.authentication.test_witness import by_dtype, compiled
from tests.encoders import tiny_models
from tests.tiny_cards import mint_quickly

Mint = Callable[[str], Minted]
HALVES = ("float16", "bfloat16")


class Folder:
    """A copy of an encoder's folder whose weights are written anew, again and again.

    Args:
        source: the encoder's.
        path: the copy's, which is made.
    """

    def __init__(self, source: Path, path: Path) -> None:
        self.path = Path(shutil.copytree(source, path))
        self.recorded = load_file(source / SINGLE)

    def opened(self, halves: Callable[[str], str], *, altered: str = "") -> Encoder:
        """The encoder with each tensor in the half precision that ``halves`` gives for its name, if any."""
        tensors = {name: _in(tensor, halves(name)) for name, tensor in self.recorded.items()}
        if altered:
            tensors[altered].view(-1)[-1] += 0.5
        (self.path / SINGLE).unlink()
        save_file(tensors, self.path / SINGLE, metadata={"format": "pt"})
        return load_encoder(str(self.path), device="cpu")


def _in(tensor: Tensor, half: str) -> Tensor:
    return tensor.to(getattr(torch, half)) if half else tensor.clone()


@pytest.fixture
def bert(minted: Mint, tmp_path: Path) -> Folder:
    return Folder(minted("bert").folder, tmp_path / "bert")


def compared(minted: Mint) -> Iterator[str]:
    """Every tensor of the tiny BERT that a check compares."""
    yield from minted("bert").encoder.tensors()


def all_but(kept: str, half: str) -> Callable[[str], str]:
    return lambda name: "" if kept in name else half


def norms_kept(name: str) -> str:
    return "" if "norm" in name.lower() else "bfloat16"


def test_every_tensor_may_be_kept_in_a_copy_that_is_rounded(minted: Mint, bert: Folder) -> None:
    names = list(compared(minted))
    for kept in names:
        verdict = authenticate(bert.opened(all_but(kept, "bfloat16")), minted("bert").card)
        assert verdict.authentic, (kept, verdict.reason)
        assert (verdict.tensors.matches, verdict.tensors.kept) == ("bfloat16", 1), kept
    assert len(names) > 30


@pytest.mark.parametrize("half", HALVES)
def test_every_tensor_that_is_altered_in_a_rounded_copy_is_named_and_no_other(
    minted: Mint, bert: Folder, half: str
) -> None:
    for altered in compared(minted):
        verdict = authenticate(bert.opened(lambda _: half, altered=altered), minted("bert").card)
        assert verdict.status == "altered", altered
        assert verdict.tensors.changed == (altered,)


def test_one_that_is_altered_beside_kept_norms_is_named_and_where_it_broke(
    minted: Mint, bert: Folder
) -> None:
    altered = "encoder.layer.1.output.dense.weight"
    verdict = authenticate(bert.opened(norms_kept, altered=altered), minted("bert").card)
    assert verdict.tensors.changed == (altered,)
    assert verdict.first_broken_strip == "layer 2"


@pytest.mark.parametrize("precision", ["float64", "float32", "bfloat16"])
def test_a_bfloat16_body_with_float32_norms_is_authentic(
    minted: Mint, bert: Folder, precision: Precision
) -> None:
    verdict = authenticate(bert.opened(norms_kept), minted("bert").card, precision=precision)
    norms = sum("norm" in name.lower() for name in compared(minted))
    said = f"{verdict.tensors.checked - norms} tensors rounded to bfloat16, {norms} as stored"
    assert verdict.reason.endswith(f"a re-encoding: {said}")
    assert verdict.exit_status == 0
    assert f"rounded to bfloat16, {norms} of them as stored" in HumanReporter().render(verdict)
    assert Verdict.from_dict(verdict.to_dict()) == verdict


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("seed", range(4))
def test_any_choice_of_tensors_may_be_rounded(minted: Mint, bert: Folder, half: str, seed: int) -> None:
    rounded = np.random.default_rng(seed).integers(0, 2, len(bert.recorded))
    chosen = dict(zip(bert.recorded, rounded, strict=True))
    encoder = bert.opened(lambda name: half if chosen[name] else "")
    verdict = authenticate(encoder, minted("bert").card)
    assert verdict.authentic, verdict.reason
    assert verdict.tensors.matches == half
    assert 0 < verdict.tensors.kept < verdict.tensors.checked


def test_a_rounded_copy_in_a_wider_dtype_is_the_same_re_encoding(minted: Mint, bert: Folder) -> None:
    bert.recorded = {name: tensor.to(torch.float16).float() for name, tensor in bert.recorded.items()}
    verdict = authenticate(bert.opened(lambda _: ""), minted("bert").card)
    assert verdict.authentic
    assert (verdict.tensors.matches, verdict.tensors.kept) == ("float16", 0)


def test_a_mixture_of_both_roundings_is_an_open_question_and_said(minted: Mint, bert: Folder) -> None:
    encoder = bert.opened(lambda name: HALVES["attention" in name])
    verdict = authenticate(encoder, minted("bert").card)
    assert (verdict.status, verdict.exit_status) == ("inconclusive", 3)
    assert verdict.tensors.changed == ()
    assert "rounded in part to float16 and in part to bfloat16" in verdict.reason
    assert "a copy that is rounded to one precision" in verdict.diagnosis[-1]


def test_one_that_is_altered_in_such_a_mixture_is_altered_and_named(minted: Mint, bert: Folder) -> None:
    altered = "embeddings.word_embeddings.weight"
    encoder = bert.opened(lambda name: HALVES["attention" in name], altered=altered)
    verdict = authenticate(encoder, minted("bert").card)
    assert verdict.status == "altered"
    assert verdict.tensors.changed == (altered,)


def test_harmless_code_in_a_partly_rounded_one_raises_no_alarm(minted: Mint, bert: Folder) -> None:
    encoder = bert.opened(norms_kept)
    encoder.model.encoder.layer[1].register_forward_hook(lambda _m, _i, output: output)
    encoder.model.set_attn_implementation("eager")
    verdict = authenticate(encoder, minted("bert").card)
    assert all(strip.intact for strip in verdict.strips)
    assert (verdict.status, verdict.precision) == ("inconclusive", "float64")
    assert "forward hook on encoder.layer.1" in verdict.reason


@pytest.mark.parametrize("alter", [by_dtype, compiled])
def test_code_that_only_the_encoder_itself_runs_is_seen_in_a_partly_rounded_one_too(
    minted: Mint, bert: Folder, alter: Callable[[Encoder], None]
) -> None:
    encoder = bert.opened(norms_kept)
    alter(encoder)
    verdict = authenticate(encoder, minted("bert").card)
    assert (verdict.status, verdict.precision) == ("inconclusive", "float32")


class TestComputedBuffers:
    """Encoders with buffers that a load in half precision rounds."""

    @pytest.mark.parametrize("half", HALVES)
    @pytest.mark.parametrize("architecture", ["gemma3", "swinv2"])
    def test_saved_in_half_precision_it_is_authentic(
        self, minted: Mint, architecture: str, half: Precision, tmp_path: Path
    ) -> None:
        _, source, card = minted(architecture)
        encoder = Folder(source, tmp_path / "half").opened(lambda _: half)
        for precision in ("float64", "float32", half):
            verdict = authenticate(encoder, card, precision=precision)
            assert verdict.authentic, verdict.reason
            assert verdict.tensors.matches == half

    def test_so_it_is_with_float32_norms_and_in_float32(self, minted: Mint, tmp_path: Path) -> None:
        _, source, card = minted("gemma3")
        folder = Folder(source, tmp_path / "half")
        assert authenticate(folder.opened(norms_kept), card).authentic
        folder.recorded = {name: tensor.bfloat16().float() for name, tensor in folder.recorded.items()}
        assert authenticate(folder.opened(lambda _: ""), card).authentic

    def test_so_it_is_in_float32_by_a_card_of_the_half_copy(self, tmp_path: Path) -> None:
        source = tiny_models.save("gemma3", tmp_path / "encoder")
        half = Folder(source, tmp_path / "half")
        half.opened(lambda _: "bfloat16")
        _, card = mint_quickly(half.path, tmp_path / "card")
        assert card.encoder.stored_dtype == "bfloat16"
        wide = Folder(half.path, tmp_path / "wide")
        wide.recorded = {name: tensor.float() for name, tensor in wide.recorded.items()}
        for encoder in (half.opened(lambda _: "bfloat16"), wide.opened(lambda _: "")):
            verdict = authenticate(encoder, card)
            assert verdict.authentic, verdict.reason
            assert verdict.tensors.matches == "stored"

    def test_a_scale_that_was_changed_in_this_process_is_not(self, minted: Mint, tmp_path: Path) -> None:
        _, source, card = minted("gemma3")
        for halves in (lambda _: "", lambda _: "bfloat16", norms_kept):
            encoder = Folder(source, tmp_path / str(id(halves))).opened(halves)
            encoder.model.embed_tokens.embed_scale.mul_(1.5)
            verdict = Authenticator(card=card).authenticate(encoder).verdict
            assert verdict.status == "inconclusive"
            assert verdict.first_broken_strip == "input embedding"


def test_tensors_that_rounding_leaves_alone_count_for_either(minted: Mint, tmp_path: Path) -> None:
    """Ones, zeros and whole encoders: a float32 card of weights that float16 holds exactly."""
    source = tiny_models.save("bert", tmp_path / "encoder")
    folder = Folder(source, tmp_path / "exact")
    folder.recorded = {name: tensor.to(torch.float16).float() for name, tensor in folder.recorded.items()}
    norms = [name for name in folder.recorded if name.endswith("Norm.weight")]
    folder.recorded |= {name: torch.ones_like(folder.recorded[name]) for name in norms}
    folder.opened(lambda _: "")
    card = mint_quickly(folder.path, tmp_path / "card")[1]
    biases = sum("bias" in name for name in compared(minted))
    for half, expected in (
        ("", ("stored", 0)),
        ("float16", ("stored", 0)),
        ("bfloat16", ("bfloat16", biases)),
    ):
        verdict = authenticate(folder.opened(all_but("bias", half)), card)
        assert verdict.authentic, verdict.reason
        assert (verdict.tensors.matches, verdict.tensors.kept) == expected
