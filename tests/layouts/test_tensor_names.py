"""Tensors under other names: what takes the place of another is found, what a library renames is not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

from hf_integration import WatermarkCard
from hf_integration.authentication import Authenticator
from hf_integration.encoders import open_encoder
from hf_integration.verdict import Verdict
from tests.encoders import tiny_models
from tests.layouts.building import Layout
from tests.tiny_cards import mint_quickly

Tensors = dict[str, torch.Tensor]
Minted = Callable[[str], tuple[Layout, Path, WatermarkCard]]


def check(folder: Path, card: WatermarkCard) -> Verdict:
    encoder = open_encoder(folder, name="edited", device="cpu", modality=card.encoder.modality)
    return Authenticator(card=card, trust="local", precision="float32").authenticate(encoder).verdict


def edited(folder: Path, place: Path, change: Callable[[Tensors], Tensors]) -> Path:
    copy = Path(shutil.copytree(folder, place / "copy"))
    tensors = change(load_file(copy / "model.safetensors"))
    save_file(
        {name: t.contiguous() for name, t in tensors.items()}, copy / "model.safetensors", {"format": "pt"}
    )
    return copy


def swapped_shadows(tensors: Tensors) -> Tensors:
    """Two layers once more under the names that classes with a head prefer, each with the other's values."""
    other = {"layer.0.": "layer.1.", "layer.1.": "layer.0."}
    return tensors | {
        f"bert.{name}": tensors[name.replace(one, two)].clone()
        for name in tensors
        for one, two in other.items()
        if name.startswith(f"bert.encoder.{one}")
    }


def renamed(old: str, new: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {
        new + name.removeprefix(old) if name.startswith(old) else name: t for name, t in tensors.items()
    }


HARMFUL: dict[str, Callable[[Tensors], Tensors]] = {
    "shadows of layers, swapped": swapped_shadows,
    "shadows of layers, random": lambda t: (
        t | {f"bert.{n}": torch.randn_like(t[n]) for n in t if ".layer.0." in n}
    ),
    "shadows of layers, equal": lambda t: t | {f"bert.{n}": t[n].clone() for n in t if ".layer.0." in n},
    "head renamed": renamed("classifier.", "score."),
    "pooler renamed": renamed("bert.pooler.", "pooler."),
    "one layer renamed": renamed("bert.encoder.layer.0.", "encoder.layer.0."),
    "head removed": lambda t: {n: v for n, v in t.items() if not n.startswith("classifier.")},
    "pooler removed": lambda t: {n: v for n, v in t.items() if ".pooler." not in n},
    "head moved to the name of a buffer": renamed("classifier.", "classifier.position_ids."),
    "head's numbers under the name of a buffer": lambda t: {
        "classifier.position_ids" if n == "classifier.weight" else n: v for n, v in t.items()
    },
    "new head": lambda t: t | {"score.weight": torch.ones(1, 32)},
    "head given the values of a norm": lambda t: (
        t | {"classifier.weight": t["bert.encoder.layer.0.output.LayerNorm.weight"].reshape(1, -1).clone()}
    ),
}


@pytest.mark.parametrize("change", HARMFUL)
def test_a_name_that_the_card_does_not_know_is_a_change(minted: Minted, change: str, tmp_path: Path) -> None:
    _, folder, card = minted("cross-encoder")
    verdict = check(edited(folder, tmp_path, HARMFUL[change]), card)
    assert verdict.status == "altered", verdict.reason
    assert "changed, new or gone" in verdict.reason


def test_the_head_of_another_task_that_was_tied_is_not_untied(minted: Minted, tmp_path: Path) -> None:
    _, folder, card = minted("SPLADE")
    words = "bert.embeddings.word_embeddings.weight"
    copy = edited(folder, tmp_path, lambda t: t | {"cls.predictions.decoder.weight": -t[words]})
    assert "cls.predictions.decoder.weight" in check(copy, card).tensors.outside


def test_a_head_that_alone_is_rounded_is_named(minted: Minted, tmp_path: Path) -> None:
    _, folder, card = minted("cross-encoder")
    name = "classifier.weight"
    verdict = check(edited(folder, tmp_path, lambda t: t | {name: t[name].half().float()}), card)
    assert (verdict.status, verdict.tensors.outside) == ("altered", (name,))
    assert [strip.name for strip in verdict.strips if not strip.intact] == ["head"]


def test_a_tensor_of_the_other_half_that_alone_is_rounded_is_named(minted: Minted, tmp_path: Path) -> None:
    _, folder, card = minted("Whisper")
    name = "model.decoder.layers.0.fc1.weight"
    verdict = check(edited(folder, tmp_path, lambda t: t | {name: t[name].half().float()}), card)
    assert verdict.authentic
    assert verdict.files.notes == (f"{name}: rounded, unlike the rest; the embedding does not use it",)


def test_a_copy_that_is_rounded_as_a_whole_needs_no_word_about_it(minted: Minted, tmp_path: Path) -> None:
    _, folder, card = minted("cross-encoder")
    verdict = check(edited(folder, tmp_path, lambda t: {n: v.half().float() for n, v in t.items()}), card)
    assert verdict.authentic
    assert not verdict.files.notes


def test_what_a_library_saves_under_other_names_is_no_change(minted: Minted, tmp_path: Path) -> None:
    """The encoder alone, loaded from a folder with a head: every name loses its prefix."""
    _, folder, card = minted("cross-encoder")
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    hf.AutoModel.from_pretrained(folder).save_pretrained(copy)
    assert not any(name.startswith("bert.") for name in load_file(copy / "model.safetensors"))
    verdict = check(copy, card)
    assert verdict.tensors.outside == ()
    assert [note for note in verdict.files.notes if note.startswith("classifier.")]


def test_old_names_of_norms_are_no_change(minted: Minted, tmp_path: Path) -> None:
    def old(name: str) -> str:
        return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")

    _, folder, card = minted("SPLADE")
    verdict = check(edited(folder, tmp_path, lambda t: {old(name): v for name, v in t.items()}), card)
    assert verdict.tensors.outside == ()
    assert verdict.authentic, verdict.reason


def test_buffers_that_old_releases_stored_may_come_and_go(minted: Minted, tmp_path: Path) -> None:
    _, folder, card = minted("cross-encoder")
    name = "bert.embeddings.position_ids"
    verdict = check(edited(folder, tmp_path, lambda t: t | {name: torch.arange(64)[None]}), card)
    assert verdict.authentic
    assert [note for note in verdict.files.notes if note.startswith(name)]


def test_a_copy_of_a_tied_tensor_may_go(tmp_path: Path) -> None:
    """RoBERTa's checkpoints hold the bias of their head twice; whoever saves them anew writes it once."""
    config = hf.RobertaConfig(
        vocab_size=200, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48
    )
    folder = headed(tmp_path, hf.RobertaForMaskedLM(config))
    tensors = load_file(folder / "model.safetensors")
    bias = torch.linspace(-1, 1, 200)
    twice = {**tensors, "lm_head.bias": bias, "lm_head.decoder.bias": bias.clone()}
    words = tensors["roberta.embeddings.word_embeddings.weight"]
    save_file(
        {**twice, "lm_head.decoder.weight": words.clone()}, folder / "model.safetensors", {"format": "pt"}
    )
    _, card = mint_quickly(folder, tmp_path / "card")
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    hf.RobertaForMaskedLM.from_pretrained(folder).save_pretrained(copy)
    gone = set(twice) | {"lm_head.decoder.weight"}
    gone -= set(load_file(copy / "model.safetensors"))
    assert gone
    verdict = check(copy, card)
    assert verdict.authentic, verdict.reason
    assert all(any(note.startswith(f"{name}: no longer") for note in verdict.files.notes) for name in gone)


def test_a_head_of_another_class_than_the_folder_names_may_go(tmp_path: Path) -> None:
    """BERT's checkpoints name the class of one head, and hold a second one."""
    config = hf.BertConfig(
        vocab_size=200, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48
    )
    folder = headed(tmp_path, hf.BertForPreTraining(config), named="BertForMaskedLM")
    _, card = mint_quickly(folder, tmp_path / "card")
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    hf.BertForMaskedLM.from_pretrained(folder).save_pretrained(copy)
    assert not any("seq_relationship" in name for name in load_file(copy / "model.safetensors"))
    verdict = check(copy, card)
    assert verdict.authentic, verdict.reason
    assert any(note.startswith("cls.seq_relationship.weight: no longer") for note in verdict.files.notes)


def headed(place: Path, model: hf.PreTrainedModel, *, named: str = "") -> Path:
    folder = place / "encoder"
    model.save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)
    if named:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "architectures": [named]}))
    return folder
