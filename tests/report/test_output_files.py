"""Files are written whole or not at all."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hf_integration.base.errors import OutputError
from hf_integration.base.output_files import check_apart, check_file, check_own, write_whole


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


class TestCheckApart:
    @pytest.fixture
    def key(self, tmp_path: Path) -> Path:
        file = tmp_path / "key.pem"
        file.write_text("secret")
        return file

    def test_a_file_that_was_read_is_refused_by_every_name(self, key: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("key.pem")
        (tmp_path / "hard").hardlink_to(key)
        (tmp_path / "to-folder").symlink_to(tmp_path)
        for name in (
            "key.pem",
            "link",
            "hard",
            "to-folder/key.pem",
            "to-folder/../" + tmp_path.name + "/key.pem",
        ):
            with pytest.raises(OutputError, match="which this command reads or writes"):
                check_apart(tmp_path / name, key)
            with pytest.raises(OutputError):
                check_apart(key, tmp_path / name)

    def test_a_file_that_is_not_there_yet_is_the_same_by_its_name(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError):
            check_apart(tmp_path / "new", tmp_path / "." / "new")
        (tmp_path / "dangling").symlink_to("new")
        with pytest.raises(OutputError):
            check_apart(tmp_path / "dangling", tmp_path / "new")

    def test_a_file_in_a_folder_that_was_read_is_refused(self, key: Path, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="it lies in"):
            check_apart(key, tmp_path)

    def test_other_files_and_devices_are_not(self, key: Path, tmp_path: Path) -> None:
        (tmp_path / "other").write_text("secret")
        check_apart(tmp_path / "other", key, tmp_path / "absent")
        check_apart(Path(os.devnull), Path(os.devnull))

    def test_links_in_a_circle_end(self, key: Path, tmp_path: Path) -> None:
        (tmp_path / "circle").symlink_to("circle")
        check_apart(tmp_path / "circle", key)


WRITES = r"""
import sys
from pathlib import Path
from hf_integration.base.output_files import write_whole
stream = sys.stderr if "err" in sys.argv[1] else sys.stdout
print("before", file=stream, flush=True)
write_whole(Path(sys.argv[1]), b"report\n")
print("after", file=stream, flush=True)
"""


class TestLinks:
    """A link stays a link, wherever it leads."""

    def test_what_it_leads_to_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("old")
        (tmp_path / "link").symlink_to("file")
        write_whole(tmp_path / "link", b"new")
        assert (tmp_path / "link").readlink() == Path("file")
        assert (tmp_path / "file").read_bytes() == b"new"

    def test_one_that_leads_nowhere_yet_makes_the_file(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("file")
        write_whole(tmp_path / "link", b"new")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "file").read_bytes() == b"new"

    @pytest.mark.skipif(not Path("/dev/fd").exists(), reason="this system names no open files")
    @pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/stderr"])
    def test_an_open_file_is_written_behind_what_is_there(self, name: str, tmp_path: Path) -> None:
        with (tmp_path / "out").open("wb") as out:
            stdout, stderr = (None, out) if name == "/dev/stderr" else (out, None)
            subprocess.run([sys.executable, "-c", WRITES, name], check=True, stdout=stdout, stderr=stderr)
        assert (tmp_path / "out").read_text() == "before\nreport\nafter\n"
        if name.startswith("/dev/std"):
            assert Path(name).is_symlink()

    def test_a_link_to_a_device_is_written_to(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(os.devnull)
        write_whole(tmp_path / "link", b"content")
        assert (tmp_path / "link").is_symlink()

    def test_a_pipe_with_a_reader_gets_the_report(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with subprocess.Popen(["cat", str(tmp_path / "pipe")], stdout=subprocess.PIPE) as reader:
            write_whole(tmp_path / "pipe", b"report")
            assert reader.communicate(timeout=30)[0] == b"report"
        assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)

    def test_several_of_them_stay_links(self, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "other").symlink_to("folder")
        (tmp_path / "folder" / "second").symlink_to("../file")
        (tmp_path / "first").symlink_to("other/second")
        check_file(tmp_path / "first")
        write_whole(tmp_path / "first", b"new")
        assert (tmp_path / "file").read_bytes() == b"new"
        assert all((tmp_path / name).is_symlink() for name in ("first", "other", "folder/second"))

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system names no open files so")
    @pytest.mark.parametrize(
        "name", ["/dev/stdout", "/proc/self/fd/1", "/proc/thread-self/fd/1", "/proc/{}/fd/1"]
    )
    def test_what_a_log_held_before_stays(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("yesterday\n")
        with (tmp_path / "out").open("ab") as out:
            code = WRITES.replace("sys.argv[1])", "sys.argv[1].format(__import__('os').getpid()))")
            subprocess.run([sys.executable, "-c", code, name], check=True, stdout=out)
        assert (tmp_path / "out").read_text() == "yesterday\nbefore\nreport\nafter\n"

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system names no open files so")
    def test_an_open_file_of_another_process_is_written_to(self, tmp_path: Path) -> None:
        with (tmp_path / "log").open("wb") as log:
            other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=log)
            number = (tmp_path / "log").stat().st_ino
            write_whole(Path(f"/proc/{other.pid}/fd/1"), b"report\n")
            other.communicate(b"\n", timeout=60)
        assert (tmp_path / "log").read_bytes() == b"report\n"
        assert (tmp_path / "log").stat().st_ino == number

    @pytest.mark.parametrize("name", ["pipe", "link"])
    def test_a_pipe_that_somebody_reads_is_written_to(self, name: str, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "link").symlink_to("pipe")
        read: list[bytes] = []
        reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()), daemon=True)
        reader.start()
        write_whole(tmp_path / name, b"report")
        reader.join(60)
        assert read == [b"report"]
        assert (tmp_path / "pipe").is_fifo()

    @pytest.mark.parametrize("leads_to", ["link", "absent/file", "."])
    def test_one_that_leads_to_no_file_is_refused_before_the_work_and_after_it(
        self, leads_to: str, tmp_path: Path
    ) -> None:
        (tmp_path / "link").symlink_to(leads_to)
        for write in (check_file, lambda path: write_whole(path, b"new")):
            with pytest.raises(OutputError, match="cannot write"):
                write(tmp_path / "link")
        assert list(tmp_path.iterdir()) == [tmp_path / "link"]
        assert (tmp_path / "link").is_symlink()

    def test_one_that_the_system_does_not_follow_is_not_followed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """``fs.protected_symlinks``: another user's link in a folder where everybody may write."""
        (tmp_path / "file").write_text("old")
        (tmp_path / "link").symlink_to("file")

        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(OutputError, match="Permission denied"):
            write_whole(tmp_path / "link", b"new")
        with pytest.raises(OutputError, match="Permission denied"):
            check_file(tmp_path / "link")
        assert (tmp_path / "file").read_text() == "old"


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "folder"])
def test_a_name_that_was_chosen_here_is_written_as_a_regular_file_only(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "report"
    check_own(file)
    file.touch()
    check_own(file)
    file.unlink()
    match kind:
        case "folder":
            file.mkdir()
        case "pipe":
            os.mkfifo(file)
        case _:
            file.symlink_to("absent" if kind == "dangling" else __file__)
    with pytest.raises(OutputError, match="no regular file"):
        check_own(file)
