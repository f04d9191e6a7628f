"""``sslauth verify --converted --by-card``: files of another runtime, and a card for the weights."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING

import pytest

from hf_integration import WatermarkCard, load_encoder
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from tests.cli.conftest import Ended
from tests.converted import making

if TYPE_CHECKING:
    from tests.signing.keys import KeyPair

Run = Callable[..., Ended]
ANSWERS = ("file", "behaviour", "inputs")

pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")


@pytest.fixture(scope="module")
def converted(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    loaded = load_encoder(str(workshop / "tiny"))
    assert isinstance(loaded, TorchEncoder)
    return making.onnx_folder(loaded, tmp_path_factory.mktemp("converted") / "onnx-folder")


@pytest.fixture
def project(workshop: Path, converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the card and the converted encoder alone: the weights are out of reach."""
    copytree(workshop / "cards", tmp_path / "cards")
    copytree(converted, tmp_path / "onnx-folder")
    monkeypatch.chdir(tmp_path)
    return tmp_path


ASKED = ("verify", "org/tiny", "--converted", "onnx-folder", "--card", "cards/tiny", "--by-card")


def test_the_encoder_is_authentic_and_every_question_has_its_answer(sslauth: Run, project: Path) -> None:
    ended = sslauth(*ASKED)
    assert ended.status == 0, ended.out + ended.err
    assert ended.out.startswith("AUTHENTIC: onnx-folder\n")
    for answer in ANSWERS:
        assert re.search(rf"^  {answer} +fits: ", ended.out, re.MULTILINE)
    assert "the card is public: whoever made the file may know its key samples" in ended.out
    verdict = json.loads(sslauth(*ASKED, "--format", "json").out)
    assert verdict["card"]["digest"] == WatermarkCard.load("cards/tiny").digest
    assert verdict["encoder"] == "tiny"
    assert [verdict["conversion"][answer]["finding"] for answer in ANSWERS] == ["fits"] * 3


def test_an_altered_weight_is_altered_and_named(sslauth: Run, project: Path) -> None:
    import onnx

    file = project / "onnx-folder" / "onnx" / "model.onnx"
    name = next(name for name, _ in making.arrays(onnx.load(file)) if name.endswith("query.bias"))
    making.edited(file, file, name, making.one_step)
    ended = sslauth(*ASKED)
    assert ended.status == 1, ended.out
    assert re.search("^  file +DIFFERS", ended.out, re.MULTILINE)
    assert name in ended.out


def test_who_signed_the_card_is_named(sslauth: Run, project: Path, keys: "KeyPair") -> None:
    from hf_integration.signing import sign

    sign("cards/tiny", keys.private)
    ended = sslauth(*ASKED, "--signer", keys.public, "--format", "json")
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["signers"] == [f"the key {keys.public}"]


def test_a_picture_is_written(sslauth: Run, project: Path) -> None:
    assert sslauth(*ASKED, "--picture", "check.png").status == 0
    assert (project / "check.png").stat().st_size > 1000
    ended = sslauth(*ASKED, "--picture", "cards/tiny/card.json")
    assert ended.status == 2, ended.out
    assert WatermarkCard.load("cards/tiny")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--keys", "24"), "--keys and --notice choose fresh key samples, and a card has its own"),
        (("--serving", "tei"), "has no answers of a deployment by this recipe"),
        (("--serving", "nothing"), "no recipe is called nothing"),
        (("--api", "tei"), "options of an endpoint are not for converted encoders"),
        (("--pinned-endpoint",), "options of an endpoint are not for converted encoders"),
        (("--endpoint", "http://127.0.0.1:9"), "--endpoint is not for onnx, which runs here"),
        (("--runtime", "gguf"), "0 GGUF files"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    sslauth: Run, project: Path, more: tuple[str, ...], said: str
) -> None:
    if "gguf" in more:
        pytest.importorskip("gguf")
    ended = sslauth(*ASKED, *more)
    assert ended.status == 2, ended.out + ended.err
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_a_card_of_another_encoder_is_refused_unless_it_is_pinned(sslauth: Run, project: Path) -> None:
    replace(WatermarkCard.load("cards/tiny"), encoder_name="other").save(project / "cards" / "other")
    asked = [word.replace("cards/tiny", "cards/other") for word in ASKED]
    ended = sslauth(*asked)
    assert ended.status == 2
    assert "is of other, not of org/tiny" in ended.err
    digest = WatermarkCard.load("cards/other").digest
    entry = ("version = 1", "[encoders.named]", 'repo = "org/tiny"', 'card = "cards/other"')
    (project / "sslauth.toml").write_text("\n".join([*entry, f'card_digest = "{digest}"']))
    ended = sslauth("verify", "named", "--converted", "onnx-folder", "--by-card")
    assert ended.status == 0, ended.out + ended.err


def test_a_card_of_an_older_release_is_no_pass(sslauth: Run, project: Path) -> None:
    card = WatermarkCard.load("cards/tiny")
    replace(card, conversions=None).save("cards/tiny", force=True)
    ended = sslauth(*ASKED)
    assert ended.status == 3, ended.out + ended.err
    assert re.search("^  inputs +open: ", ended.out, re.MULTILINE | re.IGNORECASE)
    replace(card, conversions=None, served=None).save("cards/tiny", force=True)
    ended = sslauth(*ASKED)
    assert ended.status == 2, ended.out + ended.err
    assert "has no answers of deployments" in ended.err


def test_inspect_says_what_a_converted_encoder_can_be_checked_for(sslauth: Run, project: Path) -> None:
    card = WatermarkCard.load("cards/tiny")
    assert card.conversions is not None
    texts = len(card.conversions.texts)
    assert (
        f"for converted encoders: digests of the tokens of {texts} texts"
        in sslauth("inspect", "cards/tiny").out
    )
    said = json.loads(sslauth("inspect", "cards/tiny", "--format", "json").out)["conversions"]
    assert said == {"texts": texts, "forms": list(card.conversions.digests), "recipes": []}
