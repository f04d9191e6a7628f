"""Encoders without an entry of their own: what their class says decides, and bad settings are refused."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf

from hf_integration import wrap_module
from hf_integration.base.errors import EncoderError, KeySampleError
from hf_integration.encoders import open_encoder
from hf_integration.encoders.modalities.observed import UnsupportedError, observed_recipe
from hf_integration.encoders.modalities.preparing import families_of
from hf_integration.encoders.modalities.recipes import Recipe
from hf_integration.encoders.modalities.static import folded
from hf_integration.key_samples.samples import Waveform
from tests.encoders import tiny_models
from tests.layouts import building
from tests.zoo import processors
from tests.zoo.layouts import layouts
from tests.zoo.tiny import config_of, random_model

BY_NAME = {layout.name: layout for layout in layouts()}


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    @cache
    def save(name: str) -> Path:
        folder = tmp_path_factory.mktemp("generic") / "encoder"
        BY_NAME[name].write(folder)
        return folder

    return save


CLASSES = {
    # model type, saved class -> class that is loaded, its part, modality
    ("clip_text_model", "CLIPTextModel"): ("AutoModel", "", "text"),
    ("clip_text_model", "CLIPTextModelWithProjection"): ("CLIPTextModelWithProjection", "", "text"),
    ("clip_text_model", None): ("CLIPTextModelWithProjection", "", "text"),
    ("clip_vision_model", "CLIPVisionModel"): ("AutoModel", "", "image"),
    ("clip", "CLIPModel"): ("CLIPVisionModelWithProjection", "", "image"),
    ("dpr", "DPRQuestionEncoder"): ("AutoModel", "", "text"),
    ("dpr", "DPRContextEncoder"): ("DPRContextEncoder", "", "text"),
    ("dpr", "DPRReader"): ("AutoModel", "", "text"),
    ("t5", "T5ForConditionalGeneration"): ("T5EncoderModel", "encoder", "text"),
    ("t5", "T5EncoderModel"): ("T5EncoderModel", "encoder", "text"),
    ("whisper", "WhisperForAudioClassification"): ("WhisperForAudioClassification", "encoder", "audio"),
    ("bart", "BartForConditionalGeneration"): ("AutoModel", "encoder", "text"),
    ("marian", "MarianMTModel"): ("AutoModel", "encoder", "text"),
    ("moonshine", "MoonshineForConditionalGeneration"): ("AutoModel", "encoder", "audio"),
    ("bert", "BertForMaskedLM"): ("AutoModel", "", "text"),
    ("bert", "BertLMHeadModel"): ("AutoModel", "", "text"),
    ("bert", "ViTModel"): ("AutoModel", "", "text"),
    ("bert", "os"): ("AutoModel", "", "text"),
    ("blip_text_model", "BlipTextModel"): ("BlipTextModel", "", "text"),
    ("wav2vec2-bert", "Wav2Vec2BertForCTC"): ("AutoModel", "", "audio"),
}


@pytest.mark.parametrize(("kind", "saved"), CLASSES)
def test_what_is_loaded_follows_from_the_class_that_was_saved(kind: str, saved: str | None) -> None:
    family = families_of(config_of(kind), saved)[0]
    assert (family.class_name, family.part, family.modality) == CLASSES[kind, saved]


def test_the_encoder_of_bart_is_the_one_of_the_model_with_a_head_and_the_decoder_does_not_count(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    encoder = open_encoder(folder_of("bart"), name="x", device="cpu")
    assert not [name for name in encoder.tensors() if "decoder" in name]
    assert any("decoder.layers" in name for name in encoder.stored.digests)
    whole = hf.BartForConditionalGeneration.from_pretrained(folder_of("bart"))
    there = wrap_module(whole, processors.wordpiece())
    alone = wrap_module(whole.get_encoder(), processors.wordpiece())
    texts = ["a b c", "c b"]
    assert torch.equal(encoder.embed(texts), there.embed(texts))
    assert torch.equal(encoder.embed(texts), alone.embed(texts))
    assert there.description.pooling == encoder.description.pooling == "mean over the mask"


def test_a_sentence_encoder_of_bart_is_refused_as_that_library_runs_its_decoder(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(folder_of("bart"), tmp_path / "sentences")
    building.write_sentences(folder, {"pooling_mode_mean_tokens": True})
    with pytest.raises(EncoderError, match=r"of a sequence-to-sequence model, .* either runs both halves"):
        open_encoder(folder, name="x", device="cpu")


def test_both_towers_are_there_and_their_tensors_are_told_apart(folder_of: Callable[[str], Path]) -> None:
    folder = folder_of("CLAP, recordings")
    processors.roberta().save_pretrained(folder)
    audio, text = (open_encoder(folder, name="x", device="cpu", modality=m) for m in ("audio", "text"))
    assert {name.partition(".")[0] for name in audio.tensors()} == {"audio_model", "audio_projection"}
    assert {name.partition(".")[0] for name in text.tensors()} == {"text_model", "text_projection"}
    assert open_encoder(folder, name="x", device="cpu").modality == "audio"
    with pytest.raises(EncoderError, match="has no image encoder"):
        open_encoder(folder, name="x", device="cpu", modality="image")


HOSTILE = {
    ("AST", "preprocessor_config.json", "max_length"): "max_length 1000000000 is more than any encoder",
    ("AST", "preprocessor_config.json", "num_mel_bins"): "is more than any encoder takes",
    ("CLAP, recordings", "preprocessor_config.json", "max_length_s"): "is more than any encoder takes",
    ("CLAP, recordings", "preprocessor_config.json", "fft_window_size"): "is more than any encoder takes",
    ("CLAP, recordings", "config.json", "spec_size"): "is more than any encoder has",
    ("siglip2, images", "preprocessor_config.json", "max_num_patches"): "is more than any encoder takes",
    ("t5, whole", "tokenizer_config.json", "extra_ids"): "is more than any encoder takes",
    ("beit", "preprocessor_config.json", "resample"): "an image cannot be processed",
}


@pytest.mark.parametrize(("name", "file", "key"), HOSTILE)
def test_numbers_that_no_encoder_has_are_refused(
    name: str, file: str, key: str, folder_of: Callable[[str], Path]
) -> None:
    path = folder_of(name) / file
    text = path.read_text()
    settings = json.loads(text)
    part = settings["audio_config"] if key == "spec_size" else settings
    part[key] = 10**9
    path.write_text(json.dumps(settings))
    try:
        with pytest.raises(EncoderError, match=HOSTILE[name, file, key]) as caught:
            open_encoder(path.parent, name="x", device="cpu", modality=BY_NAME[name].modality)
    finally:
        path.write_text(text)
    assert "\n" not in str(caught.value)


def test_a_recording_that_would_be_cut_at_random_is_refused(folder_of: Callable[[str], Path]) -> None:
    encoder = open_encoder(folder_of("CLAP, recordings"), name="x", device="cpu", modality="audio")
    wave = np.random.default_rng(0).integers(-9000, 9000, 16_001).astype(np.int16)
    assert encoder.embed([Waveform(wave[:16_000], 16_000)]).shape == (1, 32)
    with pytest.raises(KeySampleError, match="16001 samples, of which ClapFeatureExtractor takes 16000 at"):
        encoder.embed([Waveform(wave, 16_000)])
    assert encoder.rate == 16_000


def test_masking_at_random_is_refused_and_a_folder_is_opened_without_it(
    folder_of: Callable[[str], Path],
) -> None:
    folder = folder_of("vit_mae")
    images, processor = tiny_models.images(2), processors.images(32)()
    encoder = open_encoder(folder, name="x", device="cpu")
    assert torch.equal(encoder.embed(images), encoder.embed(images))
    whole = hf.AutoModel.from_pretrained(folder, mask_ratio=0.0)
    assert torch.equal(wrap_module(whole, processor).embed(images), encoder.embed(images))
    with pytest.raises(EncoderError, match=r"hides patches at random \(mask_ratio 0.75\)"):
        wrap_module(hf.AutoModel.from_pretrained(folder), processor).embed(images)


def test_a_processor_of_another_kind_is_refused(folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    random_model(config_of("beit"), "BeitModel").save_pretrained(tmp_path)
    processors.ast().save_pretrained(tmp_path)
    with pytest.raises(EncoderError, match=r"cannot be loaded|and the model takes"):
        open_encoder(tmp_path, name="x", device="cpu")


@pytest.mark.parametrize("named", [3, "x", [], [3], [{}], [[]], [None], {"a": 1}, ["\u001b[31m"], [""]])
def test_whatever_a_file_calls_its_class_it_is_refused_in_one_line_or_opened(
    named: Any, folder_of: Callable[[str], Path]
) -> None:
    path = folder_of("Siglip2VisionModel, alone") / "config.json"
    text, said = path.read_text(), ""
    path.write_text(json.dumps({**json.loads(text), "architectures": named}))
    try:
        assert open_encoder(path.parent, name="x", device="cpu").modality == "image"
    except EncoderError as error:
        said = str(error)
    finally:
        path.write_text(text)
    assert said.isprintable()


class _Output:
    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (_Output(), "no state per position"),
        (_Output(last_hidden_state=torch.zeros(2, 3)), "no state per position"),
        (_Output(last_hidden_state=None, pooler_output=torch.zeros(2, 3, 4, 4)), "no state per position"),
    ],
)
def test_an_output_without_a_vector_is_no_embedding(output: Any, said: str) -> None:
    recipe = Recipe("", 0, lambda output, _: output)
    with pytest.raises(UnsupportedError, match=said):
        observed_recipe(recipe, "image", torch.nn.Linear(1, 1), output)


def test_of_a_tower_without_a_vector_too() -> None:
    recipe = Recipe("", 0, lambda output, _: output, method="get_image_features")
    with pytest.raises(UnsupportedError, match=r"it gives no vector \(pooler_output\)"):
        observed_recipe(recipe, "image", torch.nn.Linear(1, 1), _Output(pooler_output=torch.zeros(2, 3, 4)))


@pytest.mark.parametrize("names", [5, None, "pixel_values", [["x"]], {"pixel_values": 1}, [], ["input_ids"]])
def test_input_names_that_are_none_are_an_error_of_the_folder(
    folder_of: Callable[[str], Path], tmp_path: Path, names: object
) -> None:
    folder = shutil.copytree(folder_of("beit"), tmp_path / "encoder")
    file = folder / "preprocessor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "model_input_names": names}))
    with pytest.raises(EncoderError, match=r"preprocessor_config\.json"):
        open_encoder(folder, name="beit", device="cpu")


@pytest.mark.parametrize(
    "settings",
    [
        {"image_processor_type": "Pix2StructImageProcessor", "max_patches": 1_000_000},
        {"image_processor_type": "DPTImageProcessor", "do_pad": True, "size_divisor": 4000},
        {"image_processor_type": "DPTImageProcessor", "do_pad": True, "size_divisor": 1 << 20},
        {"image_processor_type": "BeitImageProcessor", "size": {"height": 4000, "width": 4000}},
    ],
)
def test_a_processor_that_makes_much_of_a_small_sample_is_refused_before_the_model_runs(
    folder_of: Callable[[str], Path], tmp_path: Path, settings: dict[str, object]
) -> None:
    folder = shutil.copytree(folder_of("beit"), tmp_path / "encoder")
    small = {"size": {"height": 32, "width": 32}}
    (folder / "preprocessor_config.json").write_text(json.dumps({**small, **settings}))
    with pytest.raises(EncoderError, match=r"more than any encoder takes|numbers of a small sample"):
        open_encoder(folder, name="beit", device="cpu")


def test_a_small_file_of_a_static_encoder_asks_for_no_large_table() -> None:
    tensors = {"embeddings": torch.ones(1, 5000), "mapping": torch.zeros(100_000, dtype=torch.int64)}
    with pytest.raises(EncoderError, match="100000 tokens of 5000 dimensions"):
        folded(tensors, "encoder")
    tensors["mapping"] = tensors["mapping"][:10]
    assert folded(tensors, "encoder").shape == (10, 5000)
