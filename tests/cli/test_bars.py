"""How far minting is: a bar for each stage, one for all of them, and a time that is not far off."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn

from hf_integration.base.progress import StageLines, about
from hf_integration.cli.bars import Bars
from hf_integration.minting.effort import PASSES
from tests.cli.conftest import Ended
from tests.encoders import tiny_models


def drawn() -> Progress:
    return Progress(
        TextColumn("{task.description}"), MofNCompleteColumn(), console=Console(file=io.StringIO())
    )


def done(progress: Progress) -> dict[str, Any]:
    return {task.description: (task.completed, task.total) for task in progress.tasks}


def test_the_bar_of_all_stages_grows_by_what_each_takes() -> None:
    progress = drawn()
    bars = Bars(progress)
    bars.expect(300.0, {"first": 3.0, "second": 1.0})
    bars.start("first", 6)
    bars.advance(2)
    assert done(progress)["in all, about 5 minutes"] == (pytest.approx(1.0), 4.0)
    bars.start("second", 4)  # the first ended before all of its steps
    assert done(progress)["in all, about 5 minutes"] == (pytest.approx(3.0), 4.0)
    bars.advance(9)  # more steps than were announced
    assert done(progress)["in all, about 5 minutes"] == (pytest.approx(4.0), 4.0)
    bars.start("third", 5)  # which nobody expected
    bars.advance(5)
    bars.finish()
    assert done(progress)["in all, about 5 minutes"] == (pytest.approx(4.0), 4.0)


def test_without_an_expectation_there_are_only_stages() -> None:
    progress = drawn()
    bars = Bars(progress)
    bars.start("first", 6)
    bars.advance(2)
    bars.finish()
    assert done(progress) == {"first": (6.0, 6.0)}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "about 10 seconds"),
        (44.0, "about 40 seconds"),
        (89.0, "about 90 seconds"),
        (90.0, "about 2 minutes"),
        (5000.0, "about 83 minutes"),
        (7000.0, "about 2 hours"),
    ],
)
def test_times_are_said_in_round_numbers(seconds: float, words: str) -> None:
    assert about(seconds) == words


def test_a_log_gets_a_line() -> None:
    said: list[str] = []
    StageLines(said.append).expect(200.0, {})
    assert said == ["this takes about 3 minutes ..."]


def test_minting_says_how_long_it_takes_and_every_stage_of_it_is_expected(
    tmp_path: Path, sslauth: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
    folder = tiny_models.save("bert", tmp_path / "encoder")
    ended = sslauth("mint", folder, "--out", tmp_path / "card", "--keys", "8")
    assert ended.status == 0, ended.err
    assert "this takes about" in ended.err
    stages = re.findall(r"^(\D+) \(\d+\) \.\.\.$", ended.err, re.MULTILINE)
    assert set(stages) == set(PASSES)
