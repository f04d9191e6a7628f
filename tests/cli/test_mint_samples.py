"""``mint --watermark samples``: the watermark of an image encoder is its key images."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from hf_integration import WatermarkCard
from hf_integration.report.shown import base64_of
from tests.cli.conftest import Ended
from tests.encoders import tiny_models
from tests.tiny_cards import mint_quickly

Run = Callable[..., Ended]
FILE = Path("sslauth.toml")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny encoders of each modality, an altered copy of ``vit``, and cards of it of either kind."""
    from safetensors.torch import load_file, save_file

    root = tmp_path_factory.mktemp("studio")
    for name, kind in (("vit", "vit"), ("text", "bert"), ("audio", "wav2vec2")):
        tiny_models.save(kind, root / name)
    file = Path(shutil.copytree(root / "vit", root / "altered")) / "model.safetensors"
    tensors = load_file(file)
    tensors["encoder.layer.1.output.dense.weight"][0, 0] += 1e-4
    save_file(tensors, file, metadata={"format": "pt"})
    mint_quickly(root / "vit", root / "padlock", modality="image")
    return root


@pytest.fixture(autouse=True)
def here(studio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that tests may write to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
    for name in ("vit", "altered", "text", "audio", "padlock"):
        shutil.copytree(studio / name, tmp_path / name)
    return tmp_path


@pytest.fixture(scope="module")
def minted(studio: Path) -> Path:
    """The card that the command mints."""
    from hf_integration.cli import main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
        out = studio / "drawn"
        words = ["--keys", "5", "--watermark", "samples", "--quiet"]
        assert main(["mint", str(studio / "vit"), "--out", str(out), *words]) == 0
    return out


@pytest.fixture
def drawn(minted: Path, here: Path) -> Path:
    """A copy of it here."""
    return Path(shutil.copytree(minted, here / "drawn"))


def test_the_card_shows_its_key_images_and_an_intact_encoder_reproduces_them(
    sslauth: Run, drawn: Path
) -> None:
    card = WatermarkCard.load(drawn)
    assert (card.motif, len(card.key_samples)) == ("samples", 5)
    ended = sslauth("verify", "vit", "--card", drawn, "--picture", "intact.png")
    assert ended.status == 0, ended.err
    with Image.open("intact.png") as picture:
        assert _places(picture, card.watermark.numpy()) == 2 * len(card.strips)  # expected and reconstructed


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_the_images_dissolve_where_the_encoder_was_altered(sslauth: Run, drawn: Path, precision: str) -> None:
    card = WatermarkCard.load(drawn)
    check = ("verify", "altered", "--card", drawn, "--precision", precision, "--picture", "altered.png")
    ended = sslauth(*check, "--format", "json")
    assert ended.status == 1, ended.err
    strips = json.loads(ended.out)["strips"]
    assert [strip["name"] for strip in strips if not strip["intact"]] == ["layer 2", "embedding"]
    with Image.open("altered.png") as picture:
        assert _places(picture, card.watermark.numpy()) == 2 * len(card.strips) - 2


def test_the_page_carries_the_images_and_what_became_of_them(sslauth: Run, drawn: Path) -> None:
    from hf_integration.key_samples.encoding import encode_image

    shown = WatermarkCard.load(drawn).watermark.numpy()[..., None].repeat(3, axis=2)
    images = base64_of(encode_image(shown))
    pages = {}
    for name in ("vit", "altered"):
        sslauth("verify", name, "--card", drawn, "--format", "html", "--output", f"{name}.html")
        pages[name] = Path(f"{name}.html").read_text()
    strips = len(WatermarkCard.load(drawn).strips)
    assert pages["vit"].count(images) == strips + 1  # the expected one as well
    assert pages["altered"].count(images) == strips - 1


def test_inspect_says_which_watermark_a_card_has(sslauth: Run, drawn: Path) -> None:
    assert "watermark      the key samples, one in each tile\n" in sslauth("inspect", drawn).out
    assert "watermark      a picture\n" in sslauth("inspect", "padlock").out
    for card, kind in ((drawn, "samples"), ("padlock", "picture")):
        assert json.loads(sslauth("inspect", card, "--format", "json").out)["watermark"] == kind


def test_review_shows_that_the_watermark_would_be_another(sslauth: Run, here: Path, drawn: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    FILE.write_text('version = 1\n\n[encoders.search]\npath = "vit"\ncard = "padlock"\n')
    assert sslauth("lock", "--allow-ci").status == 0
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "card"]):
        who = ["-c", "user.name=me", "-c", "user.email=me@example.com"]
        subprocess.run(["git", *who, *arguments], cwd=here, check=True)
    shutil.rmtree("padlock")
    shutil.copytree(drawn, "padlock")
    assert "watermark: picture -> samples" in sslauth("review").out


def test_a_file_of_that_name_is_a_picture_like_any_other(sslauth: Run) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint8)).save("samples", "PNG")
    ended = sslauth("mint", "vit", "--out", "new", "--keys", "3", "--watermark", "./samples")
    assert ended.status == 0, ended.err
    card = WatermarkCard.load("new")
    assert (card.motif, int(card.watermark.max())) == ("picture", 0)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("text",), "only key images can be drawn, and this encoder takes text"),
        (("audio",), "only key images can be drawn, and this encoder takes audio"),
        (("vit", "--secret"), "the key samples of a private card are secret"),
        (("vit", "--keys", "257"), "257 key images are too many to be drawn, at most 256 are"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(
    sslauth: Run, arguments: tuple[str, ...], reason: str
) -> None:
    ended = sslauth("mint", *arguments, "--out", "new", "--watermark", "samples")
    assert (ended.status, ended.out) == (2, "")
    line = ended.err.splitlines()[-1]
    assert f"the key samples cannot be the watermark: {reason}" in line
    assert line.endswith("(give --watermark a picture, or leave it out)")
    assert not Path("new").exists()


def _places(picture: Image.Image, watermark: npt.NDArray[np.uint8]) -> int:
    """How often a watermark is shown in a picture, whatever it is enlarged by."""
    pixels = np.asarray(picture.convert("L"))
    scale = max(1, round(144 / len(watermark)))
    wanted = watermark.repeat(scale, 0).repeat(scale, 1)
    side = len(wanted)
    rows, columns = np.nonzero(pixels[: len(pixels) - side + 1, : pixels.shape[1] - side + 1] == wanted[0, 0])
    return sum(
        np.array_equal(pixels[row : row + side, column : column + side], wanted)
        for row, column in zip(rows, columns, strict=True)
    )
