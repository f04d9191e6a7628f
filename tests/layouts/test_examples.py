"""What was seen to pass unread, or to be called altered for nothing, with what is right."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

from hf_integration import WatermarkCard, mint
from hf_integration.authentication import Authenticator
from hf_integration.base.errors import EncoderError
from hf_integration.encoders import open_encoder
from hf_integration.encoders.identity.behaviour import Behaviour
from hf_integration.key_samples.samples import KeySamples
from hf_integration.report import render
from hf_integration.verdict import Verdict
from tests.encoders import tiny_models
from tests.layouts import building
from tests.layouts.building import Layout
from tests.tiny_cards import mint_quickly

Minted = Callable[[str], tuple[Layout, Path, WatermarkCard]]
Change = Callable[[Path], None]


def _set(name: str, **keys: Any) -> Change:
    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**content, **keys}))

    return change


def _tensors(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Change:
    def edit(folder: Path) -> None:
        file = folder / "model.safetensors"
        save_file(change(load_file(file)), file, metadata={"format": "pt"})

    return edit


def _scaled(name: str, factor: float) -> Change:
    return _tensors(lambda tensors: {**tensors, name: tensors[name] * factor})


def _swap_words(folder: Path) -> None:
    lines = (folder / "vocab.txt").read_text().splitlines()
    cat, sea = lines.index("cat"), lines.index("sea")
    lines[cat], lines[sea] = lines[sea], lines[cat]
    (folder / "vocab.txt").write_text("".join(f"{line}\n" for line in lines))


def _new(name: str, content: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).write_text(content)

    return change


def _renamed_to_another(folder: Path) -> None:
    """Two modules of one name: sentence-transformers keeps them by name, and so the last of them alone."""
    modules = json.loads((folder / "modules.json").read_text())
    modules[-1]["name"] = modules[-2]["name"]
    (folder / "modules.json").write_text(json.dumps(modules))


def _without(name: str, key: str) -> Change:
    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        del content[key]
        (folder / name).write_text(json.dumps(content))

    return change


def _without_fraction(folder: Path) -> None:
    content = (folder / "config.json").read_text()
    assert '"rope_theta": 10000.0' in content
    (folder / "config.json").write_text(content.replace('"rope_theta": 10000.0', '"rope_theta": 10000'))


def _line_ends(folder: Path) -> None:
    content = (folder / "vocab.txt").read_bytes()
    (folder / "vocab.txt").write_bytes(content.replace(b"\n", b"\r\n").removesuffix(b"\r\n"))


def _sentence_encoder(folder: Path) -> Any:
    library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    return library.SentenceTransformer(str(folder), device="cpu")


def _sparse_modules(folder: Path) -> list[str]:
    library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    return [type(module).__name__ for module in library.SparseEncoder(str(folder), device="cpu")]


def _output(folder: Path) -> list[float]:
    model = hf.AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        return [float(x) for x in model(torch.tensor([[2, 10, 11, 3]])).last_hidden_state.flatten()]


def _verdict(minted: Minted, layout: str, change: Change, tmp_path: Path) -> Verdict:
    described, folder, card = minted(layout)
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    change(copy)
    encoder = open_encoder(copy, name="copy", device="cpu", modality=described.modality)
    return Authenticator(card=card, trust="local").authenticate(encoder).verdict


@pytest.mark.parametrize(
    ("layout", "change", "named"),
    [
        ("MiniLM", _set("tokenizer_config.json", processor_class="BarkProcessor"), "processor_class"),
        ("MiniLM", _set("tokenizer_config.json", model_max_length=4), "model_max_length"),
        ("MiniLM", _set("tokenizer_config.json", model_input_names=["input_ids"]), "model_input_names"),
        ("MiniLM", _set("config_sentence_transformers.json", similarity_fn_name="dot"), "similarity_fn_name"),
        ("MiniLM", _set("config.json", dtype="bfloat16"), "dtype"),
        ("MiniLM", _set("config.json", torch_dtype="bfloat16"), "torch_dtype"),
        ("MiniLM", _set("config.json", auto_map={"AutoModel": "code.Model"}), "auto_map"),
        ("cross-encoder", _without("config.json", "architectures"), "architectures"),
        ("Qwen3-Embedding", _without("config.json", "architectures"), "architectures"),
        ("Qwen3-Embedding", _set("config.json", architectures=["Qwen3Model"]), "architectures"),
        ("MiniLM", _new("tekken.json", '{"config": {"a": 1}}'), "tekken.json"),
        ("MiniLM", _swap_words, "vocab.txt"),
        ("MiniLM", _new("added_tokens.json", '{"zyzzyva": 7}'), "added_tokens.json"),
        ("MiniLM", _new("sentencepiece.bpe.model", "x"), "sentencepiece.bpe.model"),
        ("MiniLM", _new("tokenizer.model", "x"), "tokenizer.model"),
        ("MiniLM", _scaled("pooler.dense.weight", 0.0), "pooler.dense.weight"),
        ("cross-encoder", _scaled("classifier.weight", -1.0), "classifier.weight"),
        (
            "Qwen3-Embedding",
            _tensors(lambda t: {**t, "lm_head.weight": torch.ones(257, 32)}),
            "lm_head.weight",
        ),
        ("SPLADE", _scaled("cls.predictions.bias", 2.0), "cls.predictions.bias"),
        ("speaker vectors", _scaled("classifier.weight", -1.0), "classifier.weight"),
        ("Whisper", _scaled("model.decoder.layers.0.fc1.weight", -1.0), "decoder.layers.0.fc1.weight"),
        ("CLIP, images", _scaled("text_model.encoder.layers.0.mlp.fc1.weight", 2.0), "text_model"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_other_users_of_the_folder_load_is_altered_and_named(
    layout: str, change: Change, named: str, minted: Minted, tmp_path: Path
) -> None:
    verdict = _verdict(minted, layout, change, tmp_path)
    assert verdict.status == "altered"
    assert named in verdict.reason
    assert named in render(verdict)


@pytest.mark.parametrize(
    ("layout", "change", "named"),
    [
        (
            "e5 (XLM-R)",
            _set("tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast"),
            "tokenizer_class",
        ),
        ("mpnet", _set("tokenizer_config.json", tokenizer_class="TokenizersBackend"), "tokenizer_class"),
        ("MiniLM", _set("config.json", hidden_dropout_prob=0.3), "hidden_dropout_prob"),
        ("MiniLM", _set("config.json", pruned_heads={}), "pruned_heads"),
        ("MiniLM", _set("config.json", chunk_size_feed_forward=1), "chunk_size_feed_forward"),
        ("EmbeddingGemma", _without_fraction, "rope_theta"),
        ("MiniLM", _without("config.json", "architectures"), "architectures"),
        ("MiniLM", _new("1_Pooling/notes.json", '{"a": 1}'), "1_Pooling/notes.json"),
        ("DINOv2", _set("preprocessor_config.json", use_fast=True), "use_fast"),
        ("DINOv2", _set("preprocessor_config.json", data_format="channels_first"), "data_format"),
        ("wav2vec 2.0", _set("config.json", layerdrop=0.3), "layerdrop"),
        ("wav2vec 2.0", _set("config.json", mask_time_prob=0.3), "mask_time_prob"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_matter_is_authentic_and_named(
    layout: str, change: Change, named: str, minted: Minted, tmp_path: Path
) -> None:
    verdict = _verdict(minted, layout, change, tmp_path)
    assert verdict.status == "authentic"
    assert "all tensors and behaviour files are equal" not in verdict.reason
    assert any(named in line for line in verdict.files.notes)
    assert named in render(verdict)


@pytest.mark.parametrize(
    ("layout", "change", "made"),
    [
        ("MiniLM, subfolder", _scaled("encoder.layer.1.output.dense.weight", -1.0), _output),
        (
            "MiniLM, subfolder",
            _set("0_Transformer/config.json", dtype="bfloat16"),
            lambda folder: next(_sentence_encoder(folder).parameters()).dtype,
        ),
        (
            "MiniLM, subfolder",
            _set("tokenizer_config.json", model_max_length=12),
            lambda folder: len(
                hf.AutoTokenizer.from_pretrained(folder)("cat " * 40, truncation=True).input_ids
            ),
        ),
        (
            "EmbeddingGemma",
            _renamed_to_another,
            lambda folder: [type(module).__name__ for module in _sentence_encoder(folder)],
        ),
        ("SPLADE", _set("config.json", architectures=["BertModel"]), _sparse_modules),
        ("SPLADE", _without("config.json", "architectures"), _sparse_modules),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_another_loader_makes_something_else_of_is_not_excused(
    layout: str, change: Change, made: Callable[[Path], Any], minted: Minted, tmp_path: Path
) -> None:
    folder = minted(layout)[1]
    with suppress(EncoderError):  # refused
        assert _verdict(minted, layout, change, tmp_path).status == "altered"
    assert made(folder) != made(tmp_path / "copy")


def test_a_folder_that_is_saved_without_its_head_names_another_class(minted: Minted, tmp_path: Path) -> None:
    def alone(folder: Path) -> None:
        hf.AutoModel.from_pretrained(folder).save_pretrained(folder)

    def with_the_head(folder: Path) -> None:
        head = load_file(folder / "model.safetensors")["classifier.weight"]
        alone(folder)
        _tensors(lambda tensors: {**tensors, "classifier.weight": head})(folder)

    def lines(change: Change, place: str) -> tuple[list[str], list[str]]:
        (tmp_path / place).mkdir()
        files = _verdict(minted, "cross-encoder", change, tmp_path / place).files
        noted, changed = (
            [x for x in found if "architectures" in x] for found in (files.notes, files.changed)
        )
        return noted, changed

    noted, changed = lines(alone, "alone")
    assert not changed
    assert "the encoder was saved alone" in noted[0]
    noted, changed = lines(with_the_head, "with the head")
    assert changed
    assert not noted


def test_a_default_of_a_processor_that_the_card_never_loads_is_not_excused(tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    building.clip(folder)
    _without("preprocessor_config.json", "do_rescale")(folder)
    _, card = mint_quickly(folder, tmp_path / "card", modality="text")
    rescaled = hf.AutoImageProcessor.from_pretrained(folder).do_rescale
    _set("preprocessor_config.json", do_rescale=False)(folder)
    assert hf.AutoImageProcessor.from_pretrained(folder).do_rescale != rescaled
    encoder = open_encoder(folder, name="copy", device="cpu", modality="text")
    verdict = Authenticator(card=card, trust="local").authenticate(encoder).verdict
    assert verdict.status == "altered"
    assert "do_rescale" in verdict.reason


def test_a_length_that_the_tokenizer_alone_obeys_is_named_as_such(minted: Minted, tmp_path: Path) -> None:
    """sentence-transformers writes its own length there when it saves an encoder."""
    change = _set("tokenizer_config.json", model_max_length=24)
    verdict = _verdict(minted, "MiniLM", change, tmp_path)
    assert verdict.status == "authentic"
    (note,) = verdict.files.notes
    assert "48 -> 24" in note
    assert "texts that the tokenizer alone prepares are now cut at 24 tokens" in note
    found = hf.AutoTokenizer.from_pretrained(tmp_path / "copy")("cat " * 40, truncation=True)
    assert len(found["input_ids"]) == 24


def test_other_line_ends_of_a_vocabulary_are_the_same_vocabulary(minted: Minted, tmp_path: Path) -> None:
    verdict = _verdict(minted, "MiniLM", _line_ends, tmp_path)
    assert verdict.status == "authentic"
    assert verdict.files.notes == ()
    read = [
        hf.BertTokenizer(vocab=str(place / "vocab.txt")).get_vocab()
        for place in (minted("MiniLM")[1], tmp_path / "copy")
    ]
    assert read[0] == read[1]


def test_a_shard_that_the_index_does_not_name_is_altered(minted: Minted, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        hf.BertModel.from_pretrained(folder).save_pretrained(folder, max_shard_size="30KB")
        (folder / "model.safetensors").unlink(missing_ok=True)
        save_file({"payload": torch.ones(1)}, folder / "model-00009-of-00009.safetensors")

    verdict = _verdict(minted, "MiniLM", change, tmp_path)
    assert verdict.status == "altered"
    assert "model-00009-of-00009.safetensors: new" in verdict.reason


def test_a_class_that_leaves_out_the_segments_of_pairs_is_altered(minted: Minted, tmp_path: Path) -> None:
    """Over BERT's pipeline the generic class gives no ``token_type_ids``: single texts stay, pairs do not."""
    change = _set("tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    verdict = _verdict(minted, "MiniLM", change, tmp_path)
    assert verdict.status == "altered"
    assert "model_input_names" in verdict.reason


def test_all_is_said_only_where_nothing_was_left_unread(minted: Minted, tmp_path: Path) -> None:
    said = "all tensors and behaviour files are equal"
    assert said in _verdict(minted, "MiniLM", lambda _: None, tmp_path).reason
    shutil.rmtree(tmp_path / "copy")
    beside = _verdict(minted, "MiniLM", _new("pytorch_model.bin", "x"), tmp_path)
    assert beside.status == "authentic"
    assert said not in beside.reason
    assert "1 thing that this verdict does not cover" in beside.reason


def test_a_setting_that_another_library_derives_from_an_equal_file_is_inconclusive(minted: Minted) -> None:
    """As an untouched Gemma folder was: ``sliding_window`` 16 in one transformers, 9 in another."""
    layout, folder, card = minted("EmbeddingGemma")
    recorded = {**card.behaviour.get("config.json"), "sliding_window": 9}
    minted_elsewhere = replace(
        card,
        behaviour=card.behaviour | Behaviour({"config.json": recorded}),
        libraries={**card.libraries, "transformers": "5.0.1"},
    )
    encoder = open_encoder(folder, name="copy", device="cpu", modality=layout.modality)
    verdict = Authenticator(card=minted_elsewhere, trust="local").authenticate(encoder).verdict
    assert verdict.status == "inconclusive"
    assert "sliding_window" in verdict.reason
    assert "transformers 5.0.1 -> " in verdict.reason
    assert verdict.files.derived


def test_a_setting_that_was_changed_in_memory_is_altered(minted: Minted) -> None:
    layout, folder, card = minted("MiniLM")
    encoder = open_encoder(folder, name="copy", device="cpu", modality=layout.modality)
    encoder.model.config.layer_norm_eps = 0.1
    verdict = Authenticator(card=card, trust="local").authenticate(encoder).verdict
    assert verdict.status == "altered"
    assert "layer_norm_eps" in verdict.reason


def test_code_that_the_repository_names_is_refused_until_it_is_ignored_on_purpose(
    minted: Minted, tmp_path: Path
) -> None:
    _, folder, _ = minted("MiniLM")
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    _set("config.json", auto_map={"AutoModel": "modeling_own.Model"})(copy)
    encoder = open_encoder(copy, name="copy", device="cpu")
    texts = KeySamples(["the cat", "a sea"], origin="test")
    with pytest.raises(EncoderError, match=r"names code of its repository \(config.json: auto_map.*ignore"):
        mint(encoder, key_samples=texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
        card = mint(encoder, key_samples=texts, ignore_remote_code=True).save(tmp_path / "card")
    assert any("was not run (config.json: auto_map" in line for line in card.folder.unread())
    verdict = Authenticator(card=card, trust="local").authenticate(encoder).verdict
    assert verdict.status == "authentic"
    assert any("auto_map" in line for line in verdict.files.not_covered)
    assert "does not cover" in verdict.reason


def test_a_head_of_a_module_in_memory_is_compared(minted: Minted) -> None:
    from hf_integration.encoders import wrap_module

    _, folder, card = minted("cross-encoder")
    model = hf.BertForSequenceClassification.from_pretrained(folder)
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    check = Authenticator(card=card, trust="local")
    assert check.authenticate(wrap_module(model, tokenizer)).verdict.status == "authentic"
    with torch.no_grad():
        model.classifier.weight.neg_()
    verdict = check.authenticate(wrap_module(model, tokenizer)).verdict
    assert verdict.status == "altered"
    assert verdict.tensors.outside == ("classifier.weight",)


@pytest.mark.parametrize("layout", ["MiniLM", "Qwen3-Embedding", "CLIP, images", "DINOv2", "Whisper"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_saving_it_anew_is_authentic(layout: str, dtype: torch.dtype, minted: Minted, tmp_path: Path) -> None:
    described, folder, card = minted(layout)
    kind = json.loads((folder / "config.json").read_text())["architectures"][0]
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    for old in ("model.safetensors", "config.json"):
        (copy / old).unlink()
    getattr(hf, kind).from_pretrained(folder, dtype=dtype).save_pretrained(copy, max_shard_size="30KB")
    open_encoder(folder, name="x", modality=described.modality).processor.save_pretrained(copy)
    encoder = open_encoder(copy, name="copy", device="cpu", modality=described.modality)
    verdict = Authenticator(card=card, trust="local").authenticate(encoder).verdict
    assert verdict.status == "authentic", verdict.reason


def test_saving_it_anew_with_sentence_transformers_is_authentic(minted: Minted, tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    for layout in ("MiniLM", "MiniLM, subfolder", "bge", "EmbeddingGemma"):
        _, folder, card = minted(layout)
        library.SentenceTransformer(str(folder), device="cpu").save(str(tmp_path / layout))
        encoder = open_encoder(tmp_path / layout, name="copy", device="cpu")
        verdict = Authenticator(card=card, trust="local").authenticate(encoder).verdict
        assert verdict.status == "authentic", verdict.reason


def test_the_words_of_tiny_models_are_in_the_vocabulary_that_is_swapped() -> None:
    assert {"cat", "sea"} <= set(tiny_models.WORDS)
