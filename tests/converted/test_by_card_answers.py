"""A card alone in the place of the weights: what it does not know, and who vouches for it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copyfile, copytree
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from hf_integration import WatermarkCard, load_encoder
from hf_integration.base.errors import UsageError
from hf_integration.base.progress import Silent
from hf_integration.base.vocabulary import Modality, Weights
from hf_integration.card import Conversions
from hf_integration.converted.card_lookup import CardLookup
from hf_integration.converted.file_recipes import file_recipes, sorted_out
from hf_integration.converted.inputs import named_texts, text_digest
from hf_integration.converted.onnx_graph import read_graph
from hf_integration.converted.recording import record
from hf_integration.converted.weights import account
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.presets import presets
from hf_integration.serving.recipe import PLAIN
from tests.converted import making
from tests.converted.cards import by_card, findings, minted
from tests.converted.conftest import save
from tests.encoders import tiny_models
from tests.serving import small_encoders

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")

THREE = ["fits", "fits", "fits"]


@pytest.fixture
def folder(onnx_folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    copytree(onnx_folder, tmp_path / "folder")
    return tmp_path / "folder"


@pytest.fixture
def int8(folder: Path) -> Path:
    file = folder / "onnx" / "model.onnx"
    making.quantised(file, file.with_name("model_quantized.onnx"))
    file.unlink()
    return folder


def without(card: WatermarkCard, **changes: Any) -> WatermarkCard:
    assert card.conversions is not None
    return replace(card, conversions=replace(card.conversions, **changes))


class TestWhatTheCardDoesNotSay:
    def test_an_older_card_reads_weights_and_no_texts(self, card: WatermarkCard, folder: Path) -> None:
        verdict = by_card(replace(card, conversions=None), folder)
        assert (verdict.status, findings(verdict)) == ("inconclusive", ["fits", "fits", "open"])
        assert "nobody was asked how it reads texts" in verdict.reason

    def test_texts_that_an_older_card_does_not_know_are_counted_and_no_pass(
        self, card: WatermarkCard, folder: Path
    ) -> None:
        assert card.conversions is not None
        for left_out in (1, 5, len(named_texts()) - 1):
            gone = {text_digest(text) for text in list(named_texts().values())[:left_out]}
            texts = {key: ids for key, ids in card.conversions.texts.items() if key not in gone}
            verdict = by_card(without(card, texts=texts), folder)
            assert (verdict.status, findings(verdict)) == ("inconclusive", ["fits", "fits", "open"])
            assert f"how {left_out} texts are read" in verdict.reason

    def test_no_two_families_have_a_rule_of_the_same_words(self) -> None:
        """Recorded answers are found by rules alone: those of another runtime must not be taken for them."""
        families: dict[str, set[str]] = {}
        for recipe in file_recipes().values():
            for rule in recipe.rules:
                families.setdefault(rule, set()).add(recipe.family)
        assert families
        assert all(len(of) == 1 for of in families.values())

    def test_an_older_card_reads_no_integers(self, card: WatermarkCard, int8: Path) -> None:
        verdict = by_card(replace(card, conversions=None), int8, "int8")
        assert (verdict.status, findings(verdict)) == ("inconclusive", ["open", "open", "open"])

    def test_a_card_without_answers_is_refused(self, card: WatermarkCard, folder: Path) -> None:
        with pytest.raises(UsageError, match="has no answers of deployments"):
            by_card(replace(card, served=None), folder)

    def test_a_recipe_that_is_not_in_the_card_is_refused(self, card: WatermarkCard, folder: Path) -> None:
        with pytest.raises(UsageError, match="no answers of a deployment by this recipe"):
            by_card(card, folder, "bfloat16")

    def test_no_token_numbers(self, card: WatermarkCard, folder: Path) -> None:
        assert card.conversions is not None
        texts = card.conversions.texts
        for some in (dict(list(texts.items())[:20]), dict(list(texts.items())[:-1])):
            verdict = by_card(without(card, texts=some), folder)
            assert (verdict.status, findings(verdict)[2]) == ("inconclusive", "open")

    def test_no_answers_of_the_conversion(self, card: WatermarkCard, int8: Path) -> None:
        verdict = by_card(without(card, answers=()), int8, "int8")
        assert (verdict.status, findings(verdict)) == ("inconclusive", ["fits", "open", "fits"])
        assert "no answers of a conversion that makes such integers" in verdict.reason

    def test_every_digest_that_is_missing_or_another_leaves_its_array_unequal(
        self, card: WatermarkCard, onnx_file: Path
    ) -> None:
        held = list(read_graph(onnx_file).tensors())
        for name in card.digests["stored"]:
            for digest in (None, bytes(31) + b"x"):
                stored = {other: own for other, own in card.digests["stored"].items() if other != name}
                digests: dict[Weights, dict[str, bytes]] = {}
                digests["stored"] = stored if digest is None else {**stored, name: digest}
                assert not account(CardLookup(replace(card, digests=digests)), held, tail=False).equal, name

    def test_every_digest_of_integers_that_is_missing_or_another_leaves_its_array_unequal(
        self, card: WatermarkCard, int8: Path
    ) -> None:
        assert card.conversions is not None
        held = list(read_graph(int8 / "onnx" / "model_quantized.onnx").tensors())
        rules = ("onnx: uint8 asymmetric", "onnx: int8 symmetric")
        own = {rule: card.conversions.digests[rule] for rule in rules}
        assert account(CardLookup(without(card, digests=own)), held, tail=False).equal
        matrices = [name for name in own[rules[1]] if name in card.digests["stored"]]
        for name in matrices:
            for digest in (None, bytes(31) + b"x"):
                edited = {
                    rule: {
                        other: digest if other == name else known
                        for other, known in of.items()
                        if other != name or digest is not None
                    }
                    for rule, of in own.items()
                }
                found = account(CardLookup(without(card, digests=edited)), held, tail=False)
                assert not found.equal, name


class TestInputs:
    @pytest.mark.parametrize(
        ("edit", "status", "said"),
        [
            (lambda said: said["model"]["vocab"].update(_swapped(said)), "altered", "vocabulary"),
            (lambda said: said.update(normalizer=None), "altered", "are tokenised differently"),
            (lambda said: said.update(pre_tokenizer={"type": "BertPreTokenizer"}), "altered", "punctuation"),
            (lambda said: said["added_tokens"][0].update(lstrip=True), "altered", "added_tokens"),
        ],
        ids=["two words", "no lower case", "another way to cut words", "a flag of a token"],
    )
    def test_of_another_tokenizer(
        self, card: WatermarkCard, folder: Path, edit: Callable[[Any], None], status: str, said: str
    ) -> None:
        file = folder / "tokenizer.json"
        content = json.loads(file.read_text())
        edit(content)
        file.write_text(json.dumps(content))
        verdict = by_card(card, folder)
        assert verdict.status == status, verdict.reason
        assert findings(verdict)[2] == "differs"
        assert said in verdict.reason

    @pytest.mark.parametrize("length", [16, 47, 49, 64])
    def test_of_another_length(self, card: WatermarkCard, folder: Path, length: int) -> None:
        file = folder / "sentence_bert_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"max_seq_length": length}))
        verdict = by_card(card, folder)
        assert verdict.status == "inconclusive"
        assert f"cut at {length} tokens, and the original cuts at 48" in verdict.reason

    def test_of_a_prompt(self, card: WatermarkCard, folder: Path) -> None:
        prompts = {"prompts": {"query": "query: \x1b[31m"}, "default_prompt_name": "query"}
        (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
        verdict = by_card(card, folder)
        assert (verdict.status, findings(verdict)) == ("inconclusive", ["fits", "open", "differs"])
        assert "\x1b" not in verdict.reason

    def test_without_a_tokenizer(self, card: WatermarkCard, folder: Path) -> None:
        (folder / "tokenizer.json").unlink()
        verdict = by_card(card, folder)
        assert (verdict.status, findings(verdict)) == ("inconclusive", ["fits", "open", "open"])


def _swapped(said: Any) -> dict[str, int]:
    vocabulary = said["model"]["vocab"]
    return {"house": vocabulary["water"], "water": vocabulary["house"]}


class TestBehaviour:
    def test_of_another_pooling_is_no_pass(self, card: WatermarkCard, folder: Path) -> None:
        config = folder / "1_Pooling" / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | {"pooling_mode": "cls"}))
        verdict = by_card(card, folder)
        assert (verdict.status, findings(verdict)) == ("inconclusive", ["fits", "open", "fits"])

    def test_of_a_recipe_that_nobody_recorded_is_no_alteration(
        self, card: WatermarkCard, encoder: TorchEncoder, tmp_path: Path
    ) -> None:
        """A graph with the other form of GELU: the weights, and answers that no recipe explains."""
        from hf_integration.serving.computing import Computed

        tanh = Computed(encoder, PLAIN.but(gelu="tanh")).encoder
        verdict = by_card(card, making.onnx_folder(tanh, tmp_path / "tanh"))
        assert (verdict.status, findings(verdict)) == ("inconclusive", ["fits", "open", "fits"])

    def test_of_half_precision_is_named(self, card: WatermarkCard, folder: Path) -> None:
        from onnxruntime.transformers import float16

        file = folder / "onnx" / "model.onnx"
        onnx.save(float16.convert_float_to_float16(onnx.load(file), keep_io_types=True), file)
        verdict = by_card(card, folder)
        assert (verdict.status, findings(verdict)[0]) == ("inconclusive", "fits")

    def test_of_integers_is_named_where_they_are_not_expected(self, card: WatermarkCard, int8: Path) -> None:
        verdict = by_card(card, int8)
        assert verdict.status == "inconclusive"
        assert "made integers; say int8 for that" in verdict.reason


class TestTrust:
    def test_of_a_card_that_nobody_vouches_for(self, card: WatermarkCard, folder: Path) -> None:
        verdict = by_card(card, folder, trust="self-asserted")
        assert (verdict.status, findings(verdict)) == ("inconclusive", THREE)
        assert "nobody vouches for the card" in verdict.reason
        assert by_card(card, folder, trust="self-asserted", accepted=True).status == "authentic"

    def test_of_a_card_that_expired(self, card: WatermarkCard, folder: Path) -> None:
        verdict = by_card(replace(card, expires="2026-01-31"), folder)
        assert (verdict.status, findings(verdict)) == ("inconclusive", THREE)
        assert "the card expired on 2026-01-31" in verdict.reason

    def test_of_a_public_card_says_so(self, card: WatermarkCard, folder: Path) -> None:
        verdict = by_card(replace(card, secret=False), folder)
        assert verdict.status == "authentic"
        assert "whoever made the file may know its key samples" in verdict.reason
        assert verdict.card.digest == card.digest


class TestMinting:
    def test_is_the_same_every_time(self, encoder: TorchEncoder, card: WatermarkCard) -> None:
        _, recipes = sorted_out(["ort-int8-dynamic"])
        made = [record(encoder, card.key_samples, recipes, progress=Silent()) for _ in range(2)]
        assert all(isinstance(one, Conversions) for one in made)
        first, second = (
            (one.shapes, list(one.digests), one.digests, one.texts, one.answers[0].embeddings.tolist())
            for one in made
            if one is not None
        )
        assert first == second

    def test_needs_no_runtime_without_a_conversion(self, encoder: TorchEncoder, card: WatermarkCard) -> None:
        made = record(encoder, card.key_samples, (), progress=Silent())
        assert made is not None
        assert (made.answers, [form for form in made.digests if ": " in form]) == ((), [])

    def test_of_an_encoder_with_a_dense_layer_needs_that_beside_the_file(self, tmp_path: Path) -> None:
        dense = small_encoders.opened(save(tmp_path / "dense", dense=32))
        card = minted(dense, ())
        folder = making.onnx_folder(dense, tmp_path / "folder")
        layer = folder / "2_Dense" / "model.safetensors"
        copyfile(tmp_path / "dense" / "2_Dense" / layer.name, layer)
        verdict = by_card(card, folder)
        assert (verdict.status, findings(verdict)) == ("authentic", THREE), verdict.reason
        weights = load_file(layer)
        save_file({name: tensor * 1.001 for name, tensor in weights.items()}, layer)
        verdict = by_card(card, folder)
        assert verdict.status == "altered", verdict.reason
        assert [name for name in verdict.tensors.changed if "2_Dense" in name]
        (folder / "modules.json").unlink()
        verdict = by_card(card, folder)
        assert (verdict.status, findings(verdict)[:2]) == ("inconclusive", ["fits", "open"])
        assert "the card does not say how it pools" in verdict.reason

    @pytest.mark.parametrize("modality", ["text", "image"])
    def test_of_an_encoder_that_no_conversion_is_for_is_refused_in_one_line(
        self, tmp_path: Path, modality: Modality
    ) -> None:
        tiny_models.save("clip", tmp_path / "clip")
        encoder = load_encoder(str(tmp_path / "clip"), device="cpu", modality=modality)
        samples = KeySamples(tiny_models.samples(modality), origin="a few")
        _, recipes = sorted_out(["ort-int8-dynamic"])
        assert (record(encoder, samples, (), progress=Silent()) is None) == (modality == "image")
        with pytest.raises(UsageError, match=r"--recipe ort-int8-dynamic is for (text )?encoders"):
            record(encoder, samples, recipes, progress=Silent())

    def test_a_name_that_is_no_recipe_is_refused_with_all_that_are(self) -> None:
        with pytest.raises(UsageError, match="no recipe is called") as caught:
            sorted_out(["ort-int9"])
        assert {*presets(), "ort-int8-dynamic", "gguf-q8_0"} <= set(
            caught.value.remedy.removeprefix("choose one of ").split(", ")
        )
