"""Checks that may take only so long."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from hf_integration import mint
from hf_integration.authentication import Authenticator
from hf_integration.authentication.reconstruction import observe_sketches, observe_within
from hf_integration.card import WatermarkCard
from hf_integration.card.coverage import coverage_record
from hf_integration.encoders import Encoder
from hf_integration.key_samples import KeySamples
from hf_integration.report import HumanReporter, QuietReporter
from hf_integration.verdict import KeySamplesRun
from hf_integration.watermark import GROUP
from pytest_sslauth.record import Evidence, summary_lines
from tests.authentication.conftest import Minted
from tests.encoders import tiny_models

COUNT = 3 * GROUP


@pytest.fixture(scope="module")
def pair(minted: Callable[[str], Minted]) -> tuple[Encoder, WatermarkCard]:
    """A tiny encoder with a card of three batches of key samples."""
    encoder = minted("bert").encoder
    words = tiny_models.WORDS
    texts = [f"{words[i % len(words)]} {words[i * 7 % len(words)]} {i * ' sea'}" for i in range(COUNT)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
        return encoder, mint(encoder, key_samples=KeySamples(texts, origin="test"))


def test_a_generous_budget_checks_all_and_says_nothing_of_it(pair: tuple[Encoder, WatermarkCard]) -> None:
    encoder, card = pair
    verdict = Authenticator(card=card, budget=1e6, trust="local").authenticate(encoder).verdict
    assert verdict.status == "authentic"
    assert "budget" not in verdict.reason
    assert verdict.coverage == coverage_record(card.coverage)


def test_no_time_at_all_checks_one_batch_and_says_so(pair: tuple[Encoder, WatermarkCard]) -> None:
    encoder, card = pair
    verdict = Authenticator(card=card, budget=0, trust="local").authenticate(encoder).verdict
    assert verdict.status == "authentic"
    assert f"the budget allowed the first {GROUP} of {COUNT} key samples" in verdict.reason
    # the card's statement holds for all of them, and must not read as that of a part
    part = {"key samples": COUNT, "key samples run": GROUP}
    assert verdict.key_samples == KeySamplesRun(GROUP, COUNT)
    assert verdict.coverage == {**part, "of all key samples": coverage_record(card.coverage)}
    assert verdict.floor == {**part, "of all key samples": card.floor}


def test_tiles_that_were_not_checked_stay_blank(pair: tuple[Encoder, WatermarkCard]) -> None:
    encoder, card = pair
    layout = card.generator.layout
    hurried, whole = (
        Authenticator(card=card, budget=budget, trust="local").authenticate(encoder).reconstruction.pictures
        for budget in (0, None)
    )
    checked = layout.settled(range(GROUP))
    for picture, complete in zip(hurried, whole, strict=True):
        assert not layout.cut(picture)[~checked].any()
        assert layout.cut(complete).any(1).all()
        assert (layout.cut(picture)[checked] - layout.cut(complete)[checked]).abs().max() < 0.5


def test_an_altered_encoder_does_not_pass_for_lack_of_time(pair: tuple[Encoder, WatermarkCard]) -> None:
    encoder, card = pair
    altered = encoder.duplicate()
    altered.tensors()["encoder.layer.0.output.dense.weight"][0, 0] += 0.1
    verdict = Authenticator(card=card, budget=0, trust="local").authenticate(altered).verdict
    assert verdict.status == "altered"
    assert verdict.first_broken_strip == "layer 1"


def test_what_was_left_out_is_what_goes_unnoticed(pair: tuple[Encoder, WatermarkCard]) -> None:
    # a later key sample that the card expects something else of: only a whole check can see it
    encoder, card = pair
    later = list(card.key_samples)
    later[-1] = "another text"
    other = replace(card, key_samples=KeySamples(later, origin="test"))
    assert not Authenticator(card=other, trust="local").authenticate(encoder).verdict.authentic
    assert Authenticator(card=other, budget=0, trust="local").authenticate(encoder).verdict.authentic


def test_batches_run_one_by_one_give_the_sketches_of_all(pair: tuple[Encoder, WatermarkCard]) -> None:
    encoder, card = pair
    strict = encoder.at_precision("float64")
    whole = observe_sketches(strict, card.key_samples, seed=card.seed)
    stepwise = observe_within(strict, card.key_samples, seed=card.seed, seconds=1e6)
    for strip, sketches in whole.items():
        assert stepwise[strip].shape == sketches.shape
        assert (stepwise[strip] - sketches).abs().max() < 1e-9


def test_every_report_says_that_key_samples_were_left_out(pair: tuple[Encoder, WatermarkCard]) -> None:
    encoder, card = pair
    verdict = Authenticator(card=card, budget=0, trust="local").authenticate(encoder).verdict
    said = f"{GROUP} of {COUNT} key samples"
    assert QuietReporter().render(verdict) == f"authentic ({said})"
    assert said in HumanReporter().render(verdict)
    assert said in summary_lines([Evidence.of(verdict)], verbose=False)[0][0]
