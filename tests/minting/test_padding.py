"""Padding that leaks into real tokens is found when minting, and then nobody pads any more."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch

from hf_integration import WatermarkCard, authenticate, load_encoder, mint
from hf_integration.base.vocabulary import PRECISIONS
from hf_integration.benign.padding import padding_leaks
from hf_integration.encoders import Encoder, open_encoder
from hf_integration.encoders.interface import NEVER_PADDED, PADDING
from hf_integration.key_samples.samples import KeySamples
from hf_integration.minting.instruction_sets import Run, run_under
from tests.encoders import tiny_models
from tests.encoders.tiny_models import AUDIO, LEAKING, TEXT, TEXTS

WORDS = KeySamples(
    [*TEXTS, *(" ".join(tiny_models.WORDS[:count]) for count in (3, 7, 9, 11))], origin="words"
)


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    return cache(lambda name: tiny_models.save(name, tmp_path_factory.mktemp(name)))


@pytest.fixture(scope="module")
def minted(folder_of: Callable[[str], Path]) -> Callable[[str], tuple[Encoder, WatermarkCard]]:
    @cache
    def mint_one(name: str) -> tuple[Encoder, WatermarkCard]:
        encoder = load_encoder(str(folder_of(name)), device="cpu")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
            return encoder, mint(encoder, key_samples=WORDS)

    return mint_one


@pytest.mark.parametrize("name", [*LEAKING, *TEXT, "dpr"])
def test_the_probe_tells_architectures_that_mask_padding_from_those_that_do_not(
    name: str, folder_of: Callable[[str], Path]
) -> None:
    encoder = open_encoder(folder_of(name), name=name, device="cpu")
    assert encoder.pads
    assert padding_leaks(encoder, WORDS, seed=0) is (name in LEAKING)


@pytest.mark.parametrize("name", AUDIO)
def test_the_probe_agrees_with_what_is_known_of_recordings(
    name: str, folder_of: Callable[[str], Path]
) -> None:
    encoder = open_encoder(folder_of(name), name=name, device="cpu")
    waves = tiny_models.waves()
    assert not padding_leaks(encoder, waves, seed=0)  # as it is loaded
    encoder._preparation.pads = True  # type: ignore[attr-defined]  # as if nothing were known of it
    assert padding_leaks(encoder, waves, seed=0) is (name in ("wav2vec2", "hubert"))


@pytest.mark.parametrize("name", LEAKING)
def test_such_an_encoder_is_minted_and_found_authentic_by_whoever_loads_it(
    name: str, folder_of: Callable[[str], Path], minted: Callable[[str], tuple[Encoder, WatermarkCard]]
) -> None:
    _, card = minted(name)
    assert card.encoder.details[PADDING] == NEVER_PADDED
    again = load_encoder(str(folder_of(name)), device="cpu")
    padded_before = again.pads
    for precision in PRECISIONS[:2]:
        verdict = authenticate(again, card, precision=precision)
        assert verdict.authentic, verdict.reason
    assert (padded_before, again.pads) == (True, False)
    alone = torch.cat([again.embed([text]) for text in TEXTS])
    assert torch.allclose(again.embed(TEXTS), alone, rtol=1e-5, atol=1e-6)


def test_copies_of_an_encoder_that_never_pads_do_not_either(folder_of: Callable[[str], Path]) -> None:
    encoder = open_encoder(folder_of("fnet"), name="fnet", device="cpu")
    encoder.never_pad()
    for copy in (encoder.duplicate(), encoder.at_precision("float64")):
        assert not copy.pads
        assert copy.description.never_padded


def test_the_processes_of_other_instruction_sets_do_not_pad(
    minted: Callable[[str], tuple[Encoder, WatermarkCard]],
) -> None:
    encoder, card = minted("convbert")
    runs = [Run("stored", "float64", 8, len(WORDS))]
    found = run_under("avx2", encoder, WORDS, runs, seed=card.seed)["stored", "float64"]
    expected = card.references[0]
    assert (expected.weights, expected.precision) == ("stored", "float64")
    for strip, sketches in zip(card.strips, expected.sketches, strict=True):
        assert torch.allclose(found[strip], sketches, rtol=1e-9, atol=1e-9), strip


def test_a_card_of_an_encoder_that_masks_padding_says_nothing_of_it(
    minted: Callable[[str], tuple[Encoder, WatermarkCard]],
) -> None:
    encoder, card = minted("bert")
    assert PADDING not in card.encoder.details
    assert encoder.pads
