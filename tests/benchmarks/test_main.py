"""What could not be measured is no success."""

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
