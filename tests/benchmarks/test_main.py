"""What could not be measured is no success."""

from pathlib import Path

import pytest

from tests.benchmarks import __main__ as program
from tests.benchmarks import subjects


def test_nothing_measured_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(subjects.FOLDERS, "minilm", lambda: None)
    monkeypatch.setattr(subjects, "unavailable", [])
    monkeypatch.setattr(subjects, "_subjects", {})
    monkeypatch.setattr("sys.argv", ["benchmarks", "coverage", "margins", "--encoder", "minilm"])
    assert program.main() == 1
    said = capsys.readouterr().out
    assert "FALLS SHORT: minilm: not measured" in said
    assert "All figures" not in said


def test_a_card_that_is_kept_is_not_minted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.tiny_cards import save_with_card

    monkeypatch.setattr(subjects, "shelf", tmp_path)
    monkeypatch.setattr(subjects, "mint", lambda *_, **__: pytest.fail("minted again"))
    _, card = save_with_card(tmp_path / "encoder", tmp_path / "minilm")
    assert subjects.Subject("minilm", tmp_path / "encoder").card.digest == card.digest
    assert f"minted {card.created}" in capsys.readouterr().out
