"""References of casts that are of the first key samples only, as those of large encoders are."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from hf_integration import WatermarkCard, mint
from hf_integration.authentication import Authenticator
from hf_integration.base.vocabulary import Precision, Weights
from hf_integration.card.coverage import coverage_record
from hf_integration.encoders import Encoder
from hf_integration.key_samples import KeySamples
from hf_integration.minting.references import pairs_for
from hf_integration.report.card_summary import render_card
from hf_integration.verdict import KeySamplesRun
from hf_integration.watermark import GROUP
from tests.authentication.conftest import Minted
from tests.encoders import tiny_models

COUNT, FEWER = 20, GROUP
CASTS: tuple[Weights, ...] = ("float16", "bfloat16")
PAIRS = [pair for pair in pairs_for("float32") if pair[0] != "stored"]


@pytest.fixture(scope="module")
def pair(
    minted: Callable[[str], Minted], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Encoder, WatermarkCard]:
    """A tiny encoder with a card that was written and read, whose references are those of a large one."""
    encoder = minted("bert").encoder
    words = tiny_models.WORDS
    texts = [f"{words[i % len(words)]} {words[i * 7 % len(words)]} {i * ' sea'}" for i in range(COUNT)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
        patch.setattr("hf_integration.minting.effort.MOST_OF_A_REFERENCE", 0.0)
        patch.setattr("hf_integration.minting.effort.LEAST_OF_A_REFERENCE", FEWER)
        card = mint(encoder, key_samples=KeySamples(texts, origin="test"))
    folder: Path = tmp_path_factory.mktemp("fewer") / "card"
    card.save(folder)
    return encoder, WatermarkCard.load(folder)


def test_only_the_stored_weights_have_references_of_all_key_samples(
    pair: tuple[Encoder, WatermarkCard],
) -> None:
    _, card = pair
    keys = {(each.weights, each.precision): each.keys for each in card.references}
    assert {run for run, count in keys.items() if count == COUNT} == {
        ("stored", "float64"),
        ("stored", "float32"),
    }
    assert set(keys.values()) == {FEWER, COUNT}
    assert len(keys) == 8
    assert f"{FEWER}" in render_card(card)


@pytest.mark.parametrize(("weights", "precision"), PAIRS)
def test_a_cast_is_authentic_and_the_verdict_says_how_much_was_run(
    pair: tuple[Encoder, WatermarkCard], weights: Weights, precision: Precision
) -> None:
    encoder, card = pair
    cast = encoder.rounded_to(weights)
    found = Authenticator(card=card, precision=precision, trust="local").authenticate(cast)
    verdict = found.verdict
    assert verdict.status == "authentic"
    assert verdict.key_samples == KeySamplesRun(FEWER, FEWER)
    assert f"is of the first {FEWER} of {COUNT} key samples" in verdict.reason
    said = {
        "key samples": COUNT,
        "key samples run": FEWER,
        "of all key samples": coverage_record(card.coverage),
    }
    assert verdict.coverage == said
    layout = card.generator.layout
    for picture in found.reconstruction.pictures:
        drawn = layout.cut(picture).any(1)
        assert drawn[:FEWER].all()
        assert not drawn[FEWER : layout.keys].any()
        assert drawn[layout.keys + layout.groups :].all()


@pytest.mark.parametrize("weights", CASTS)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_an_altered_cast_breaks_single_tiles_and_those_of_means(
    pair: tuple[Encoder, WatermarkCard], weights: Weights, precision: Precision
) -> None:
    encoder, card = pair
    cast = encoder.rounded_to(weights).duplicate()
    with torch.no_grad():
        cast.tensors()["encoder.layer.0.output.dense.weight"][0, 0] += 0.1
    found = Authenticator(card=card, precision=precision, trust="local").authenticate(cast)
    assert found.verdict.status == "altered"
    assert found.verdict.first_broken_strip == "layer 1"
    layout, broken = card.generator.layout, found.reconstruction.broken[-1]
    assert broken[:FEWER].all()
    assert broken[layout.keys + layout.groups :].all()


def test_a_budget_leaves_out_more(pair: tuple[Encoder, WatermarkCard]) -> None:
    encoder, card = pair
    verdict = Authenticator(card=card, budget=0, trust="local").authenticate(encoder).verdict
    assert verdict.key_samples == KeySamplesRun(GROUP, COUNT)
    cast = encoder.rounded_to("bfloat16")
    verdict = Authenticator(card=card, budget=0, trust="local").authenticate(cast).verdict
    assert verdict.key_samples == KeySamplesRun(1, FEWER)
    assert f"the budget allowed the first 1 of {FEWER} key samples" in verdict.reason
