"""Which tower of a model with two is opened: the card's, at every door; minting is told which."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hf_integration import WatermarkCard, load_encoder, wrap_module
from hf_integration.authentication import authenticate
from hf_integration.encoders import Encoder, open_encoder
from hf_integration.encoders.modalities.families import FAMILIES
from hf_integration.key_samples.samples import KeySamples
from hf_integration.minting.instruction_sets import Run as BenignRun
from hf_integration.minting.instruction_sets import run_under
from hf_integration.stress.findings import StressReport
from tests.cli.conftest import Ended
from tests.encoders import tiny_models
from tests.zoo.table import TOWERS

Run = Callable[..., Ended]
MODELS = [(name, modality) for name in ("clip", "siglip") for modality in ("text", "image")]


def test_every_family_with_two_towers_is_tried_here() -> None:
    towers = {(name, family.modality) for name, families in FAMILIES.items() for family in families}
    elsewhere = {"siglip2"} & TOWERS.keys()  # whose towers the zoo mints and verifies
    two = {(name, modality) for name, modality in towers if len(FAMILIES[name]) > 1}
    assert {(name, modality) for name, modality in two if name not in elsewhere} == set(MODELS)


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``clip`` and ``siglip``, a ``vit``, and a file of texts."""
    root = tmp_path_factory.mktemp("towers")
    for name in ("clip", "siglip", "vit"):
        tiny_models.save(name, root / name)
    (root / "words.txt").write_text("\n".join(" ".join(tiny_models.WORDS[i : i + 4]) for i in range(8)))
    return root


@pytest.fixture(scope="module")
def minted() -> set[str]:
    return set()


@pytest.fixture
def card(
    sslauth: Run, towers: Path, minted: set[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], str]:
    """Mints a card of a tower by the command, once, and gives its folder."""
    monkeypatch.chdir(towers)
    monkeypatch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})

    def mint(name: str, modality: str) -> str:
        folder = f"minted/{name}-{modality}"
        if folder not in minted:
            pool = ("--pool", "words.txt") if modality == "text" else ()
            ended = sslauth("mint", name, "--out", folder, "--keys", "8", "--modality", modality, *pool)
            assert ended.status == 0, ended.err
            minted.add(folder)
        return folder

    return mint


@pytest.mark.parametrize(("name", "modality"), MODELS)
def test_verify_opens_the_tower_that_the_card_is_of(
    sslauth: Run, card: Callable[[str, str], str], name: str, modality: str
) -> None:
    folder = card(name, modality)
    assert WatermarkCard.load(folder).encoder.modality == modality
    ended = sslauth("verify", name, "--card", folder)
    assert (ended.status, ended.out.splitlines()[0]) == (0, f"AUTHENTIC: {name}")


def test_a_card_that_is_with_the_encoder_decides_as_well(
    sslauth: Run, card: Callable[[str, str], str], tmp_path: Path
) -> None:
    folder = shutil.copytree("clip", tmp_path / "clip")
    shutil.copytree(card("clip", "text"), folder / "sslauth")
    assert sslauth("verify", folder, "--trust-self-asserted").status == 0


def test_so_does_a_pinned_one_and_that_of_a_bundle(
    sslauth: Run, card: Callable[[str, str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = card("clip", "text")
    shutil.copytree("clip", tmp_path / "clip")
    shutil.copytree(source, tmp_path / "cards" / "clip")
    monkeypatch.chdir(tmp_path)
    for command in (("add", "./clip"), ("verify", "clip"), ("bundle", "clip", "--out", "bundled")):
        ended = sslauth(*command)
        assert ended.status == 0, (command, ended.err)
    monkeypatch.chdir(tmp_path / "bundled")
    assert sslauth("verify", "clip").status == 0


def test_stress_is_given_the_tower_of_its_card(
    sslauth: Run, card: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def short(encoder: Encoder, card: WatermarkCard, **_: object) -> StressReport:
        given.append(encoder.modality)  # what comes after it takes minutes
        return StressReport(encoder.name, card.digest, "float64", 1, (), (), 0.0)

    monkeypatch.setattr("hf_integration.stress.stress", short)
    ended = sslauth("stress", "clip", "--card", card("clip", "text"))
    assert (ended.status, given) == (0, ["text"]), ended.err


def test_an_encoder_without_such_a_tower_is_altered_and_no_wrong_usage(
    sslauth: Run, card: Callable[[str, str], str]
) -> None:
    ended = sslauth("verify", "vit", "--card", card("clip", "text"))
    assert ended.status == 1
    assert "modality image instead of text" in ended.out


def test_minting_a_tower_that_is_not_there_is_refused(sslauth: Run, towers: Path) -> None:
    ended = sslauth("mint", towers / "vit", "--out", towers / "none", "--modality", "text")
    assert ended.status == 2
    assert "architecture 'vit' has no text encoder" in ended.err


def test_python_opens_either_and_a_module_in_memory_follows_a_card(
    card: Callable[[str, str], str],
) -> None:
    import transformers as hf

    text = WatermarkCard.load(card("clip", "text"))
    assert authenticate(load_encoder("clip", modality="text", device="cpu"), text).authentic
    processor = hf.CLIPProcessor(tiny_models.image_processor(), hf.AutoTokenizer.from_pretrained("clip"))
    model = hf.CLIPModel.from_pretrained("clip")
    for modality in ("text", "image"):
        assert wrap_module(model, processor, preferred=modality).modality == modality


def test_the_processes_of_other_instruction_sets_open_the_same_tower(towers: Path) -> None:
    encoder = open_encoder(towers / "clip", name="clip", modality="text", device="cpu")
    texts = KeySamples(tiny_models.TEXTS, origin="a few words")
    sketches = run_under("avx2", encoder, texts, [BenignRun("stored", "float32", 4, 4)], seed=0)
    assert all(len(sketched) == 4 for sketched in sketches["stored", "float32"].values())
