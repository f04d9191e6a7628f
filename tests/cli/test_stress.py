"""``sslauth stress``, on a few of the families: all of them are run in tests of their own."""

import json
import re
from collections.abc import Callable

import pytest

from hf_integration.tampering import in_process
from hf_integration.tampering.files import configuration
from hf_integration.tampering.weights.values import LAST_BIT, NOISE
from tests.cli.conftest import Ended
from tests.stress.conftest import not_compiled

Run = Callable[..., Ended]
pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hf_integration.stress.run.families_for", lambda *_: (NOISE, LAST_BIT))
    beside = (configuration.OTHER_ACTIVATION, in_process.PATCH)
    monkeypatch.setattr("hf_integration.stress.run.BESIDE_WEIGHTS", beside)
    monkeypatch.setattr("hf_integration.stress.unaltered.INSTRUCTION_SETS", {})
    monkeypatch.setattr("hf_integration.stress.unaltered.compiled_run", not_compiled)
    monkeypatch.setattr("hf_integration.stress.unaltered_elsewhere.other_device", lambda _: None)


def test_both_lists_are_shown(sslauth: Run) -> None:
    ended = sslauth("stress", "tiny", "--card", "cards/tiny")
    assert ended.status == 0, ended.err
    headline = r"STRESS of tiny: 4 kinds of alteration, 0 missed; \d\d benign runs, 0 false alarms"
    assert re.search(headline, ended.out)
    # channels-last order means nothing to an encoder of texts: that is no run to be counted
    idle = next(line for line in ended.out.splitlines() if "memory in channels-last order" in line)
    assert idle.split()[-4:] == ["=", "=", "=", "="]
    assert "1 draw each" in ended.out
    rows = {line[2:30].strip(): line for line in ended.out.splitlines() if line.startswith("  ")}
    assert "sigma" in rows["noise on all weights"]
    assert 'config.json: hidden_act: "gelu" -> "relu"' in rows["another activation function"]
    assert "inconclusive" in next(line for line in ended.out.splitlines() if "a patched forward" in line)


def test_json_and_quiet(sslauth: Run) -> None:
    ended = sslauth("stress", "tiny", "--card", "cards/tiny", "--format", "json", "--precision", "float32")
    report = json.loads(ended.out)
    assert (report["schema"], report["precision"], len(report["alterations"])) == (1, "float32", 4)
    ended = sslauth("stress", "tiny", "--card", "cards/tiny", "-q")
    assert (ended.out, ended.err) == ("0 missed, 0 false alarms\n", "")


def test_an_altered_encoder_is_an_open_question_here(sslauth: Run) -> None:
    ended = sslauth("stress", "altered", "--card", "cards/tiny")
    assert (ended.status, ended.out) == (3, "")
    assert "is altered to begin with" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [("tiny",), ("tiny", "--card", "cards/tiny", "--seeds", "0"), ("cards", "--card", "cards/tiny")],
)
def test_bad_input_ends_with_2(sslauth: Run, arguments: tuple[str, ...]) -> None:
    ended = sslauth("stress", *arguments)
    assert (ended.status, ended.out) == (2, "")


def test_the_result_does_not_replace_the_card(sslauth: Run) -> None:
    ended = sslauth("stress", "tiny", "--card", "cards/tiny", "--output", "cards/tiny/card.json")
    assert (ended.status, ended.out) == (2, "")
