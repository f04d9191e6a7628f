"""Minting real cards of tiny encoders, other instruction sets included."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hf_integration import authenticate, load_encoder, mint, wrap_module
from hf_integration.base.errors import (
    EncoderError,
    InconclusiveError,
    KeySampleError,
    MintingRefusedError,
    UsageError,
)
from hf_integration.encoders import Encoder
from hf_integration.key_samples import KeySamples
from hf_integration.minting.instruction_sets import INSTRUCTION_SETS, Run, run_under
from hf_integration.minting.references import pairs_for
from tests.encoders import tiny_models


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    folder = tiny_models.save("bert", tmp_path_factory.mktemp("minting") / "tiny")
    return load_encoder(str(folder), device="cpu")


TEXTS = KeySamples(tiny_models.TEXTS, origin="test")


@pytest.fixture
def on_this_cpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})


def test_a_card_minted_with_every_instruction_set_authenticates_its_encoder(encoder: Encoder) -> None:
    card = mint(encoder, key_samples=TEXTS)
    assert {(r.weights, r.precision) for r in card.references} == set(pairs_for("float32"))
    assert all(reference.benign_margin > 1.5 for reference in card.references)
    assert authenticate(encoder, card).status == "authentic"


@pytest.mark.parametrize("instruction_set", INSTRUCTION_SETS)
def test_another_instruction_set_is_really_used(
    encoder: Encoder, instruction_set: str, tmp_path: Path
) -> None:

    environment = {**os.environ, **INSTRUCTION_SETS[instruction_set]}
    asked = subprocess.run(
        [sys.executable, "-c", "import torch; print(torch.backends.cpu.get_cpu_capability())"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout.strip().lower() == instruction_set
    found = run_under(instruction_set, encoder, TEXTS, [Run("stored", "float64", 8, keys=2)], seed=0)
    assert all(sketched.shape == (2, 64) for sketched in found["stored", "float64"].values())


def test_a_failing_calibration_process_is_inconclusive_and_says_why(encoder: Encoder, tmp_path: Path) -> None:
    gone = encoder.duplicate()
    gone.path = tmp_path / "gone"
    with pytest.raises(InconclusiveError, match="instruction set 'avx2'"):
        run_under("avx2", gone, TEXTS, [Run("stored", "float64", 8, keys=2)], seed=0)


@pytest.mark.usefixtures("on_this_cpu_alone")
def test_the_same_seed_mints_the_same_watermark_and_references(encoder: Encoder) -> None:
    first, second = (mint(encoder, key_samples=TEXTS, seed=3) for _ in range(2))
    assert torch.equal(first.generator.head, second.generator.head)
    assert torch.equal(first.references[0].sketches, second.references[0].sketches)
    assert first.key_samples.digest() == second.key_samples.digest()


@pytest.mark.usefixtures("on_this_cpu_alone")
def test_the_encoder_is_left_as_it_was(encoder: Encoder) -> None:
    before = {name: tensor.clone() for name, tensor in encoder.tensors().items()}
    mint(encoder, key_samples=TEXTS)
    assert all(torch.equal(before[name], tensor) for name, tensor in encoder.tensors().items())


def test_an_encoder_in_memory_is_refused(encoder: Encoder) -> None:
    with pytest.raises(EncoderError, match="only in memory"):
        mint(wrap_module(encoder.model, encoder.processor))


@pytest.mark.parametrize("poison", [torch.nan, torch.inf])
def test_weights_that_are_no_numbers_are_refused_by_name(encoder: Encoder, poison: float) -> None:
    poisoned = encoder.duplicate()
    poisoned.path = encoder.path
    name, tensor = next(iter(poisoned.tensors().items()))
    tensor[0] = poison
    with pytest.raises(EncoderError, match=name):
        mint(poisoned, key_samples=TEXTS)


@pytest.mark.usefixtures("on_this_cpu_alone")
def test_a_private_card_gets_a_seed_that_nobody_can_guess_and_a_public_one_is_repeatable(
    encoder: Encoder,
) -> None:
    private = [mint(encoder, keys=2, secret=True) for _ in range(2)]
    assert len({0, *(card.seed for card in private)}) == 3
    assert not set(private[0].key_samples) & set(private[1].key_samples)
    assert mint(encoder, keys=2).seed == 0
    assert mint(encoder, keys=2, secret=True, seed=3).seed == 3


@pytest.mark.parametrize("seed", [-1, 1 << 63])
def test_a_seed_that_torch_does_not_take_is_refused_at_once(encoder: Encoder, seed: int) -> None:
    with pytest.raises(UsageError, match="out of range"):
        mint(encoder, key_samples=TEXTS, seed=seed)


def test_key_samples_of_another_modality_are_refused(encoder: Encoder) -> None:
    with pytest.raises(KeySampleError, match=r"image.*text"):
        mint(encoder, key_samples=KeySamples(tiny_models.images(), origin="test"))


@pytest.mark.usefixtures("on_this_cpu_alone")
def test_an_encoder_that_answers_at_random_is_refused(encoder: Encoder) -> None:
    noisy = load_encoder(str(encoder.path), device="cpu")
    noisy.model.encoder.layer[1].register_forward_hook(lambda _m, _i, out: out + 1e-3 * torch.randn_like(out))
    with pytest.raises(MintingRefusedError):
        mint(noisy, key_samples=TEXTS)


@pytest.mark.usefixtures("on_this_cpu_alone")
def test_an_encoder_that_ignores_its_weights_is_refused(encoder: Encoder) -> None:
    blind = load_encoder(str(encoder.path), device="cpu")
    for layer in (blind.model.embeddings, *blind.model.encoder.layer):
        layer.register_forward_hook(lambda _m, _i, out: torch.ones_like(out))
    with pytest.raises(MintingRefusedError, match="none of the simulated alterations"):
        mint(blind, key_samples=TEXTS)


@pytest.mark.usefixtures("on_this_cpu_alone")
def test_the_card_holds_no_path_of_the_minting_machine(encoder: Encoder, tmp_path: Path) -> None:
    card = mint(encoder, key_samples=TEXTS).save(tmp_path / "card")
    assert card.encoder_name == "tiny"
    assert str(encoder.path) not in (tmp_path / "card" / "card.json").read_text()


def test_references_fit_the_stored_dtype() -> None:
    assert ("stored", "float16") in pairs_for("float16")
    assert ("float16", "float16") in pairs_for("float32")
    assert ("float16", "float16") not in pairs_for("float16")


@pytest.mark.usefixtures("on_this_cpu_alone")
def test_texts_without_a_character_can_be_key_samples(encoder: Encoder) -> None:
    card = mint(encoder, key_samples=KeySamples([""] * 8, origin="test"))
    assert authenticate(encoder, card).status == "authentic"
