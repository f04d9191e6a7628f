"""Files are written whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from hf_integration.errors import OutputError
from hf_integration.report.output_files import check_file, write_whole


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "report"
    file.write_text("old and longer")
    write_whole(file, b"new")
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


def test_others_may_read_it_as_the_umask_says(tmp_path: Path) -> None:
    previous = os.umask(0o022)
    try:
        write_whole(tmp_path / "report", b"")
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "report").stat().st_mode) == 0o644


def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "report"
    file.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OutputError, match="No space left"):
        write_whole(file, b"new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_device_is_written_and_not_replaced() -> None:
    write_whole(Path(os.devnull), b"content")
    assert not Path(os.devnull).is_file()


@pytest.mark.parametrize("name", ["missing/report", "."])
def test_what_could_not_be_written_is_known_beforehand(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        check_file(tmp_path / name)
