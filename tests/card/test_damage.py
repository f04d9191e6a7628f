import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hf_integration.card import WatermarkCard
from tests.card.editing import (
    CARD,
    PICTURE,
    TENSORS,
    edit_record,
    edit_text,
    refusal,
    set_to,
)

SKETCHES = "reference.stored.float64.sketches"


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
        ("version", "remedy"), [(3, "upgrade"), (1, "mint the card again"), (10**20, "upgrade")]
    )
    def test_another_version_is_named_beside_the_one_that_is_read(
        self, folder: Path, version: int, remedy: str
    ) -> None:
        edit_record(folder, lambda record: record.update(schema=version, novelty=1))
        error = refusal(folder, CARD, f"version {version}", "reads version 2", remedy)
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


SHAPE = ("conversions", "shapes", "layer.0.weight")
RECIPE = ("conversions", "recipes", 0)


class TestFields:
    @pytest.mark.parametrize(
        ("edit", "field"),
        [
            (set_to("novelty", to=1), "novelty"),
            (set_to("encoder", "novelty", to=1), "encoder.novelty"),
            (set_to("files", "card.pkl", to={}), "files.card.pkl"),
            (lambda record: record.pop("tolerance"), "tolerance"),
            (lambda record: record["files"].pop(PICTURE), "files.watermark.png"),
            (set_to("tolerance", to=0), "tolerance"),
            (set_to("tolerance", to=-0.4), "tolerance"),
            (set_to("tolerance", to="0.4"), "tolerance"),
            (set_to("tolerance", to=True), "tolerance"),
            (set_to("seed", to=-1), "seed"),
            (set_to("seed", to=1 << 128), "seed"),
            (set_to("secret", to=0), "secret"),
            (set_to("created", to="yesterday"), "created"),
            (set_to("references", 0, "benign_margin", to=0.0), "references.0.benign_margin"),
            (set_to("references", 0, "precision", to="float8"), "references.0.precision"),
            (set_to("references", 0, "key_samples", to=0), "references.0.key_samples"),
            (set_to("references", 0, "key_samples", to=12), "references.0.key_samples"),
            (set_to("references", 0, "key_samples", to=8.0), "references.0.key_samples"),
            (set_to("references", 0, "key_samples", to=1 << 40), "references.0.key_samples"),
            (set_to("references", 1, "precision", to="float64"), "references"),
            (set_to("references", to=[]), "references"),
            (set_to("strips", to=[]), "strips"),
            (set_to("strips", to=["one", "one"]), "strips"),
            (set_to("strips", to=[f"layer {i}" for i in range(513)]), "strips"),
            (set_to("tensors", "names", to=[f"t{i}" for i in range(20_001)]), "tensors.names"),
            (set_to("tensors", "names", 0, to="a" * 513), "tensors.names.0"),
            (set_to("tensors", "names", 0, to="layer.1.weight"), "tensors.names"),
            (set_to("tensors", "weights", to=["float16"]), "tensors.weights"),
            (set_to("key_samples", "count", to=0), "key_samples.count"),
            (set_to("key_samples", "count", to=4097), "key_samples.count"),
            (set_to("key_samples", "sha256", to="x" * 64), "key_samples.sha256"),
            (set_to("key_samples", "sha256", to="0" * 64 + "\n"), "key_samples.sha256"),
            (set_to("encoder", "modality", to="video"), "encoder.modality"),
            (set_to("encoder", "commit", to="main"), "encoder.commit"),
            (set_to("encoder", "name", to="org/\x1b]0;owned\x07"), "encoder.name"),
            (set_to("encoder", "name", to="org/\u202egnp.exe"), "encoder.name"),
            (set_to("encoder", "name", to="one\ntwo"), "encoder.name"),
            (set_to("served", "novelty", to=1), "served.novelty"),
            (set_to("served", "length", to=0), "served.length"),
            (set_to("served", "tokens", to=[1, 2]), "served.tokens"),
            (set_to("served", "tokens", 0, to=-1), "served.tokens.0"),
            (set_to("served", "recipes", to=[]), "served.recipes"),
            (set_to("served", "recipes", 1, "names", 0, to="torch"), "served.recipes"),
            (set_to("served", "recipes", 0, "names", to=[]), "served.recipes.0.names"),
            (set_to("served", "recipes", 0, "names", 0, to="a\x1b[2J"), "served.recipes.0.names.0"),
            (set_to("served", "recipes", 0, "noise", to=-1.0), "served.recipes.0.noise"),
            (set_to("served", "recipes", 0, "noise", to=1.0), "served.recipes.0.noise"),
            (set_to("served", "recipes", 0, "floor", to=0.0), "served.recipes.0.floor"),
            (set_to("served", "recipes", 0, "width", to=0), "served.recipes.0.width"),
            (set_to("served", "recipes", 0, "width", to=1 << 20), "served.recipes.0.width"),
            (set_to("conversions", "novelty", to=1), "conversions.novelty"),
            (set_to("conversions", "shapes", to={}), "conversions.shapes"),
            (
                set_to(*SHAPE, to=[0]),
                "conversions.shapes.layer.0.weight.0",
            ),
            (
                set_to(*SHAPE, to=[1.0]),
                "conversions.shapes.layer.0.weight.0",
            ),
            (
                set_to(*SHAPE, to=[1] * 9),
                "conversions.shapes.layer.0.weight",
            ),
            (set_to("conversions", "shapes", to={f"t{i}": [1] for i in range(20_001)}), "conversions.shapes"),
            (set_to("conversions", "forms", to=["a", "a"]), "conversions.forms"),
            (set_to("conversions", "forms", to=[f"f{i}" for i in range(65)]), "conversions.forms"),
            (set_to("conversions", "forms", 0, to="a\x1b[2J"), "conversions.forms.0"),
            (set_to("conversions", "texts", to=0), "conversions.texts"),
            (set_to("conversions", "texts", to=8193), "conversions.texts"),
            (set_to("conversions", "texts", to="5"), "conversions.texts"),
            (lambda record: record["conversions"].pop("texts"), "conversions.texts"),
            (lambda record: record["conversions"].pop("forms"), "conversions.forms"),
            (lambda record: record["conversions"].pop("shapes"), "conversions.shapes"),
            (lambda record: record["conversions"].pop("recipes"), "conversions.recipes"),
            (set_to(*RECIPE, "name", to="a\x1b[2J"), "conversions.recipes.0.name"),
            (set_to(*RECIPE, "rules", to=[]), "conversions.recipes.0.rules"),
            (set_to(*RECIPE, "rules", 0, to="of nobody"), "conversions.recipes"),
            (set_to(*RECIPE, "width", to=0), "conversions.recipes.0.width"),
            (set_to(*RECIPE, "novelty", to=1), "conversions.recipes.0.novelty"),
            (
                lambda record: record["conversions"]["recipes"].append(record["conversions"]["recipes"][0]),
                "conversions.recipes",
            ),
            (set_to("libraries", "torch\x1b[2J", to="1"), "libraries"),
            (set_to("behaviour", "config.json\x1b[2J", to={}), "behaviour"),
            (set_to("behaviour", "config.json", "key\x00", to=1), "behaviour.config.json"),
            (set_to("coverage", "deep", to=[{"a": ["\x1b[2J"]}]), "coverage.deep"),
            (lambda record: record["coverage"].pop("measured"), "coverage.measured"),
            (set_to("coverage", "measured", to=False), "coverage."),
            (set_to("coverage", "measured", to=1), "coverage.measured"),
            (set_to("coverage", "key samples", to=0), "coverage.key samples"),
            (set_to("coverage", "key_samples", to=3), "coverage.key_samples"),
            (set_to("coverage", "edit", to=True), "coverage.edit"),
            (set_to("coverage", "precisions", "float8", to={}), "coverage.precisions.float8"),
            (set_to("coverage", "precisions", "float64", "met", to=1e3), "coverage.precisions.float64.met"),
            (set_to("coverage", "cannot matter", 0, to="\x1b[2J"), "coverage.cannot matter.0"),
            (set_to("coverage", "cannot matter", to=["a"] * 20_001), "coverage.cannot matter"),
            (set_to("coverage", "rows without key sample", "a", to=[1]), "coverage.rows without"),
            (set_to("coverage", "layer inputs", "layer.0", to=[]), "coverage.layer inputs.layer.0"),
            (set_to("coverage", "layer inputs", "layer.1", "condition", to="1"), "coverage.layer inputs"),
            (set_to("coverage", to=[]), "coverage"),
            (set_to("coverage", to=None), "coverage"),
            (set_to("floor", "deep", to={"\x1b[2J": 1}), "floor"),
            (set_to("floor", to=None), "floor"),
            (set_to("\x1b[2J\u202e", to=1), "\\x1b[2J\\u202e"),
            (set_to("files", PICTURE, "bytes", to=1 << 23), "files.watermark.png.bytes"),
            (set_to("files", TENSORS, "bytes", to=1 << 40), "files.card.safetensors.bytes"),
        ],
    )
    def test_a_field_out_of_bounds_is_named(
        self, folder: Path, edit: Callable[[dict[str, Any]], object], field: str
    ) -> None:
        edit_record(folder, edit)
        assert refusal(folder, CARD).field.startswith(field)


def test_spaces_in_card_json_change_the_identity_but_not_the_card(folder: Path) -> None:
    before = WatermarkCard.load(folder).digest
    (folder / CARD).write_text(json.dumps(json.loads((folder / CARD).read_text())))
    assert WatermarkCard.load(folder).digest != before


def _twice(record: Any) -> Any:
    return record["conversions"]["recipes"] * 2
