"""The watermark picture has contrast everywhere, whatever it is made from."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hf_integration.base.errors import UsageError
from hf_integration.card.picture import watermark_picture


@pytest.mark.parametrize("side", [16, 40, 72, 136])
def test_the_padlock_is_black_and_white_at_any_size(side: int) -> None:
    picture = watermark_picture(side)
    assert picture.shape == (side, side)
    assert set(picture.flatten().tolist()) == {-1.0, 1.0}


def test_a_grey_picture_keeps_full_contrast_by_error_diffusion(tmp_path: Path) -> None:
    Image.fromarray(np.full((50, 80, 3), 128, np.uint8)).save(tmp_path / "grey.png")
    picture = watermark_picture(72, tmp_path / "grey.png")
    assert set(picture.flatten().tolist()) == {-1.0, 1.0}
    assert picture.mean().abs() < 0.05


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_a_file_that_is_no_picture_is_a_usage_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(UsageError, match=r"bad\.png"):
        watermark_picture(72, tmp_path / "bad.png")


def test_a_missing_picture_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none"):
        watermark_picture(72, tmp_path / "none.png")


@pytest.mark.parametrize("kind", ["pipe", "endless device", "folder"])
def test_what_is_no_regular_file_is_not_opened(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "picture.png"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="cannot read the watermark picture"):
        watermark_picture(72, place)


def test_a_given_picture_is_the_watermark(tmp_path: Path) -> None:
    black = np.zeros((72, 72), np.uint8)
    black[:, 36:] = 255
    Image.fromarray(black).save(tmp_path / "half.png")
    picture = watermark_picture(72, tmp_path / "half.png")
    assert torch.equal(picture, torch.from_numpy(black / 127.5 - 1))
