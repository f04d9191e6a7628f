import os
import shutil
from pathlib import Path

import pytest

from hf_integration.key_samples.pools.pool import named
from tests.key_samples.pool_files import draw, refusal, save_images


class TestFolders:
    def test_the_seed_decides_and_nothing_else(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        save_images(tmp_path / "a", 12)
        save_images(tmp_path / "a" / "b" / "c", 12, ".bmp")
        first = draw(tmp_path / "a", "image", 6)
        assert draw(tmp_path / "a", "image", 6, seed=1).digest() != first.digest()
        moved = tmp_path / "elsewhere" / "a"
        shutil.copytree(tmp_path / "a", moved)
        walk = os.walk

        def backwards(*arguments, **options):  # type: ignore[no-untyped-def]
            for folder, subfolders, names in walk(*arguments, **options):
                subfolders.reverse()
                yield folder, subfolders, sorted(names, reverse=True)

        monkeypatch.setattr(os, "walk", backwards)
        assert draw(moved, "image", 6).digest() == first.digest()

    def test_the_origin_names_the_folder_without_its_path(self, tmp_path: Path) -> None:
        save_images(tmp_path / "photos", 1)
        assert draw(tmp_path / "photos", "image", 1, seed=3).origin == "pool photos, seed 3"

    def test_other_kinds_and_hidden_files_are_left_aside(self, tmp_path: Path) -> None:
        save_images(tmp_path, 1)
        save_images(tmp_path / ".cache", 1, ".bmp")
        (tmp_path / ".hidden.png").write_bytes(b"broken")
        (tmp_path / "labels.csv").write_text("a,b\n")
        (tmp_path / "folder.png").mkdir()
        os.mkfifo(tmp_path / "pipe.png")
        assert "holds 1 different" in refusal(tmp_path, "image", 2)

    def test_loops_of_links_end(self, tmp_path: Path) -> None:
        save_images(tmp_path, 1)
        (tmp_path / "loop").symlink_to(tmp_path)
        (tmp_path / "self.png").symlink_to("self.png")
        assert len(draw(tmp_path, "image", 1)) == 1
        assert "does not exist" in refusal(tmp_path / "self.png", "image")

    def test_linked_files_are_read(self, tmp_path: Path) -> None:
        target = save_images(tmp_path / "blobs", 1)[0]
        (tmp_path / "snapshot").mkdir()
        (tmp_path / "snapshot" / "a.png").symlink_to(target)
        assert len(draw(tmp_path / "snapshot", "image", 1)) == 1

    def test_another_modality_says_what_was_found_and_needed(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("one")
        (tmp_path / "b.txt").write_text("two")
        (tmp_path / "c.bin").write_text("three")
        message = refusal(tmp_path, "image")
        assert "holds no images: found 2 files of texts, 1 other files" in message
        assert "this encoder takes image" in message
        assert "holds no recordings" in refusal(tmp_path / "a.txt", "audio")

    def test_an_empty_folder_is_refused(self, tmp_path: Path) -> None:
        assert "found nothing" in refusal(tmp_path, "image")

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
    def test_unreadable_places_are_named(self, tmp_path: Path) -> None:
        path = save_images(tmp_path / "a", 1)[0]
        path.chmod(0)
        assert "the file '000.png' cannot be read: Permission denied" in refusal(tmp_path, "image")
        (tmp_path / "a").chmod(0)
        try:
            assert "cannot be read: Permission denied" in refusal(tmp_path, "image")
        finally:
            (tmp_path / "a").chmod(0o700)

    @pytest.mark.parametrize(
        "source", ["", "\0", "x" * 5000, "/no/such/folder", "no-such", "photos/cat.png", "~x/y z"]
    )
    def test_a_missing_pool_is_refused(self, source: str) -> None:
        assert "does not exist" in refusal(source, "image")

    def test_no_samples_are_refused(self, tmp_path: Path) -> None:
        save_images(tmp_path, 1)
        assert "0 key samples" in refusal(tmp_path, "image", 0)

    def test_hostile_names_are_escaped_and_cut(self) -> None:
        assert named("a\x1b]0;\u202egnp\n\ud800") == r"'a\x1b]0;\u202egnp\n\ud800'"
        assert len(named("x" * 10_000)) < 150
