"""Bytes on the disk against the digests of the commit; what was hashed before is not hashed again."""

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hf_integration.base.errors import IntegrityError
from hf_integration.snapshot import verification
from hf_integration.snapshot.hub_errors import HubUnreachableError
from hf_integration.snapshot.listing import RepoFile
from hf_integration.snapshot.verification import Memo, git_oid_of, verify_files

CONTENT = b"weights" * 1000
LARGE = RepoFile("model.safetensors", len(CONTENT), "0" * 40, hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "snapshots" / ("c" * 40)
    folder.mkdir(parents=True)
    blob = tmp_path / "blob"
    blob.write_bytes(CONTENT)
    (folder / LARGE.name).symlink_to(blob)
    return folder


def check(folder: Path, file: RepoFile = LARGE) -> None:
    verify_files(folder, [file], repo="org/name", commit="c" * 40, memo=Memo(folder.parent / "memo"))


def test_the_commits_bytes_are_accepted(folder: Path) -> None:
    check(folder)


def test_small_files_are_named_as_git_names_them(folder: Path) -> None:
    path = folder / LARGE.name
    known = subprocess.run(["git", "hash-object", path], capture_output=True, text=True, check=True)
    assert git_oid_of(path, len(CONTENT)) == known.stdout.strip()
    check(folder, RepoFile(LARGE.name, len(CONTENT), known.stdout.strip()))
    with pytest.raises(IntegrityError, match=": git's SHA-1 "):
        check(folder, RepoFile(LARGE.name, len(CONTENT), "0" * 40))


def test_they_are_named_too_where_sha_1_is_forbidden_for_security(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As OpenSSL forbids it in its FIPS mode; the name that git gives is none that is relied on for it."""
    genuine = hashlib.sha1

    def restricted(content: bytes = b"", *, usedforsecurity: bool = True) -> Any:
        if usedforsecurity:
            raise ValueError("disabled for FIPS")
        return genuine(content, usedforsecurity=False)

    monkeypatch.setattr(hashlib, "sha1", restricted)
    (folder / "small.txt").write_bytes(b"hello\n")
    # git hash-object of "hello\n"
    assert git_oid_of(folder / "small.txt", 6) == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_one_changed_bit_of_the_same_size_is_found_and_named(folder: Path) -> None:
    (folder / LARGE.name).write_bytes(b"\x00" + CONTENT[1:])
    with pytest.raises(IntegrityError, match=r"model\.safetensors is not the commit's: SHA-256") as caught:
        check(folder)
    assert str(LARGE.sha256) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pipe_is_not_waited_for_though_it_has_the_size_of_an_empty_file(folder: Path) -> None:
    os.mkfifo(folder / "empty.txt")
    with pytest.raises(IntegrityError, match=r"empty\.txt is not the commit's: not a regular file"):
        check(folder, RepoFile("empty.txt", 0, "0" * 40))


def test_a_truncated_file_is_found_without_hashing_it(folder: Path) -> None:
    (folder / LARGE.name).write_bytes(CONTENT[:-1])
    with pytest.raises(IntegrityError, match="6999 bytes, not 7000"):
        check(folder)


def test_a_missing_file_is_no_pass(folder: Path) -> None:
    (folder / LARGE.name).unlink()
    with pytest.raises(HubUnreachableError, match="cannot be read") as caught:
        check(folder)
    assert caught.value.remedy == f"delete {folder.parent.parent} and download it again"


def test_a_link_to_itself_is_no_pass(folder: Path) -> None:
    (folder / LARGE.name).unlink()
    (folder / LARGE.name).symlink_to(LARGE.name)
    with pytest.raises(HubUnreachableError, match=r"model\.safetensors cannot be read"):
        check(folder)


def test_an_edit_in_place_with_its_times_set_back_is_found_after_a_check(folder: Path) -> None:
    check(folder)
    path = (folder / LARGE.name).resolve()
    before = path.stat()
    path.write_bytes(b"\x00" + CONTENT[1:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_mtime_ns, after.st_size, after.st_ino) == (
        before.st_mtime_ns,
        before.st_size,
        before.st_ino,
    )
    with pytest.raises(IntegrityError):
        check(folder)


def test_an_untouched_file_is_hashed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Path] = []
    genuine = verification.sha256_of

    def counted(path: Path) -> str:
        hashed.append(path)
        return genuine(path)

    monkeypatch.setattr(verification, "sha256_of", counted)
    check(folder)
    check(folder)
    assert len(hashed) == 1
    (folder / LARGE.name).resolve().touch()
    check(folder)
    assert len(hashed) == 2


def test_what_was_noted_for_other_bytes_does_not_count(folder: Path) -> None:
    check(folder)
    with pytest.raises(IntegrityError):
        check(folder, RepoFile(LARGE.name, LARGE.size, LARGE.git_oid, "0" * 64))


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b"9" * 10_000, b"[" * 4000], ids=len)
def test_a_damaged_note_only_costs_time(folder: Path, note: bytes) -> None:
    check(folder)
    (written,) = (folder.parent / "memo").iterdir()
    written.write_bytes(note)
    check(folder)


def test_without_a_place_for_notes_everything_is_hashed(folder: Path) -> None:
    (folder.parent / "memo").write_text("a file where a folder should be")
    check(folder)
    check(folder)


class TestWhatIsRefused:
    AFTERWARDS = "; if it happens again, do not trust the network in between"

    def test_is_moved_aside_within_the_cache_and_only_there(self, folder: Path) -> None:
        blob = (folder / LARGE.name).resolve()
        blob.write_bytes(b"\x00" + CONTENT[1:])
        with pytest.raises(IntegrityError) as caught:
            check(folder)
        aside = blob.with_name("blob.refused")
        assert caught.value.remedy == f"it was moved to {aside}: try again{self.AFTERWARDS}"
        assert not blob.exists()
        assert aside.read_bytes() == b"\x00" + CONTENT[1:]

    def test_elsewhere_stays_where_it_is(
        self, folder: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        other = tmp_path_factory.mktemp("elsewhere") / "blob"
        other.write_bytes(b"\x00" + CONTENT[1:])
        (folder / LARGE.name).unlink()
        (folder / LARGE.name).symlink_to(other)
        with pytest.raises(IntegrityError) as caught:
            check(folder)
        assert caught.value.remedy == f"delete {folder.parent.parent} and try again{self.AFTERWARDS}"
        assert other.exists()

    def test_is_refused_also_where_it_cannot_be_moved(self, folder: Path) -> None:
        blob = (folder / LARGE.name).resolve()
        blob.write_bytes(b"\x00" + CONTENT[1:])
        (blob.with_name("blob.refused") / "full").mkdir(parents=True)
        with pytest.raises(IntegrityError) as caught:
            check(folder)
        assert caught.value.remedy == f"delete {folder.parent.parent} and try again{self.AFTERWARDS}"

    def test_is_all_found_before_any_of_it_is_said(self, folder: Path) -> None:
        """Trying again then fetches every one of them anew."""
        second = RepoFile("config.json", 2, "0" * 40)
        (folder / second.name).write_bytes(b"{}")
        (folder / LARGE.name).resolve().write_bytes(b"\x00" + CONTENT[1:])
        with pytest.raises(IntegrityError, match=r"model\.safetensors"):
            verify_files(
                folder, [LARGE, second], repo="org/name", commit="c" * 40, memo=Memo(folder.parent / "memo")
            )
        assert not (folder / second.name).exists()
