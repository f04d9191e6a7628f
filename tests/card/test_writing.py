import errno
import os
import resource
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hf_integration.base.errors import OutputError
from hf_integration.card import WatermarkCard, check_writable
from tests.card.synthetic_cards import differences, make_card

NAMES = ["card.json", "card.safetensors", "watermark.png"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def listing(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


class TestExistingOutput:
    def test_a_card_is_not_replaced_unasked(self, folder: Path) -> None:
        before = contents(folder.parent)
        with pytest.raises(OutputError, match="exists already") as caught:
            make_card().save(folder)
        assert caught.value.exit_status == 2
        assert contents(folder.parent) == before

    def test_force_replaces_a_card_whole(self, folder: Path) -> None:
        (folder / "card.json.sig").write_text("a signature of the old card")
        saved = make_card("audio").save(folder, force=True)
        assert differences(saved, WatermarkCard.load(folder)) == []
        assert listing(folder) == NAMES
        assert listing(folder.parent) == ["card"]

    def test_force_writes_where_nothing_lies(self, tmp_path: Path) -> None:
        make_card().save(tmp_path / "card", force=True)
        assert listing(tmp_path) == ["card"]

    def test_force_follows_a_link_to_the_card(self, folder: Path) -> None:
        link = folder.parent / "link"
        link.symlink_to("card")
        make_card("audio").save(link, force=True)
        assert link.is_symlink()
        assert WatermarkCard.load(folder).encoder.modality == "audio"

    @pytest.mark.parametrize(
        "call", [check_writable, lambda folder, force: make_card().save(folder, force=force)]
    )
    def test_force_never_removes_what_is_not_a_card(self, folder: Path, call: Callable[..., object]) -> None:
        (folder / "thesis.tex").write_text("years of work")
        before = contents(folder)
        with pytest.raises(OutputError, match=r"thesis\.tex, which is not part of a card"):
            call(folder, force=True)
        assert contents(folder) == before


@pytest.mark.parametrize("call", [check_writable, lambda folder: make_card().save(folder)])
class TestImpossibleOutput:
    def test_a_file_is_not_a_folder(self, tmp_path: Path, call: Callable[..., object]) -> None:
        (tmp_path / "card").write_text("a file")
        with pytest.raises(OutputError, match="is not a folder"):
            call(tmp_path / "card")

    @pytest.mark.parametrize(
        "name", ["file/card", "/dev/null/card", "/proc/card", "x" * 300, "a\0b", "loop/card"]
    )
    def test_a_path_that_cannot_be_made_is_one_line(
        self, tmp_path: Path, call: Callable[..., object], name: str
    ) -> None:
        (tmp_path / "file").write_text("a file")
        (tmp_path / "loop").symlink_to("loop")
        with pytest.raises(OutputError) as caught:
            call(tmp_path / name)
        assert str(caught.value).isprintable()
        assert listing(tmp_path) == ["file", "loop"]


class TestCheckBeforehand:
    def test_it_leaves_nothing_behind(self, tmp_path: Path) -> None:
        check_writable(tmp_path / "some" / "deep" / "card")
        assert listing(tmp_path) == []

    def test_it_refuses_an_existing_card_unless_forced(self, folder: Path) -> None:
        before = contents(folder.parent)
        with pytest.raises(OutputError, match="exists already"):
            check_writable(folder)
        check_writable(folder, force=True)
        assert contents(folder.parent) == before

    def test_a_folder_of_somebody_else_is_refused(self, unwritable: Path) -> None:
        with pytest.raises(OutputError, match="Permission denied"):
            check_writable(unwritable / "card")

    @pytest.fixture
    def unwritable(self, tmp_path: Path) -> Iterator[Path]:
        tmp_path.chmod(0o500)
        superuser = os.geteuid() == 0  # whom no permission stops
        if superuser:
            os.seteuid(65534)
        yield tmp_path
        if superuser:
            os.seteuid(0)
        tmp_path.chmod(0o700)


class TestInterruption:
    def test_parents_are_made(self, tmp_path: Path) -> None:
        make_card().save(tmp_path / "cards" / "encoder")
        assert listing(tmp_path / "cards" / "encoder") == NAMES

    @pytest.mark.parametrize("force", [False, True])
    @pytest.mark.parametrize("step", range(4))
    @pytest.mark.parametrize(
        "raised", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")]
    )
    def test_nothing_half_written_remains(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, force: bool, step: int, raised: BaseException
    ) -> None:
        target = folder if force else folder.parent / "new" / "card"
        before = contents(folder.parent)
        steps = iter(range(10))
        fsync = os.fsync

        def interrupted(descriptor: int) -> None:
            if next(steps) == step:
                raise raised
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", interrupted)
        expected = OutputError if isinstance(raised, OSError) else KeyboardInterrupt
        with pytest.raises(expected) as caught:
            make_card("audio").save(target, force=force)
        if expected is OutputError:
            assert (
                str(caught.value) == f"cannot write {target}: No space left on device (choose another output)"
            )
        assert contents(folder.parent) == before
        assert listing(folder.parent) == ["card"]

    @pytest.mark.parametrize("raised", [KeyboardInterrupt(), OSError(errno.EIO, "Input/output error")])
    def test_the_old_card_comes_back_when_the_new_cannot_take_its_place(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, raised: BaseException
    ) -> None:
        before = contents(folder.parent)
        rename = Path.rename

        def failing(path: Path, target: Path) -> Path:
            if path.suffix == ".part":
                raise raised
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", failing)
        with pytest.raises((OutputError, KeyboardInterrupt)):
            make_card("audio").save(folder, force=True)
        assert contents(folder.parent) == before

    @pytest.mark.parametrize("limit", [0, 1000, 20_000])
    def test_a_file_system_that_takes_no_more_leaves_nothing(self, tmp_path: Path, limit: int) -> None:
        card = make_card()
        card.save(tmp_path / "rehearsal")  # everything is imported and cached by now
        shutil.rmtree(tmp_path / "rehearsal")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            with pytest.raises(OutputError) as caught:
                card.save(tmp_path / "card")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert str(caught.value) == (
            f"cannot write {tmp_path / 'card'}: File too large (choose another output)"
        )
        assert listing(tmp_path) == []


class TestPermissions:
    @pytest.mark.parametrize(
        ("secret", "of_folder", "of_files"), [(True, 0o700, 0o600), (False, 0o750, 0o640)]
    )
    def test_a_private_card_is_for_its_owner_only(
        self, tmp_path: Path, secret: bool, of_folder: int, of_files: int
    ) -> None:
        before = os.umask(0o027)
        try:
            make_card(secret=secret).save(tmp_path / "card")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "card").stat().st_mode) == of_folder
        assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "card").iterdir()} == {of_files}
        assert WatermarkCard.load(tmp_path / "card").secret is secret

    def test_a_private_card_that_replaces_a_public_one_is_too(self, folder: Path) -> None:
        before = os.umask(0)
        try:
            make_card(secret=True).save(folder, force=True)
            assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            folder.chmod(0o755)  # as somebody may have left them
            for file in folder.iterdir():
                file.chmod(0o644)
            make_card(secret=True).save(folder, force=True)
        finally:
            os.umask(before)
        assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def test_nobody_else_reads_a_private_card_while_it_is_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[tuple[int, int]] = []
        fsync = os.fsync

        def looked_at(descriptor: int) -> None:
            for staging in tmp_path.glob(".*.part"):  # the last call is for the parent, when it has moved
                seen.extend(
                    (stat.S_IMODE(staging.stat().st_mode), stat.S_IMODE(file.stat().st_mode))
                    for file in staging.iterdir()
                )
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", looked_at)
        before = os.umask(0)
        try:
            make_card(secret=True).save(tmp_path / "card")
        finally:
            os.umask(before)
        assert set(seen) == {(0o700, 0o600)}
