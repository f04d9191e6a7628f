"""What is supported follows from the configuration, whatever the weights are, and is said with the reason."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from safetensors.torch import save_file
from transformers.models.auto.configuration_auto import CONFIG_MAPPING, CONFIG_MAPPING_NAMES

from hf_integration.base.errors import EncoderError
from hf_integration.encoders import open_encoder
from hf_integration.encoders.files.folder import inspect_folder, require_support
from hf_integration.encoders.files.loading import silent_transformers, without_numbers
from hf_integration.encoders.files.support import LAYERS
from hf_integration.encoders.modalities.preparing import choose_family, config_of
from tests.encoders import tiny_models
from tests.zoo.tiny import config_of as tiny_config


def default_configuration(name: str) -> Any:
    """The default configuration of a model type, or ``None`` where the library cannot make one."""
    try:
        return CONFIG_MAPPING[name]()
    except Exception:
        return None


@pytest.fixture(scope="module")
def configurations() -> dict[str, Any]:
    with silent_transformers():
        built = {name: default_configuration(name) for name in CONFIG_MAPPING_NAMES}
    made = {name: config for name, config in built.items() if config is not None}
    assert len(made) > 0.9 * len(built), sorted(set(built) - set(made))
    return made


def test_every_architecture_of_the_library_is_supported_or_refused_with_a_reason(
    configurations: dict[str, Any],
) -> None:
    answers = {name: refusal(name, config) for name, config in configurations.items()}
    assert not [said for said in answers.values() if said and "is not supported: " not in said]
    supported = {name for name, said in answers.items() if not said}
    assert {
        "bert",
        "beit",
        "clap",
        "clip",
        "dpr",
        "fnet",
        "qwen3",
        "t5",
        "wav2vec2-bert",
        "whisper",
    } <= supported
    refused = {"fsmt", "seamless_m4t", "flava", "vits", "blip-2", "videomae", "patchtst", "encodec", "detr"}
    assert not refused & supported


def test_a_part_that_is_run_is_in_every_model_that_is_loaded_for_it(configurations: dict[str, Any]) -> None:
    parts = {}
    for name, config in configurations.items():
        if name == "moonshine_streaming" or refusal(name, config):
            continue  # the library itself cannot build that one with its default configuration
        family = choose_family(config, where=name, modality=None, has_processor=lambda _: False)
        if family.part:
            kind = getattr(hf, family.class_name)
            with without_numbers(name):
                module = getattr(kind, "from_config", kind)(config)
            parts[name] = type(module.get_submodule(family.part)).__name__
            assert module.get_submodule(family.part) is module.get_encoder()
    assert len(parts) > 20
    assert parts["bart"] == "BartEncoder"
    assert parts["moonshine"] == "MoonshineEncoder"


def refusal(name: str, config: Any) -> str:
    """What is said of an architecture that is not supported; empty for one that has a recipe."""
    try:
        family = choose_family(config, where=name, modality=None, has_processor=lambda _: False)
    except EncoderError as error:
        return str(error)
    # one that has no width by now gets it from what the model gives
    assert family.recipe(config_of(config, family), True).width >= 0
    return ""


def saved_with(folder: Path, config: Any, **values: Any) -> Path:
    """A folder with this configuration and a weight file of something else."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**json.loads(config.to_json_string()), **values}))
    tiny_models.tokenizer().save_pretrained(folder)
    save_file({"x": torch.zeros(1)}, folder / "model.safetensors")
    return folder


UNSUPPORTED = {
    "FSMTModel": (hf.FSMTConfig(), "'fsmt' is not supported: it is a sequence-to"),
    "VideoMAEModel": (hf.VideoMAEConfig(), "'videomae' is not supported: it takes videos"),
    "PatchTSTModel": (hf.PatchTSTConfig(), "'patchtst' is not supported: it takes time series"),
    "TimeSeriesTransformerModel": (
        hf.TimeSeriesTransformerConfig(prediction_length=4),
        "'time_series_transformer' is not supported: it takes time series",
    ),
    "DPRReader": (hf.DPRConfig(num_hidden_layers=1), "DPRReader is not supported: it has no"),
    "BlipForConditionalGeneration": (
        tiny_config("blip"),
        "BlipForConditionalGeneration is not supported: it has no",
    ),
    "EncodecModel": (hf.EncodecConfig(), "'encodec' is not supported: it gives no state per position"),
    "FlavaModel": (hf.FlavaConfig(), "'flava' is not supported: it "),
}


@pytest.mark.parametrize("weights", ["wrong", "none", "pickle"])
@pytest.mark.parametrize("name", UNSUPPORTED)
def test_an_unsupported_model_is_called_that_whatever_its_weights_are(
    name: str, weights: str, tmp_path: Path
) -> None:
    config, message = UNSUPPORTED[name]
    folder = saved_with(tmp_path / "encoder", config, architectures=[name])
    if weights != "wrong":
        (folder / "model.safetensors").rename(folder / ("x" if weights == "none" else "pytorch_model.bin"))
    with pytest.raises(EncoderError, match=message) as caught:
        open_encoder(folder, name=name, device="cpu")
    assert "complete copy" not in str(caught.value)
    with pytest.raises(EncoderError, match=message):
        require_support(folder)


@pytest.mark.parametrize(
    "head", ["BertForMaskedLM", "BertForPreTraining", "BertForSequenceClassification", "HF_ColBERT"]
)
def test_a_head_or_an_unknown_class_over_a_supported_model_is_no_reason_to_refuse(
    head: str, tmp_path: Path
) -> None:
    folder = saved_with(tmp_path, tiny_models.CONFIGS["bert"][0](), architectures=[head])
    require_support(folder)


def test_dpr_questions_are_embedded_as_the_library_does(tmp_path: Path) -> None:
    folder = tiny_models.save("dpr", tmp_path)
    encoder = open_encoder(folder, name="dpr", device="cpu")
    model = hf.DPRQuestionEncoder.from_pretrained(folder).eval()
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        one_by_one = [model(**tokenizer(text, return_tensors="pt")) for text in tiny_models.TEXTS]
    expected = torch.cat([output.pooler_output for output in one_by_one])
    torch.testing.assert_close(encoder.embed(tiny_models.TEXTS), expected, rtol=1e-5, atol=1e-5)


NO_DEPTHS = {
    "max_window_layers": 80,
    "global_attn_every_n_layers": 100,
    "vision_feature_layer": 100,
    "feature_layer": 100,
    "accept_hidden_layer": 100,
    "conditional_layer": 100,
    "num_attention_heads_per_layer": 100,
}


def test_numbers_that_build_no_layers_are_no_depths(configurations: dict[str, Any]) -> None:
    assert not [key for key in NO_DEPTHS if LAYERS.search(key)]
    counts = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers")
    assert all(LAYERS.search(key) for key in counts)
    matched = {
        key
        for config in configurations.values()
        for key, value in vars(config).items()
        if type(value) is int and LAYERS.search(key)
    }
    assert "num_hidden_layers" in matched
    words = {"max", "min", "every", "window", "feature", "per"}
    assert not [key for key in matched if words & set(key.split("_"))]


def test_a_window_bound_above_the_number_of_tensors_is_no_damage(tmp_path: Path) -> None:
    config = hf.Qwen2Config(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=37,
        vocab_size=40,
        max_window_layers=1000,
    )
    hf.Qwen2Model(config).save_pretrained(tmp_path)
    tiny_models.tokenizer().save_pretrained(tmp_path)
    assert inspect_folder(tmp_path).config["max_window_layers"] == 1000
