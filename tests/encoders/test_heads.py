"""The head that a model was saved with is a strip of its own, and an altered one breaks no other."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from torch import Tensor

from hf_integration import WatermarkCard, mint, wrap_module
from hf_integration.authentication import Authenticator
from hf_integration.authentication.references import run_strips
from hf_integration.base.errors import KeySampleError
from hf_integration.encoders import Encoder, open_encoder
from hf_integration.encoders.files.loading import silent_transformers
from hf_integration.encoders.running import head
from hf_integration.key_samples.samples import KeySamples, Waveform
from hf_integration.verdict import Verdict
from tests.encoders import tiny_models
from tests.threads import one_thread
from tests.tiny_cards import mint_quickly
from tests.zoo.checking import CLOSE
from tests.zoo.documented import in_memory, inputs_of
from tests.zoo.layout import Layout
from tests.zoo.layouts import layouts

__all__ = ["one_thread"]

BY_NAME = {layout.name: layout for layout in layouts()}

# layout -> what of the library's output the strip is
HEADS = {
    "BertForSequenceClassification": ("logits",),
    "ViTForImageClassification": ("logits",),
    "DeiTForImageClassificationWithTeacher": ("logits",),
    "ASTForAudioClassification": ("logits",),
    "WhisperForAudioClassification": ("logits",),
    "WavLMForXVector": ("embeddings", "logits"),
}
OF_THE_LOSS = "objective.weight"
"""A tensor of a head that only training reads."""


class Minted(NamedTuple):
    layout: Layout
    folder: Path
    card: WatermarkCard

    def opened(self, folder: Path | None = None) -> Encoder:
        place = self.folder if folder is None else folder
        return open_encoder(place, name="x", device="cpu", modality=self.layout.modality)

    def whole(self) -> Any:
        with silent_transformers():
            return getattr(hf, self.layout.saved).from_pretrained(self.folder).eval()

    def check(self, encoder: Encoder) -> Verdict:
        return Authenticator(card=self.card, trust="local").authenticate(encoder).verdict


@pytest.fixture(scope="session")
def minted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Minted]:
    @cache
    def mint(name: str) -> Minted:
        place, layout = tmp_path_factory.mktemp("head"), BY_NAME[name]
        layout.write(place / "encoder")
        _, card = mint_quickly(place / "encoder", place / "card", modality=layout.modality)
        return Minted(layout, place / "encoder", card)

    return mint


def broken(verdict: Verdict) -> list[str]:
    return [strip.name for strip in verdict.strips if not strip.intact]


def edited(folder: Path, copy: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Path:
    """A copy of a folder with other tensors."""
    shutil.copytree(folder, copy)
    tensors = change(load_file(folder / "model.safetensors"))
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    return copy


def _moved(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**tensors, name: tensors[name] + 1e-3}


@pytest.mark.parametrize("name", HEADS)
def test_the_strip_is_what_the_librarys_own_model_gives(minted: Callable[[str], Minted], name: str) -> None:
    made = minted(name)
    assert made.card.strips[-2:] == ("head", "embedding")
    samples = tiny_models.samples(made.layout.modality)
    model = made.whole().double()
    encoder = made.opened()
    assert not encoder.in_process_changes()
    for batch in encoder.at_precision("float64").observe(samples):
        for row, place in enumerate(batch.indices):
            with torch.inference_mode():
                output = model(**inputs_of(made.layout, made.folder, samples[place]))
            expected = torch.cat([getattr(output, part)[0] for part in HEADS[name]])
            assert torch.allclose(batch.features["head"][row], expected, rtol=0, atol=CLOSE)


@pytest.mark.parametrize("name", HEADS)
def test_an_altered_head_breaks_its_strip_alone(
    minted: Callable[[str], Minted], name: str, tmp_path: Path
) -> None:
    made = minted(name)
    model = made.whole()
    below = (f"{model.base_model_prefix}.", "encoder.")
    heads = [tensor for tensor in model.state_dict() if not tensor.startswith(below)]
    assert heads
    for tensor in heads:
        folder = edited(made.folder, tmp_path / tensor, partial(_moved, tensor))
        verdict = made.check(made.opened(folder))
        assert verdict.status == "altered"
        assert broken(verdict) == ([] if tensor == OF_THE_LOSS else ["head"]), tensor
        if tensor != OF_THE_LOSS:
            assert any("strip 'head'" in line for line in verdict.diagnosis)


@pytest.mark.parametrize("name", HEADS)
def test_a_head_that_is_there_and_could_not_be_read_is_never_excused(
    minted: Callable[[str], Minted], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = minted(name)

    def unreadable(*_: Any) -> Any:
        raise failure

    monkeypatch.setattr(head, "_read", unreadable)
    failure: Exception = ValueError("of another library")
    verdict = made.check(made.opened())
    assert verdict.status != "authentic"
    assert broken(verdict) == ["head"]
    failure = MemoryError()
    with pytest.raises(MemoryError):
        made.opened()


def test_recordings_that_are_too_short_for_a_head_are_named(
    minted: Callable[[str], Minted], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = minted("WavLMForXVector")
    monkeypatch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
    waves = [Waveform(np.arange(count, dtype=np.int16), 16_000) for count in (16_000, 30, 16_000)]
    with pytest.raises(KeySampleError, match="the encoder's head gives nothing for 1 of 3 key samples"):
        mint(made.opened(), key_samples=KeySamples(waves, origin="test"))


def test_a_head_whose_class_runs_its_encoder_otherwise_has_no_strip(tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    BY_NAME["longformer"].write(folder)
    config = hf.AutoConfig.from_pretrained(folder)
    hf.LongformerForSequenceClassification(config).save_pretrained(folder)
    (batch,) = open_encoder(folder, name="x", device="cpu").observe(["the cat"])
    assert "head" not in batch.features


def test_a_layer_that_is_altered_is_found_there_and_not_in_the_head(
    minted: Callable[[str], Minted], tmp_path: Path
) -> None:
    made = minted("BertForSequenceClassification")
    change = partial(_moved, "bert.encoder.layer.0.output.dense.weight")
    verdict = made.check(made.opened(edited(made.folder, tmp_path / "x", change)))
    assert broken(verdict) == ["layer 1", "head", "embedding"]


@pytest.mark.parametrize(
    "name", ["BertForSequenceClassification", "WavLMForXVector", "WhisperForAudioClassification"]
)
def test_a_model_in_memory_runs_its_own_head(minted: Callable[[str], Minted], name: str) -> None:
    made = minted(name)
    model, processor = made.whole(), in_memory(made.layout, made.folder)[1]
    verdict = made.check(wrap_module(model, processor))
    assert (verdict.status, broken(verdict)) == ("authentic", [])
    assert "head" in [strip.name for strip in verdict.strips]
    with torch.no_grad():
        model.classifier.bias += 1e-3
    verdict = made.check(wrap_module(model, processor))
    assert (verdict.status, broken(verdict)) == ("altered", ["head"])


def test_a_head_that_cannot_be_run_breaks_its_strip(minted: Callable[[str], Minted]) -> None:
    made = minted("BertForSequenceClassification")
    model, processor = made.whole(), in_memory(made.layout, made.folder)[1]
    model.dropout = torch.nn.Flatten(0, 1)  # rows that the classifier cannot take
    verdict = made.check(wrap_module(model, processor))
    assert verdict.status != "authentic"
    assert broken(verdict) == ["head"]


def test_an_encoder_without_the_head_is_checked_without_it_and_the_verdict_says_so(
    minted: Callable[[str], Minted], tmp_path: Path
) -> None:
    made = minted("BertForSequenceClassification")
    base, processor = in_memory(made.layout, made.folder)
    base.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    for encoder in (wrap_module(base, processor), made.opened(tmp_path)):
        verdict = made.check(encoder)
        assert verdict.status == "authentic", verdict.reason
        assert "head" not in [strip.name for strip in verdict.strips]
        assert "the head that the card describes: this encoder has none" in verdict.files.not_covered
    assert not made.check(made.opened()).files.not_covered


def test_a_head_whose_class_is_no_longer_named_is_not_excused(
    minted: Callable[[str], Minted], tmp_path: Path
) -> None:
    made = minted("BertForSequenceClassification")
    folder = edited(made.folder, tmp_path / "x", lambda tensors: tensors)
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "architectures": ["BertModel"]}))
    verdict = made.check(made.opened(folder))
    assert verdict.status == "altered"
    assert broken(verdict) == ["head"]


def test_a_card_from_before_there_were_such_strips_still_holds(
    minted: Callable[[str], Minted], tmp_path: Path
) -> None:
    made = minted("BertForSequenceClassification")
    without = run_strips(made.card, wrap_module(*in_memory(made.layout, made.folder)))
    assert without.strips == tuple(strip for strip in made.card.strips if strip != "head")
    card = WatermarkCard.load(replace(without, digest="", location="").save(tmp_path / "card").location)
    verdict = Authenticator(card=card, trust="local").authenticate(made.opened()).verdict
    assert verdict.status == "authentic"
    assert [strip.name for strip in verdict.strips] == list(card.strips)
    assert not verdict.files.not_covered


@pytest.mark.parametrize(
    "name", ["BertForMaskedLM", "BertForTokenClassification", "Wav2Vec2ForCTC", "bert", "bart"]
)
def test_a_model_whose_head_gives_no_vector_has_no_such_strip(name: str, tmp_path: Path) -> None:
    layout = BY_NAME[name]
    layout.write(tmp_path / "encoder")
    encoder = open_encoder(tmp_path / "encoder", name="x", device="cpu")
    (batch,) = encoder.observe(tiny_models.samples(layout.modality)[:1])
    assert "head" not in batch.features


@pytest.mark.parametrize(
    "named",
    ["NobodyForSequenceClassification", "ViTForImageClassification", "TimmWrapperForImageClassification", 3],
)
def test_a_class_that_does_not_fit_gives_no_head_and_no_error(
    minted: Callable[[str], Minted], named: object, tmp_path: Path
) -> None:
    made = minted("BertForSequenceClassification")
    folder = edited(made.folder, tmp_path / "x", lambda tensors: tensors)
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "architectures": [named]}))
    verdict = made.check(made.opened(folder))
    assert (verdict.status, broken(verdict)) == ("altered", ["head"])


def test_tensors_of_another_shape_are_no_head(minted: Callable[[str], Minted], tmp_path: Path) -> None:
    made = minted("BertForSequenceClassification")
    longer = {"classifier.bias": torch.zeros(1)}
    verdict = made.check(made.opened(edited(made.folder, tmp_path / "x", lambda all: {**all, **longer})))
    assert (verdict.status, broken(verdict)) == ("altered", ["head"])
