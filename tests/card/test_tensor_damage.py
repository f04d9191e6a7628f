"""Damage inside ``card.safetensors``: header and values."""

import math
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.card.editing import (
    TENSORS,
    edit_header,
    edit_record,
    edit_tensors,
    refusal,
    replace_file,
    set_to,
)
from tests.card.synthetic_cards import make_card

SKETCHES = "reference.stored.float64.sketches"


class TestTensorHeader:
    @pytest.mark.parametrize(
        "edit",
        [
            set_to(SKETCHES, "dtype", to="F32"),
            set_to(SKETCHES, "dtype", to="BF16"),
            set_to(SKETCHES, "dtype", to=["F64"]),
            set_to(SKETCHES, "shape", to=[2, 3, 65]),
            set_to(SKETCHES, "shape", to=[6, 64]),
            set_to(SKETCHES, "shape", to=[1 << 40, 1 << 40]),
            set_to(SKETCHES, "shape", to=[-2, -3, 64]),
            set_to(SKETCHES, "shape", to=[2.0, 3.0, 64.0]),
            set_to(SKETCHES, "shape", to="\x1b[2J"),
            set_to(SKETCHES, "shape", to=["x" * 10_000]),
            set_to(SKETCHES, "data_offsets", 1, to=1 << 62),
            set_to(SKETCHES, "data_offsets", to=[0]),
            set_to(SKETCHES, "data_offsets", to=[True, False]),
            set_to(SKETCHES, "data_offsets", to=[-3072, 0]),
            set_to(SKETCHES, "data_offsets", to=[1, 3073]),
            set_to(SKETCHES, "extra", to=1),
            set_to(SKETCHES, to=None),
            lambda header: header.pop(SKETCHES),
        ],
    )
    def test_a_header_that_card_json_does_not_imply_is_refused(
        self, folder: Path, edit: Callable[[dict[str, Any]], object]
    ) -> None:
        edit_header(folder, edit)
        assert refusal(folder, TENSORS).field == SKETCHES

    def test_two_tensors_on_the_same_bytes_are_refused(self, folder: Path) -> None:
        def overlap(header: dict[str, Any]) -> None:
            noises = [name for name in header if name.endswith(".noise")]
            header[noises[0]]["data_offsets"] = header[noises[1]]["data_offsets"]

        edit_header(folder, overlap)
        refusal(folder, TENSORS, "gap or overlap")

    @pytest.mark.parametrize("name", ["more", "__metadata__", "\x1b[2J"])
    def test_an_unknown_entry_is_refused(self, folder: Path, name: str) -> None:
        edit_header(folder, set_to(name, to={}))
        refusal(folder, TENSORS, "unknown tensor")

    @pytest.mark.parametrize("length", [0, 1, 7, 65_537, 1 << 40, (1 << 64) - 1])
    def test_a_length_of_the_header_that_cannot_be_is_refused(self, folder: Path, length: int) -> None:
        data = (folder / TENSORS).read_bytes()
        replace_file(folder, TENSORS, struct.pack("<Q", length) + data[8:])
        refusal(folder, TENSORS)

    @pytest.mark.parametrize("length", [1, 7, 8, 9])
    def test_a_file_of_a_few_bytes_is_refused(self, folder: Path, length: int) -> None:
        replace_file(folder, TENSORS, b"\1" + bytes(length - 1))
        refusal(folder, TENSORS, "header")

    @pytest.mark.parametrize("header", [b"[]", b"{", b"\xff\xff", b'{"a":1,"a":2}', b"NaN"])
    def test_a_header_of_other_json_is_refused(self, folder: Path, header: bytes) -> None:
        replace_file(folder, TENSORS, struct.pack("<Q", len(header)) + header + bytes(30_000))
        refusal(folder, TENSORS)

    @pytest.mark.parametrize("key", ["count", "bytes"])
    def test_counts_in_card_json_must_fit_the_tensors(self, folder: Path, key: str) -> None:
        def grow(record: dict[str, Any]) -> None:
            record["key_samples"][key] += 1
            record["served"]["tokens"] = [1] * record["key_samples"]["count"]

        edit_record(folder, grow)
        refusal(folder, TENSORS, "key_samples", "by the counts in card.json")


class TestTensorValues:
    def test_a_text_has_one_digest(self, folder: Path) -> None:
        def edit(tensors: dict[str, torch.Tensor]) -> None:
            tensors["conversions.texts"][1] = tensors["conversions.texts"][0]

        edit_tensors(folder, edit)
        assert refusal(folder, TENSORS, "the same text occurs twice").field == "conversions.texts"

    def test_answers_of_a_conversion_are_finite(self, folder: Path) -> None:
        edit_tensors(folder, lambda tensors: tensors["conversions.answers.0"][:1].fill_(math.nan))
        assert refusal(folder, TENSORS, "NaN or infinity").field == "conversions.answers.0"

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    @pytest.mark.parametrize(
        "name",
        ["generator.head", SKETCHES, "reference.stored.float32.sketches", "reference.float16.float32.scales"],
    )
    def test_a_value_that_is_not_finite_is_refused(self, folder: Path, name: str, value: float) -> None:
        edit_tensors(folder, lambda tensors: tensors[name].flatten()[-1:].fill_(value))
        assert refusal(folder, TENSORS, "NaN or infinity").field == name

    @pytest.mark.parametrize("value", [0.0, -1.0, -0.0])
    @pytest.mark.parametrize("part", ["noise", "scales"])
    def test_calibration_must_be_above_zero(self, folder: Path, part: str, value: float) -> None:
        name = f"reference.stored.bfloat16.{part}"
        edit_tensors(folder, lambda tensors: tensors[name].flatten()[:1].fill_(value))
        assert refusal(folder, TENSORS, "not above 0").field == name

    def test_the_watermark_is_black_and_white(self, folder: Path) -> None:
        edit_tensors(folder, lambda tensors: tensors["watermark"].flatten()[:1].fill_(7))
        assert refusal(folder, TENSORS).field == "watermark"

    @pytest.mark.parametrize("offsets", [[1, 2, 3], [0, 0, 3], [0, 9, 3], [0, -1, 3], [0, 1 << 62, 3]])
    def test_key_samples_follow_one_another(self, folder: Path, offsets: list[int]) -> None:
        def edit(tensors: dict[str, torch.Tensor]) -> None:
            tensors["key_samples.offsets"][:3] = torch.tensor(offsets)

        edit_tensors(folder, edit)
        refusal(folder, TENSORS, "key_samples")

    def test_other_key_samples_are_not_those_that_card_json_states(self, folder: Path) -> None:
        edit_tensors(folder, lambda tensors: tensors["key_samples.bytes"][:1].fill_(65))
        refusal(folder, TENSORS, "key_samples.bytes", "SHA-256")

    def test_a_sample_that_cannot_be_decoded_is_named_by_position(self, folder: Path) -> None:
        edit_tensors(folder, lambda tensors: tensors["key_samples.bytes"][-1:].fill_(0xFF))
        assert refusal(folder, TENSORS).field == "key_samples.bytes[2]"

    def test_a_picture_that_would_unpack_to_gigabytes_is_refused(self, tmp_path: Path) -> None:
        make_card("image", keys=1).save(tmp_path / "card")
        header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
        bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))

        def edit(tensors: dict[str, torch.Tensor]) -> None:
            blob = tensors["key_samples.bytes"]
            blob[: len(bomb)] = torch.frombuffer(bytearray(bomb), dtype=torch.uint8)

        edit_tensors(tmp_path / "card", edit)
        assert refusal(tmp_path / "card", TENSORS).field == "key_samples.bytes[0]"
