"""Cards whose watermark is their key images: what they show is what they check, or they are refused."""

import hashlib
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from safetensors.torch import load

from hf_integration.base.errors import OutputError
from hf_integration.card import WatermarkCard
from hf_integration.card.key_images import MOST_IMAGES, draw_images, layout_of_images
from hf_integration.key_samples.encoding import encode_image, encode_samples
from hf_integration.key_samples.samples import Image, KeySamples
from tests.card.editing import (
    CARD,
    PICTURE,
    TENSORS,
    edit_record,
    edit_tensors,
    refusal,
    replace_file,
    set_to,
)
from tests.card.synthetic_cards import differences, make_card

KEYS = 9


@pytest.fixture(scope="module")
def card() -> WatermarkCard:
    return make_card("image", keys=KEYS, motif="samples")


@pytest.fixture(scope="module")
def written(card: WatermarkCard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "card"
    card.save(folder)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "card"))


class TestDrawing:
    def tile(self, *images: Image, place: int = 0) -> torch.Tensor:
        samples = KeySamples(list(images), origin="")
        layout = layout_of_images(len(images))
        return layout.cut(draw_images(samples))[place]

    def plain(self, *colour: int, size: tuple[int, int] = (40, 40)) -> Image:
        return np.full((*size, 3), colour, np.uint8)

    @pytest.mark.parametrize(
        ("colour", "grey"),
        [((255, 255, 255), 255), ((0, 0, 0), 0), ((255, 0, 0), 76), ((0, 255, 0), 149), ((0, 0, 255), 29)],
    )
    def test_a_colour_is_as_bright_as_it_looks(self, colour: tuple[int, ...], grey: int) -> None:
        assert set(self.tile(self.plain(*colour)).tolist()) == {grey}

    @pytest.mark.parametrize("size", [(1, 1), (1, 1024), (31, 7), (32, 32), (33, 33), (100, 224), (1024, 3)])
    def test_an_image_of_any_size_fills_its_tile(self, size: tuple[int, int]) -> None:
        assert self.tile(self.plain(200, 200, 200, size=size)).tolist() == [200] * 32 * 32

    def test_an_image_of_the_size_of_a_tile_is_shown_as_it_is(self) -> None:
        grey = np.arange(32 * 32).reshape(32, 32, 1) % 256
        shown = self.tile(grey.repeat(3, axis=2).astype(np.uint8))
        assert torch.equal(shown, torch.from_numpy(grey.flatten().astype(np.uint8)))

    def test_larger_ones_are_averaged_and_only_the_middle_square_is_shown(self) -> None:
        image = np.zeros((64, 80, 3), np.uint8)
        image[::2, 8:72] = 100  # every second row of the middle
        image[:, :8] = image[:, 72:] = 255
        assert set(self.tile(image).tolist()) == {50}

    def test_tiles_of_means_show_means(self) -> None:
        images = [self.plain(shade, shade, shade) for shade in range(0, 180, 20)]
        tiles = [set(self.tile(*images, place=place).tolist()) for place in range(16)]
        # nine images, their first eight (a mean of 70), the last one (160), and five times all of them (80)
        assert tiles == [*({shade} for shade in range(0, 180, 20)), {70}, {160}, *([{80}] * 5)]

    @pytest.mark.parametrize(("keys", "side"), [(1, 32), (64, 32), (65, 16), (MOST_IMAGES, 16)])
    def test_tiles_are_smaller_where_there_are_many(self, keys: int, side: int) -> None:
        assert layout_of_images(keys).tile == side

    def test_it_never_changes(self, card: WatermarkCard) -> None:
        """Cards in circulation do not store what they draw: another way of drawing needs a new schema."""
        assert hashlib.sha256(card.watermark.numpy().tobytes()).hexdigest()[:16] == "0a8505095051e3ad"


class TestReading:
    def test_a_card_reads_as_it_was_written(self, card: WatermarkCard, written: Path) -> None:
        loaded = WatermarkCard.load(written)
        assert differences(card, loaded) == []
        assert loaded.motif == "samples"

    def test_it_says_what_it_draws_and_stores_neither_picture_nor_generator(self, written: Path) -> None:
        assert json.loads((written / CARD).read_text())["watermark"] == "samples"
        assert not {"watermark", "generator.head"} & set(load((written / TENSORS).read_bytes()))

    def test_its_picture_is_for_people(self, card: WatermarkCard, written: Path) -> None:
        with PIL.Image.open(written / PICTURE) as picture:
            assert np.array_equal(np.asarray(picture.convert("L")), card.watermark.numpy())

    def test_other_cards_have_no_such_key(self, tmp_path: Path) -> None:
        make_card("image").save(tmp_path / "card")
        assert "watermark" not in json.loads((tmp_path / "card" / CARD).read_text())

    def test_as_many_images_as_can_be_drawn_are_read(self, tmp_path: Path) -> None:
        card = make_card("image", keys=MOST_IMAGES, strips=1, motif="samples")
        assert differences(card, card.save(tmp_path / "card")) == []


@pytest.mark.parametrize("value", [None, "", "padlock", "Samples", 1, True, ["samples"], {"samples": 32}])
def test_another_watermark_than_those_that_are_known_is_refused(folder: Path, value: object) -> None:
    edit_record(folder, set_to("watermark", to=value))
    assert refusal(folder, CARD).field == "watermark"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (set_to("secret", to=True), "secret"),
        (set_to("encoder", "modality", to="text"), "takes text"),
        (set_to("encoder", "modality", to="audio"), "takes audio"),
        (set_to("key_samples", "count", to=MOST_IMAGES + 1), f"at most {MOST_IMAGES}"),
    ],
)
def test_a_card_that_cannot_have_this_watermark_is_refused(
    folder: Path, edit: Callable[[Any], None], said: str
) -> None:
    edit_record(folder, edit)
    assert refusal(folder, CARD, said).field == "watermark"


class TestStatingOneWatermarkAndCarryingAnother:
    def test_a_card_of_images_that_says_it_has_a_picture(self, folder: Path) -> None:
        edit_record(folder, lambda record: record.pop("watermark"))
        refusal(folder, TENSORS, "missing")

    def test_a_card_of_a_picture_that_says_it_has_images(self, tmp_path: Path) -> None:
        make_card("image", keys=KEYS).save(tmp_path / "card")
        edit_record(tmp_path / "card", set_to("watermark", to="samples"))
        refusal(tmp_path / "card", TENSORS, "unknown tensor")

    @pytest.mark.parametrize("name", ["watermark", "generator.head"])
    def test_a_card_of_images_that_brings_its_own(self, folder: Path, name: str) -> None:
        edit_tensors(folder, lambda tensors: tensors.update({name: torch.zeros(8, 8)}))
        refusal(folder, TENSORS, "unknown tensor")

    def test_another_png(self, folder: Path, card: WatermarkCard) -> None:
        pixels = card.watermark.numpy()[..., None].repeat(3, axis=2)
        pixels[0, 0] ^= 1
        replace_file(folder, PICTURE, encode_image(pixels))
        refusal(folder, PICTURE, "other images than the key samples")

    @pytest.mark.parametrize("kind", ["grey", "smaller", "no picture"])
    def test_a_png_that_no_card_has(self, folder: Path, card: WatermarkCard, kind: str) -> None:
        buffer = io.BytesIO()
        image = PIL.Image.fromarray(card.watermark.numpy())
        (image.resize((5, 5)).convert("RGB") if kind == "smaller" else image).save(buffer, "PNG")
        replace_file(folder, PICTURE, b"PNG" if kind == "no picture" else buffer.getvalue())
        refusal(folder, PICTURE)

    def test_other_key_samples(self, folder: Path, card: WatermarkCard) -> None:
        turned = KeySamples(list(card.key_samples)[::-1], origin=card.key_samples.origin)
        blobs = encode_samples(turned)
        sizes = torch.tensor([0, *(len(blob) for blob in blobs)])
        stored = torch.frombuffer(bytearray(b"".join(blobs)), dtype=torch.uint8)
        edit_tensors(
            folder,
            lambda tensors: tensors.update(
                {"key_samples.bytes": stored, "key_samples.offsets": sizes.cumsum(0)}
            ),
        )
        edit_record(folder, set_to("key_samples", "sha256", to=turned.digest()))
        refusal(folder, PICTURE, "other images than the key samples")


@pytest.mark.parametrize(
    "change",
    [
        {"secret": True},
        {"watermark": torch.zeros(96, 96, dtype=torch.uint8)},
        {"key_samples": KeySamples([np.zeros((8, 8, 3), np.uint8)] * KEYS, origin="elsewhere")},
        {"motif": "padlock"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_no_such_card_is_written(card: WatermarkCard, change: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="watermark"):
        replace(card, **change).save(tmp_path / "card")
    assert list(tmp_path.iterdir()) == []


def test_nor_one_of_texts(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="takes text"):
        replace(make_card("text"), motif="samples").save(tmp_path / "card")
