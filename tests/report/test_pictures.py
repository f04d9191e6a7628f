"""Pictures of checks, looked at pixel by pixel."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from hf_integration.authentication import Authentication, Reconstruction, reconstruct
from hf_integration.base.errors import OutputError
from hf_integration.card import WatermarkCard
from hf_integration.report.colors import BANNERS, BROKEN
from hf_integration.report.pictures import BANNER, LABEL, MARGIN, draw_picture, write_picture
from hf_integration.verdict import Status
from tests.card.synthetic_cards import make_card
from tests.report.verdicts import AUTHENTIC

Picture = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def card() -> WatermarkCard:
    return make_card(keys=9, strips=5)


def authentication(card: WatermarkCard, reconstruction: Reconstruction, status: Status) -> Authentication:
    verdict = replace(AUTHENTIC, status=status, strips=reconstruction.strips, margin=reconstruction.margin)
    return Authentication(verdict, reconstruction)


def intact(card: WatermarkCard) -> Authentication:
    reference = card.references[0]
    sketches = dict(zip(card.strips, reference.sketches, strict=True))
    return authentication(card, reconstruct(card, reference, sketches), "authentic")


def broken(card: WatermarkCard, *, strip: int, key: int, by: float) -> Authentication:
    reference = card.references[0]
    sketches = {name: sketch.clone() for name, sketch in zip(card.strips, reference.sketches, strict=True)}
    sketches[card.strips[strip]][key] += by
    return authentication(card, reconstruct(card, reference, sketches), "altered")


def pixels(of: Authentication, card: WatermarkCard) -> Picture:
    return np.asarray(draw_picture(of, card))


def frames(picture: Picture) -> int:
    """Pixels in the colour of the frames, letters left aside: those are smoothed and lie apart."""
    return int((picture == BROKEN).all(-1).sum())


class TestTiles:
    def test_an_intact_watermark_has_no_frame(self, card: WatermarkCard) -> None:
        assert frames(pixels(intact(card), card)) == 0

    def test_more_broken_tiles_have_more_frames(self, card: WatermarkCard) -> None:
        none = frames(pixels(intact(card), card))
        one_strip = frames(pixels(broken(card, strip=3, key=0, by=1.0), card))
        not_a_number = frames(pixels(broken(card, strip=3, key=0, by=float("nan")), card))
        assert none < 100 < one_strip
        assert not_a_number >= one_strip

    def test_the_frame_lies_on_the_tile_that_broke(self, card: WatermarkCard) -> None:
        check = broken(card, strip=0, key=0, by=1.0)
        only_first = torch.zeros_like(check.reconstruction.broken)
        only_first[0, 0] = True
        marked = Authentication(check.verdict, replace(check.reconstruction, broken=only_first))
        clean = Authentication(
            check.verdict, replace(check.reconstruction, broken=torch.zeros_like(only_first))
        )
        differing = (pixels(marked, card) != pixels(clean, card)).any(-1)
        rows, columns = np.nonzero(
            differing[BANNER + MARGIN + LABEL :]
        )  # below the captions, which count the tiles
        scale = round(144 / len(card.watermark))
        assert rows.max() - rows.min() + 1 <= 8 * scale
        assert columns.max() - columns.min() + 1 == 8 * scale

    def test_the_expected_watermark_is_drawn_for_every_strip(self, card: WatermarkCard) -> None:
        picture = pixels(intact(card), card)
        scale = round(144 / len(card.watermark))
        wanted = card.watermark.numpy().repeat(scale, 0).repeat(scale, 1)
        side = len(wanted)
        found = sum(
            np.array_equal(picture[y : y + side, x : x + side, 0], wanted)
            for y in range(100, len(picture) - side + 1)
            for x in range(0, picture.shape[1] - side + 1, 8)
            if picture[y, x, 0] == wanted[0, 0]
        )
        assert found >= len(card.strips)


class TestBanner:
    @pytest.mark.parametrize("status", ["authentic", "altered", "inconclusive"])
    def test_its_colour_is_the_status(self, card: WatermarkCard, status: Status) -> None:
        check = intact(card)
        picture = pixels(authentication(card, check.reconstruction, status), card)
        assert tuple(picture[2, 2]) == BANNERS[status]

    def test_hostile_names_are_drawn_as_text(self, card: WatermarkCard) -> None:
        check = intact(card)
        named = Authentication(
            replace(check.verdict, encoder="\x00\n\u202e\udc80" * 100), check.reconstruction
        )
        assert draw_picture(named, card).width > 800


class TestFile:
    def test_it_is_a_png_and_wider_than_high(self, card: WatermarkCard, tmp_path: Path) -> None:
        write_picture(tmp_path / "check.png", intact(card), card)
        with Image.open(tmp_path / "check.png") as picture:
            assert picture.format == "PNG"
            assert picture.width > 1.2 * picture.height
        assert [file.name for file in tmp_path.iterdir()] == ["check.png"]

    @pytest.mark.parametrize("strips", [1, 2, 12, 40])
    def test_any_number_of_strips_fits(self, strips: int) -> None:
        card = make_card(keys=3, strips=strips)
        picture = draw_picture(intact(card), card)
        assert picture.width * picture.height < 20e6

    def test_a_missing_folder_is_an_output_error(self, card: WatermarkCard, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="cannot write"):
            write_picture(tmp_path / "missing" / "check.png", intact(card), card)

    def test_a_full_disk_is_an_output_error(self, card: WatermarkCard) -> None:
        with pytest.raises(OutputError, match="No space left"):
            write_picture(Path("/dev/full"), intact(card), card)
