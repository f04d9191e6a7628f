import json
import math
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from hf_integration.card import WatermarkCard
from hf_integration.errors import CardError
from tests.card.editing import (
    CARD,
    PICTURE,
    TENSORS,
    edit_header,
    edit_record,
    edit_tensors,
    edit_text,
    replace_file,
)
from tests.card.synthetic_cards import make_card

SKETCHES = "reference.stored.float64.sketches"


def refusal(folder: Path, file: str, *parts: str) -> CardError:
    """The error of loading the card, once it is known to be one clear line about that file."""
    with pytest.raises(CardError) as caught:
        WatermarkCard.load(folder)
    message = str(caught.value)
    assert caught.value.exit_status == 4
    assert caught.value.file == str(folder / file)
    assert message.isprintable()
    assert len(message) < 1000
    for part in (str(folder / file), *parts):
        assert part in message
    return caught.value


class TestBytes:
    @pytest.mark.parametrize("name", [CARD, TENSORS, PICTURE])
    @pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
    def test_a_truncated_file_is_named(self, folder: Path, name: str, share: float) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])
        refusal(folder, name)

    @pytest.mark.parametrize("name", [TENSORS, PICTURE])
    def test_one_flipped_bit_is_seen(self, folder: Path, name: str) -> None:
        data = bytearray((folder / name).read_bytes())
        data[-3] ^= 1
        (folder / name).write_bytes(data)
        refusal(folder, name, "SHA-256")

    @pytest.mark.parametrize("name", [TENSORS, PICTURE])
    def test_one_appended_byte_is_seen(self, folder: Path, name: str) -> None:
        with (folder / name).open("ab") as stream:
            stream.write(b"\0")
        refusal(folder, name, "truncated or replaced")

    @pytest.mark.parametrize("name", [TENSORS, PICTURE])
    def test_a_missing_file_is_named(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        refusal(folder, name, "missing")


class TestVersion:
    @pytest.mark.parametrize(
        ("version", "remedy"), [(2, "upgrade"), (0, "mint the card again"), (10**20, "upgrade")]
    )
    def test_another_version_is_named_beside_the_one_that_is_read(
        self, folder: Path, version: int, remedy: str
    ) -> None:
        edit_record(folder, lambda record: record.update(schema=version, novelty=1))
        error = refusal(folder, CARD, f"version {version}", "reads version 1", remedy)
        assert error.field == "schema"

    @pytest.mark.parametrize("version", [True, "1", 1.0, None, [1]])
    def test_a_version_of_another_type_is_refused(self, folder: Path, version: object) -> None:
        edit_record(folder, lambda record: record.update(schema=version))
        refusal(folder, CARD, "schema")

    @pytest.mark.parametrize("text", ['{"format": "other", "schema": 1}', "[]", "null", '"a"', "{}"])
    def test_other_json_is_not_a_card(self, folder: Path, text: str) -> None:
        (folder / CARD).write_text(text)
        refusal(folder, CARD, "not a watermark card")


class TestJson:
    @pytest.mark.parametrize(
        ("old", "new", "part"),
        [
            ('"tolerance": 0.4', '"tolerance": NaN', "NaN is not a JSON number"),
            ('"tolerance": 0.4', '"tolerance": -Infinity', "-Infinity is not a JSON number"),
            ('"tolerance": 0.4', '"tolerance": 1e999', "too large"),
            ('"tolerance": 0.4', '"tolerance": 0.4, "tolerance": 9.0', "tolerance: the key occurs twice"),
            ('"nested": [', '"nested": [], "nested": [', "nested: the key occurs twice"),
            ('"seed": ', f'"seed": {"9" * 5000}', "a number of"),
            ('"tolerance": 0.4', f'"tolerance": 0.{"4" * 100_000}', "a number of"),
            ('"nested": [', f'"nested": {"[" * 40}1{"]" * 40}, "more": [', "nested deeper than 32"),
            ('"nested": [', f'"nested": {"[" * 40_000}', "nested deeper than 32"),
            ('"nested": [', f'"nested": [{"0," * 500_000}0], "more": [', "more than 50000 values"),
            ('"template": "', f'"template": "{"a" * (1 << 21)}', "template: a string of"),
            ('"template": "', '"template": "\\ud800', "template: a string with a lone surrogate"),
            ('"format"', '"format', "not valid JSON at line"),
            ('"secret": false', '"secret": false,,', "not valid JSON at line"),
        ],
    )
    def test_what_strict_readers_disagree_on_is_refused(
        self, folder: Path, old: str, new: str, part: str
    ) -> None:
        edit_text(folder, old, new)
        refusal(folder, CARD, part)

    def test_bytes_that_are_not_utf8_are_refused(self, folder: Path) -> None:
        data = (folder / CARD).read_bytes()
        (folder / CARD).write_bytes(data.replace(b"org/encoder", b"org/\xff"))
        refusal(folder, CARD, "not UTF-8")


def _set(*path: str | int, to: object) -> Callable[[Any], None]:
    def edit(record: Any) -> None:
        for step in path[:-1]:
            record = record[step]
        record[path[-1]] = to

    return edit


class TestFields:
    @pytest.mark.parametrize(
        ("edit", "field"),
        [
            (_set("novelty", to=1), "novelty"),
            (_set("encoder", "novelty", to=1), "encoder.novelty"),
            (_set("files", "card.pkl", to={}), "files.card.pkl"),
            (lambda record: record.pop("tolerance"), "tolerance"),
            (lambda record: record["files"].pop(PICTURE), "files.watermark.png"),
            (_set("tolerance", to=0), "tolerance"),
            (_set("tolerance", to=-0.4), "tolerance"),
            (_set("tolerance", to="0.4"), "tolerance"),
            (_set("tolerance", to=True), "tolerance"),
            (_set("seed", to=-1), "seed"),
            (_set("seed", to=1 << 128), "seed"),
            (_set("secret", to=0), "secret"),
            (_set("created", to="yesterday"), "created"),
            (_set("references", 0, "benign_margin", to=0.0), "references.0.benign_margin"),
            (_set("references", 0, "precision", to="float8"), "references.0.precision"),
            (_set("references", 1, "precision", to="float64"), "references"),
            (_set("references", to=[]), "references"),
            (_set("strips", to=[]), "strips"),
            (_set("strips", to=["one", "one"]), "strips"),
            (_set("strips", to=[f"layer {i}" for i in range(513)]), "strips"),
            (_set("tensors", "names", to=[f"t{i}" for i in range(20_001)]), "tensors.names"),
            (_set("tensors", "names", 0, to="a" * 513), "tensors.names.0"),
            (_set("tensors", "names", 0, to="layer.1.weight"), "tensors.names"),
            (_set("tensors", "weights", to=["float16"]), "tensors.weights"),
            (_set("key_samples", "count", to=0), "key_samples.count"),
            (_set("key_samples", "count", to=4097), "key_samples.count"),
            (_set("key_samples", "sha256", to="x" * 64), "key_samples.sha256"),
            (_set("key_samples", "sha256", to="0" * 64 + "\n"), "key_samples.sha256"),
            (_set("encoder", "modality", to="video"), "encoder.modality"),
            (_set("encoder", "commit", to="main"), "encoder.commit"),
            (_set("encoder", "name", to="org/\x1b]0;owned\x07"), "encoder.name"),
            (_set("encoder", "name", to="org/\u202egnp.exe"), "encoder.name"),
            (_set("encoder", "name", to="one\ntwo"), "encoder.name"),
            (_set("libraries", "torch\x1b[2J", to="1"), "libraries"),
            (_set("behaviour", "config.json\x1b[2J", to={}), "behaviour"),
            (_set("behaviour", "config.json", "key\x00", to=1), "behaviour.config.json"),
            (_set("coverage", "deep", to=[{"a": ["\x1b[2J"]}]), "coverage"),
            (_set("floor", "deep", to={"\x1b[2J": 1}), "floor"),
            (_set("floor", to=None), "floor"),
            (_set("\x1b[2J\u202e", to=1), "\\x1b[2J\\u202e"),
            (_set("files", PICTURE, "bytes", to=1 << 23), "files.watermark.png.bytes"),
            (_set("files", TENSORS, "bytes", to=1 << 40), "files.card.safetensors.bytes"),
        ],
    )
    def test_a_field_out_of_bounds_is_named(
        self, folder: Path, edit: Callable[[dict[str, Any]], object], field: str
    ) -> None:
        edit_record(folder, edit)
        assert refusal(folder, CARD).field.startswith(field)


class TestTensorHeader:
    @pytest.mark.parametrize(
        "edit",
        [
            _set(SKETCHES, "dtype", to="F32"),
            _set(SKETCHES, "dtype", to="BF16"),
            _set(SKETCHES, "dtype", to=["F64"]),
            _set(SKETCHES, "shape", to=[2, 3, 65]),
            _set(SKETCHES, "shape", to=[6, 64]),
            _set(SKETCHES, "shape", to=[1 << 40, 1 << 40]),
            _set(SKETCHES, "shape", to=[-2, -3, 64]),
            _set(SKETCHES, "shape", to=[2.0, 3.0, 64.0]),
            _set(SKETCHES, "shape", to="\x1b[2J"),
            _set(SKETCHES, "shape", to=["x" * 10_000]),
            _set(SKETCHES, "data_offsets", 1, to=1 << 62),
            _set(SKETCHES, "data_offsets", to=[0]),
            _set(SKETCHES, "data_offsets", to=[True, False]),
            _set(SKETCHES, "data_offsets", to=[-3072, 0]),
            _set(SKETCHES, "data_offsets", to=[1, 3073]),
            _set(SKETCHES, "extra", to=1),
            _set(SKETCHES, to=None),
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
        edit_header(folder, _set(name, to={}))
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

        edit_record(folder, grow)
        refusal(folder, TENSORS, "key_samples", "by the counts in card.json")


class TestTensorValues:
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


def test_spaces_in_card_json_change_the_identity_but_not_the_card(folder: Path) -> None:
    before = WatermarkCard.load(folder).digest
    (folder / CARD).write_text(json.dumps(json.loads((folder / CARD).read_text())))
    assert WatermarkCard.load(folder).digest != before


@pytest.mark.parametrize("number", ["created", "tolerance", "seed"])
def test_an_edited_value_is_noticed_whatever_it_is(folder: Path, number: str) -> None:
    record = json.loads((folder / CARD).read_text())
    other = {"created": "2001-02-03T04:05:06Z", "tolerance": record["tolerance"] * 1.01, "seed": 7}
    record[number] = other[number]
    (folder / CARD).write_text(json.dumps(record))
    with pytest.raises(CardError, match="checksum: does not fit"):
        WatermarkCard.load(folder)


def test_another_layout_of_the_same_values_is_the_same_card(folder: Path) -> None:
    record = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps(dict(reversed(record.items()))))
    WatermarkCard.load(folder)


@pytest.mark.parametrize("tolerance", [1.0, 9.3, 1e300])
def test_a_tolerance_that_noise_would_pass_is_refused(folder: Path, tolerance: float) -> None:
    edit_record(folder, lambda record: record.update(tolerance=tolerance))
    with pytest.raises(CardError, match="tolerance"):
        WatermarkCard.load(folder)
