"""A pooling that is chosen when a card is minted: the card records it, and every door obeys the card."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers as hf

from hf_integration import WatermarkCard, load_encoder, wrap_module
from hf_integration.authentication import authenticate, observe_sketches
from hf_integration.base.errors import EncoderError, UsageError
from hf_integration.base.vocabulary import POOLINGS
from hf_integration.cli.options import PoolingName
from hf_integration.encoders import open_encoder
from hf_integration.encoders.modalities.recipes import POOLS
from hf_integration.key_samples.samples import KeySamples
from hf_integration.minting.instruction_sets import Run as BenignRun
from hf_integration.minting.instruction_sets import run_under
from tests.cli.conftest import Ended
from tests.encoders import tiny_models
from tests.layouts import building

Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``bert``, ``clip`` and a sentence encoder, ``minilm``."""
    root = tmp_path_factory.mktemp("pooling")
    tiny_models.save("bert", root / "bert")
    tiny_models.save("clip", root / "clip")
    building.minilm(root / "minilm")
    (root / "words.txt").write_text("\n".join(" ".join(tiny_models.WORDS[i : i + 4]) for i in range(8)))
    return root


@pytest.fixture(scope="module")
def minted(place: Path) -> dict[str, str]:
    return {}


@pytest.fixture
def card(sslauth: Run, place: Path, minted: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> WatermarkCard:
    """Of ``bert`` by its class token, minted by the command, once."""
    monkeypatch.chdir(place)
    monkeypatch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
    if not minted:
        given = ("--out", "card", "--keys", "8", "--pool", "words.txt", "--pooling", "cls")
        ended = sslauth("mint", "bert", *given)
        assert ended.status == 0, ended.err
        minted["said"] = ended.out + ended.err
    return WatermarkCard.load("card")


def test_names_of_poolings_are_the_same_everywhere() -> None:
    assert [*POOLS, "pooler"] == sorted(POOLINGS, key=[*POOLS, "pooler"].index)
    assert [name.value for name in PoolingName] == list(POOLINGS)


def expected(folder: Path, name: str) -> torch.Tensor:
    tokenizer, model = hf.AutoTokenizer.from_pretrained(folder), hf.AutoModel.from_pretrained(folder).eval()
    rows = []
    for text in tiny_models.TEXTS:
        output = model(**tokenizer(text, return_tensors="pt"))
        states = output.last_hidden_state[0]
        weights = torch.arange(1, len(states) + 1)[:, None]
        rows.append(
            {
                "cls": states[0],
                "max": states.amax(0),
                "mean": states.mean(0),
                "mean_sqrt_len_tokens": states.sum(0) / len(states) ** 0.5,
                "weightedmean": (states * weights).sum(0) / weights.sum(),
                "lasttoken": states[-1],
                "pooler": output.pooler_output[0],
            }[name]
        )
    return torch.stack(rows).detach()


@pytest.mark.parametrize("name", POOLINGS)
def test_every_pooling_gives_what_it_says(place: Path, name: str) -> None:
    encoder = load_encoder(str(place / "bert"), device="cpu", pooling=name)
    embeddings = encoder.embed(tiny_models.TEXTS)
    torch.testing.assert_close(embeddings, expected(place / "bert", name), rtol=1e-5, atol=1e-5)
    assert encoder.description.pooling.startswith(name)
    counts = {tensor for tensor in encoder.tensors() if tensor.startswith("pooler.")}
    assert bool(counts) == (name == "pooler")


def test_the_card_records_it_and_verify_obeys_the_card(
    sslauth: Run, card: WatermarkCard, minted: dict[str, str]
) -> None:
    assert card.encoder.chosen_pooling == "cls"
    assert "cls over the mask" in minted["said"]
    ended = sslauth("verify", "bert", "--card", "card")
    assert (ended.status, ended.out.splitlines()[0]) == (0, "AUTHENTIC: bert")


def test_so_do_a_pin_and_a_bundle(
    sslauth: Run, card: WatermarkCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree("bert", tmp_path / "bert")
    shutil.copytree("card", tmp_path / "cards" / "bert")
    monkeypatch.chdir(tmp_path)
    refused = sslauth("add", "./bert", "--pooling", "mean")
    assert refused.status == 2
    assert "its card is of another pooling (cls over the mask)" in refused.err
    for command in (("add", "./bert", "--pooling", "cls"), ("bundle", "bert", "--out", "bundled")):
        ended = sslauth(*command)
        assert ended.status == 0, (command, ended.err)
    monkeypatch.chdir(tmp_path / "bundled")
    assert sslauth("verify", "bert").status == 0


def test_so_do_python_and_a_module_in_memory(card: WatermarkCard) -> None:
    assert authenticate(load_encoder("bert", device="cpu", preferred=card.encoder), card).authentic
    model, tokenizer = hf.AutoModel.from_pretrained("bert"), hf.AutoTokenizer.from_pretrained("bert")
    assert authenticate(wrap_module(model, tokenizer, preferred=card.encoder), card).authentic
    other = authenticate(load_encoder("bert", device="cpu"), card)
    assert other.status == "inconclusive"  # pooled otherwise in Python: equal tensors, and no pass
    assert "the watermark broke from strip 'embedding' on" in other.reason


def test_the_processes_of_other_instruction_sets_pool_alike(place: Path) -> None:
    encoder = open_encoder(place / "bert", name="bert", device="cpu", pooling="cls")
    texts = KeySamples(tiny_models.TEXTS, origin="a few words")
    sketches = run_under("avx2", encoder, texts, [BenignRun("stored", "float32", 4, 4)], seed=0)
    here = observe_sketches(encoder, texts, seed=0)
    for strip, sketched in sketches["stored", "float32"].items():
        torch.testing.assert_close(sketched, here[strip], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "said"), [("minilm", "has its own"), ("clip", "trained with its own")])
def test_an_encoder_with_a_pooling_of_its_own_is_refused(
    sslauth: Run, place: Path, name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    ended = sslauth("mint", name, "--out", "none", "--pooling", "cls")
    assert ended.status == 2
    assert "no pooling can be chosen" in ended.err
    assert said in ended.err
    assert not Path("none").exists()


def test_unknown_and_untrained_ones_are_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown pooling 'median'"):
        load_encoder(str(place / "bert"), device="cpu", pooling="median")
    folder = tmp_path / "headless"
    hf.BertModel(tiny_models.CONFIGS["bert"][0](), add_pooling_layer=False).save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)
    with pytest.raises(EncoderError, match=r"no vector \(pooler_output\)"):
        load_encoder(str(folder), device="cpu", pooling="pooler")
