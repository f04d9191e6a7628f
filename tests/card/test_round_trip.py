import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from hf_integration.base.errors import OutputError
from hf_integration.base.vocabulary import Modality, Precision, Weights
from hf_integration.card import WatermarkCard
from hf_integration.card.coverage import NotMeasured
from hf_integration.encoders.identity.behaviour import Behaviour
from hf_integration.watermark import Generator
from tests.card.synthetic_cards import differences, make_card


@pytest.mark.parametrize("modality", ["text", "image", "audio"])
def test_a_card_reads_as_it_was_written(modality: Modality, tmp_path: Path) -> None:
    card = make_card(modality, keys=9)
    saved = card.save(tmp_path / "card")
    loaded = WatermarkCard.load(tmp_path / "card")
    assert differences(card, loaded) == []
    assert (saved.digest, saved.location) == (loaded.digest, str(tmp_path / "card"))
    assert [
        torch.equal(a.sketches, b.sketches) for a, b in zip(saved.references, loaded.references, strict=True)
    ]


def test_the_digest_of_card_json_is_the_identity(folder: Path) -> None:
    digest = hashlib.sha256((folder / "card.json").read_bytes()).hexdigest()
    assert WatermarkCard.load(folder).digest == f"sha256:{digest}"


def test_the_same_card_has_the_same_identity_wherever_it_is_written(tmp_path: Path) -> None:
    assert make_card().save(tmp_path / "a").digest == make_card().save(tmp_path / "b").digest


def test_saving_what_was_loaded_changes_no_byte(folder: Path, tmp_path: Path) -> None:
    again = WatermarkCard.load(folder).save(tmp_path / "again")
    assert again.digest == WatermarkCard.load(folder).digest


def test_the_card_names_its_schema_and_vouches_for_its_other_files(folder: Path) -> None:
    record = json.loads((folder / "card.json").read_text())
    assert (record["format"], record["schema"]) == ("sslauth-watermark-card", 2)
    for name, stated in record["files"].items():
        data = (folder / name).read_bytes()
        assert stated == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_the_picture_shows_the_watermark_enlarged(folder: Path) -> None:
    card = WatermarkCard.load(folder)
    with PIL.Image.open(folder / "watermark.png") as picture:
        assert picture.mode == "L"
        assert np.array_equal(np.array(picture)[::4, ::4], card.watermark.numpy())


def test_a_run_without_its_float64_sibling_keeps_all_digits(tmp_path: Path) -> None:
    runs: tuple[tuple[Weights, Precision], ...] = (("stored", "bfloat16"), ("float16", "float64"))
    card = make_card(runs=runs)
    loaded = card.save(tmp_path / "card")
    assert torch.equal(card.references[0].sketches, loaded.references[0].sketches)


def test_noise_far_below_single_precision_survives(tmp_path: Path) -> None:
    card = make_card()
    card.references[0].calibrations[0].noise.fill_(1e-270)
    assert float(card.save(tmp_path / "card").references[0].calibrations[0].noise[0]) == 1e-270


def test_a_real_card_stays_small(tmp_path: Path) -> None:
    runs: list[tuple[Weights, Precision]] = [("stored", "float16"), ("stored", "bfloat16")]
    for weights in ("stored", "float16", "bfloat16"):
        runs += [(weights, "float64"), (weights, "float32")]
    make_card(keys=64, strips=9, runs=tuple(runs)).save(tmp_path / "card")
    assert sum(file.stat().st_size for file in (tmp_path / "card").iterdir()) < 2_000_000


def test_card_json_cannot_steer_a_terminal(tmp_path: Path) -> None:
    card = make_card()
    behaviour = Behaviour({"config.json": {"template": "\x1b[2J\u202eü"}})
    loaded = replace(card, behaviour=behaviour).save(tmp_path / "card")
    assert loaded.behaviour == behaviour
    assert (tmp_path / "card" / "card.json").read_text().replace("\n", "").isprintable()


class TestACardThatCouldNotBeReadIsNotWritten:
    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"encoder_name": "a\x1b[2Jb"}, "encoder.name"),
            ({"tolerance": float("nan")}, "JSON"),
            ({"tolerance": 0.0}, "tolerance"),
            ({"seed": 3}, "seed"),
            ({"commit": "main"}, "encoder.commit"),
            ({"strips": ("one", "one")}, "strips"),
            ({"strips": ("one",)}, "reference.stored.float64.sketches"),
            ({"references": ()}, "references"),
            ({"digests": {}}, "tensors"),
            ({"digests": {"stored": {"a": b"short"}}}, "tensors.stored"),
            ({"digests": {"stored": {"a": bytes(32)}, "float16": {"b": bytes(32)}}}, "float16"),
            (
                {"behaviour": Behaviour({"config.json": {"labels": {0: "zero"}}})},
                "behaviour.config.json.labels",
            ),
            ({"behaviour": Behaviour({"config.json": {"size": (1, 2)}})}, "behaviour.config.json.size"),
            ({"behaviour": Behaviour({"config.json": {"dtype": torch.float32}})}, "JSON"),
            ({"behaviour": Behaviour({"config.json": {"bias": float("-inf")}})}, "JSON"),
            ({"coverage": NotMeasured(3, False, "\x07")}, "coverage.reason"),
            ({"watermark": torch.full((24, 24), 7, dtype=torch.uint8)}, "watermark"),
            ({"watermark": torch.zeros(8, 8, dtype=torch.uint8)}, "watermark"),
        ],
    )
    def test_and_the_field_is_named(self, change: dict[str, Any], named: str, tmp_path: Path) -> None:
        with pytest.raises(OutputError) as caught:
            replace(make_card(), **change).save(tmp_path / "card")
        assert named in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "\x1b" not in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    def test_nor_one_with_a_weight_that_is_not_a_number(self, tmp_path: Path) -> None:
        card = make_card()
        head = card.generator.head.clone()
        head[0, 0] = torch.nan
        generator = Generator(card.generator.layout, card.seed, head)
        with pytest.raises(OutputError, match=r"generator\.head: holds NaN"):
            replace(card, generator=generator).save(tmp_path / "card")
        assert list(tmp_path.iterdir()) == []


def test_reading_a_card_imports_neither_transformers_nor_pickle_based_loaders(folder: Path) -> None:
    code = (
        "import sys\n"
        "from hf_integration.card import WatermarkCard\n"
        f"WatermarkCard.load({str(folder)!r})\n"
        "print(*{'transformers', 'datasets', 'huggingface_hub', 'joblib'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.strip() == ""
