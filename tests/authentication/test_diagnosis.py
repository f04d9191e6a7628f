"""What is said of a verdict that is not authentic: first what the evidence points to, last what to do."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from hf_integration.authentication.diagnosis import diagnose
from hf_integration.authentication.judgement import Findings
from hf_integration.authentication.references import (
    LIBRARIES,
    OF_SOME,
    environment_of,
    library_versions,
    other_kind,
)
from hf_integration.card import WatermarkCard
from hf_integration.encoders.identity.in_process import Finding
from hf_integration.verdict import MIXED, FileEvidence, Status, StripResult, TensorEvidence
from tests.authentication.plain_encoder import PlainEncoder
from tests.card.synthetic_cards import make_card

EQUAL = TensorEvidence(checked=10, matches="stored")
EDITED = TensorEvidence(checked=10, changed=("layer.0.w",))
SAME = FileEvidence(checked=2)
SETTINGS = FileEvidence(checked=2, changed=("config.json: scale: 1 -> 2",))

DISCARD = (
    "do not use this encoder: get it again from its publisher; if you changed it on purpose, mint a new card "
    "with 'sslauth mint'"
)
RENEW = "this is not a pass: get a new card from its publisher, or mint one from a copy that you trust"
VOUCH = (
    "this is not a pass: pin the card with 'sslauth add', name the signer that you expect with --signer, or "
    "use a card that you minted or keep yourself"
)
REPEAT = "this is not a pass: repeat the check in a fresh process, with the versions the card was minted with"
ON_CPU = "the encoder is on device 'cpu'"
BEGINS = "the deviation begins at strip 'layer 1'; the strips before it are within the tolerance"


def _result(*intact: bool) -> tuple[StripResult, ...]:
    return tuple(StripResult(f"layer {i}", 0.1, 0.4, good, 0.0) for i, good in enumerate(intact))


BEGINS_AT_1 = _result(True, False, False)


@pytest.fixture(scope="module")
def card() -> WatermarkCard:
    return replace(make_card(), libraries=library_versions())


def _diagnose(
    card: WatermarkCard,
    *,
    status: Status = "altered",
    encoder: PlainEncoder | None = None,
    reconstruction: tuple[StripResult, ...] = BEGINS_AT_1,
    **facts: Any,
) -> tuple[str, ...]:
    usual = {
        "tensors": EQUAL,
        "files": SAME,
        "has_weights": True,
        "stored_dtype": "float32",
        "trust": "local",
        "other_kind": other_kind(encoder or PlainEncoder(), card),
    }
    findings = Findings(strips=reconstruction, **{**usual, **facts})
    return diagnose(status, findings, encoder or PlainEncoder(), card)


def test_an_authentic_encoder_needs_no_words(card: WatermarkCard) -> None:
    assert _diagnose(card, status="authentic", reconstruction=_result(True)) == ()


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        ({"tensors": EDITED}, ("one tensor was edited: layer.0.w", BEGINS, DISCARD)),
        (
            {"files": SETTINGS},
            (BEGINS, "configuration, tokenizer or processor settings were edited", DISCARD),
        ),
        (
            {"files": SETTINGS, "reconstruction": _result(True, True)},
            ("configuration, tokenizer or processor settings were edited", DISCARD),
        ),
        ({"status": "inconclusive"}, (BEGINS, ON_CPU, REPEAT)),
        (
            {"status": "inconclusive", "failure": "ValueError: no", "reconstruction": _result(True)},
            ("the key samples could not be run: ValueError: no", REPEAT),
        ),
        ({"status": "inconclusive", "reconstruction": _result(True)}, (VOUCH,)),
        ({"status": "inconclusive", "reconstruction": _result(True), "expired": "2020-01-31"}, (RENEW,)),
        (
            {"tensors": EDITED, "expired": "2020-01-31"},
            ("one tensor was edited: layer.0.w", BEGINS, DISCARD),
        ),
    ],
)
def test_the_cause_and_what_to_do(card: WatermarkCard, facts: dict[str, Any], lines: tuple[str, ...]) -> None:
    assert _diagnose(card, **facts) == lines


class TestFindingsInTheProcess:
    FOUND = (Finding("a hook", "take it off"), Finding("moved"), Finding("training", "call its eval()"))

    def test_say_what_to_do_about_them_each_remedy_once(self, card: WatermarkCard) -> None:
        found = (*self.FOUND, Finding("another hook", "take it off"))
        lines = _diagnose(card, status="inconclusive", reconstruction=_result(True), process=found)
        assert lines == ("this is not a pass: take it off; call its eval()",)

    def test_come_before_a_new_card(self, card: WatermarkCard) -> None:
        lines = _diagnose(
            card,
            status="inconclusive",
            reconstruction=_result(True),
            process=self.FOUND[:1],
            expired="2020-01-31",
        )
        assert lines == ("this is not a pass: take it off",)

    def test_that_leave_embeddings_alone_need_nothing_done(self, card: WatermarkCard) -> None:
        lines = _diagnose(card, status="inconclusive", reconstruction=_result(True), process=self.FOUND[1:2])
        assert lines == (VOUCH,)

    def test_excuse_no_alteration(self, card: WatermarkCard) -> None:
        lines = _diagnose(card, tensors=EDITED, process=self.FOUND)
        assert lines == ("one tensor was edited: layer.0.w", BEGINS, DISCARD)


def test_of_another_kind_nothing_was_compared(card: WatermarkCard) -> None:
    found = _diagnose(card, encoder=PlainEncoder(architecture="roberta"), tensors=EDITED, files=SETTINGS)
    assert found == (
        "no key sample was run: nothing of another kind of encoder could be compared",
        "is this the right card? It was minted for org/encoder",
        DISCARD,
    )


@pytest.mark.parametrize("status", ["inconclusive", "altered"])
def test_tensors_rounded_to_several_precisions_leave_the_question_open(
    card: WatermarkCard, status: Status
) -> None:
    found = _diagnose(card, status=status, tensors=TensorEvidence(checked=10, matches=MIXED))
    mixed = (
        "every tensor is a recorded one or its recorded rounding, but not all to one precision",
        "this is not a pass: check the original, or a copy that is rounded to one precision",
    )
    assert found == (mixed if status == "inconclusive" else (BEGINS, ON_CPU, DISCARD))


class TestABrokenWatermarkOverEqualTensors:
    def test_names_the_first_five_suspects(self, card: WatermarkCard) -> None:
        encoder = PlainEncoder()
        encoder.changes = tuple("abcdefg")
        found = _diagnose(card, encoder=encoder, status="inconclusive")
        assert found == (BEGINS, "code was found in this process: a, b, c, d, e", ON_CPU, REPEAT)

    def test_names_versions_that_differ_and_no_others(self, card: WatermarkCard) -> None:
        now = library_versions()
        older = replace(card, libraries={**now, "torch": "2.6.0", "numpy": "1.0", "of another time": "1"})
        found = _diagnose(older, status="inconclusive")
        line = (
            f"library versions differ from minting: torch 2.6.0 -> {now['torch']}, "
            f"numpy 1.0 -> {now['numpy']}"
        )
        assert found == (BEGINS, line, ON_CPU, REPEAT)
        unknown = replace(card, libraries={})
        assert _diagnose(unknown, status="inconclusive") == (BEGINS, ON_CPU, REPEAT)

    def test_names_the_device(self, card: WatermarkCard) -> None:
        encoder = PlainEncoder()
        encoder.place = "mps"
        assert "the encoder is on device 'mps'" in _diagnose(card, encoder=encoder, status="inconclusive")


def test_the_environment_is_that_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import version

    found = environment_of(PlainEncoder().device)
    found = {name: value for name, value in found.items() if name not in OF_SOME}
    assert list(found) == [*LIBRARIES, "python", "platform", "device", "cpu"]
    assert found["torch"] == version("torch")
    assert found["device"] == "cpu"
    assert found["cpu"] == torch.backends.cpu.get_cpu_capability()
    assert found["platform"].count(" ") == 1


def test_a_library_that_is_not_there_is_said_not_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hf_integration.authentication.references.LIBRARIES", ("torch", "no-such-library"))
    assert library_versions()["no-such-library"] == "not installed"
