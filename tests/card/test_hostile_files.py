import os
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from hf_integration.base.errors import CardError, CardNotFoundError
from hf_integration.card import WatermarkCard
from hf_integration.card.tensor_file import MOST_SAMPLE_BYTES
from hf_integration.key_samples.encoding import encode_samples
from hf_integration.key_samples.samples import KeySamples
from tests.card.editing import CARD, PICTURE, TENSORS, edit_record, edit_tensors
from tests.card.hostile import DENSE
from tests.card.synthetic_cards import make_card

MEGABYTE = 1 << 20
NAMES = [CARD, TENSORS, PICTURE]


def refusal(folder: Path, *, megabytes: int = 2) -> str:
    """The message of loading the card, once it came with few allocations.

    How long it takes is for ``python -m tests.benchmarks refusals`` to say.
    """
    tracemalloc.start()
    try:
        with pytest.raises(CardError) as caught:
            WatermarkCard.load(folder)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < megabytes * MEGABYTE
    return str(caught.value)


@pytest.fixture(autouse=True)
def _everything_imported(pristine: Path) -> None:
    WatermarkCard.load(pristine)


class TestSizes:
    @pytest.mark.parametrize("name", NAMES)
    def test_an_oversized_file_is_refused_unread(self, folder: Path, name: str) -> None:
        os.truncate(folder / name, 1 << 34)
        assert f"{name}: {1 << 34} bytes" in refusal(folder)

    def test_the_largest_file_of_zeros_is_refused_unread(self, folder: Path) -> None:
        size = 512 * MEGABYTE
        os.truncate(folder / TENSORS, size)
        edit_record(folder, lambda record: record["files"][TENSORS].update(bytes=size))
        assert "holds" in refusal(folder)

    def test_the_largest_counts_allocate_nothing(self, folder: Path) -> None:
        edit_record(folder, lambda record: record["key_samples"].update(count=4096))
        edit_record(folder, lambda record: record["served"].update(tokens=[1] * 4096))
        edit_record(folder, lambda record: record.update(strips=[f"layer {i}" for i in range(512)]))
        assert "by the counts in card.json" in refusal(folder)

    @pytest.mark.parametrize("name", DENSE)
    def test_a_dense_card_json_is_refused_in_little_memory(self, folder: Path, name: str) -> None:
        DENSE[name](folder)
        refusal(folder, megabytes=128)

    def test_samples_that_unpack_to_gigabytes_are_refused(self, tmp_path: Path) -> None:
        count = 200
        make_card("image", keys=count, strips=1).save(tmp_path / "card")
        blank = np.zeros((1024, 1024, 3), np.uint8)
        blob = encode_samples(KeySamples([blank], origin=""))[0]
        assert count * blank.nbytes > MOST_SAMPLE_BYTES

        def edit(tensors: dict[str, torch.Tensor]) -> None:
            tensors["key_samples.bytes"] = torch.frombuffer(bytearray(blob * count), dtype=torch.uint8)
            tensors["key_samples.offsets"] = torch.arange(count + 1) * len(blob)

        edit_tensors(tmp_path / "card", edit)
        edit_record(tmp_path / "card", lambda record: record["key_samples"].update(bytes=len(blob) * count))
        with pytest.raises(CardError, match="unpack to more than"):
            WatermarkCard.load(tmp_path / "card")


class TestSpecialFiles:
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize(
        "make",
        [
            os.mkfifo,
            Path.mkdir,
            lambda path: path.symlink_to("/dev/zero"),
            lambda path: path.symlink_to("/dev/tty"),
            lambda path: path.symlink_to(path.name),
            lambda path: path.symlink_to("missing"),
        ],
        ids=["fifo", "folder", "zeros", "terminal", "loop", "dangling"],
    )
    def test_only_regular_files_are_opened(
        self, folder: Path, name: str, make: Callable[[Path], object]
    ) -> None:
        (folder / name).unlink()
        make(folder / name)
        assert f"{folder / name}: " in refusal(folder)

    def test_links_to_regular_files_are_followed_as_in_the_cache_of_the_hub(self, folder: Path) -> None:
        for name in NAMES:
            (folder / name).rename(folder / f"blob of {name}")
            (folder / name).symlink_to(f"blob of {name}")
        WatermarkCard.load(folder)

    def test_a_picture_of_other_bytes_is_refused_without_being_decoded(self, folder: Path) -> None:
        (folder / PICTURE).write_bytes(zlib.compress(bytes(1000)))
        assert PICTURE in refusal(folder)


class TestNoCard:
    def test_a_missing_folder_is_no_card(self, tmp_path: Path) -> None:
        with pytest.raises(CardNotFoundError, match="no such folder"):
            WatermarkCard.load(tmp_path / "missing")

    @pytest.mark.parametrize(
        "reference", ["./missing", "/missing/card", "a/b/c", "", "a\0b", "../x", "x" * 5000]
    )
    def test_neither_is_a_reference_that_no_repository_can_have(self, reference: str) -> None:
        with pytest.raises(CardNotFoundError) as caught:
            WatermarkCard.load(reference)
        assert caught.value.exit_status == 3
        assert str(caught.value).isprintable()

    def test_nor_is_a_folder_that_holds_a_picture_only(self, folder: Path) -> None:
        (folder / CARD).unlink()
        (folder / TENSORS).unlink()
        with pytest.raises(CardNotFoundError, match="no watermark card in"):
            WatermarkCard.load(folder)

    def test_nor_is_another_file(self, folder: Path) -> None:
        with pytest.raises(CardNotFoundError, match="no watermark card in"):
            WatermarkCard.load(folder / PICTURE)
