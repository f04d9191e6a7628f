"""Layouts by what was saved: heads of other tasks, towers alone, shards, half precision, old names."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from tests.zoo import processors as of
from tests.zoo.images import IMAGE
from tests.zoo.layout import Layout
from tests.zoo.table import CLAP, WAVES
from tests.zoo.texts import TEXT

TEXT_HEADS: Mapping[str, tuple[str, ...]] = {
    "albert": ("AlbertForMaskedLM",),
    "bert": (
        "BertForMaskedLM",
        "BertForPreTraining",
        "BertForSequenceClassification",
        "BertForQuestionAnswering",
        "BertForTokenClassification",
    ),
    "camembert": ("CamembertForMaskedLM",),
    "deberta-v2": ("DebertaV2ForMaskedLM", "DebertaV2ForSequenceClassification"),
    "distilbert": ("DistilBertForMaskedLM", "DistilBertForSequenceClassification"),
    "electra": ("ElectraForPreTraining", "ElectraForSequenceClassification"),
    "esm": ("EsmForMaskedLM",),
    "gemma2": ("Gemma2ForCausalLM",),
    "gpt2": ("GPT2LMHeadModel",),
    "llama": ("LlamaForCausalLM",),
    "mistral": ("MistralForCausalLM",),
    "modernbert": ("ModernBertForMaskedLM", "ModernBertForSequenceClassification"),
    "mpnet": ("MPNetForMaskedLM",),
    "qwen2": ("Qwen2ForCausalLM",),
    "qwen3": ("Qwen3ForCausalLM", "Qwen3ForSequenceClassification"),
    "roberta": ("RobertaForMaskedLM", "RobertaForSequenceClassification"),
    "xlm-roberta": ("XLMRobertaForMaskedLM", "XLMRobertaForSequenceClassification"),
}

# with what AutoModel gives of a checkpoint with this head: a pooler that it lacks would be random
IMAGE_HEADS: Mapping[str, Mapping[str, str]] = {
    "beit": {"BeitForImageClassification": "pooler"},
    "convnext": {"ConvNextForImageClassification": "pooler"},
    "deit": {
        "DeiTForImageClassification": "class token",
        "DeiTForImageClassificationWithTeacher": "class token",
    },
    "dinov2": {"Dinov2ForImageClassification": "pooler"},
    "efficientnet": {"EfficientNetForImageClassification": "pooler"},
    "mobilenet_v2": {"MobileNetV2ForImageClassification": "pooler"},
    "resnet": {"ResNetForImageClassification": "pooler"},
    "segformer": {"SegformerForImageClassification": "map", "SegformerForSemanticSegmentation": "map"},
    "swin": {"SwinForImageClassification": "pooler"},
    "vit": {"ViTForImageClassification": "class token", "ViTForMaskedImageModeling": "class token"},
}

WAVE_HEADS: Mapping[str, tuple[str, ...]] = {
    "data2vec-audio": ("Data2VecAudioForCTC",),
    "hubert": ("HubertForCTC", "HubertForSequenceClassification"),
    "sew": ("SEWForCTC",),
    "unispeech-sat": ("UniSpeechSatForXVector",),
    "wav2vec2": (
        "Wav2Vec2ForCTC",
        "Wav2Vec2ForPreTraining",
        "Wav2Vec2ForSequenceClassification",
        "Wav2Vec2ForXVector",
    ),
    "wavlm": ("WavLMForCTC", "WavLMForXVector"),
}
_TDNN = {"tdnn_dim": (16, 16), "tdnn_kernel": (3, 1), "tdnn_dilation": (1, 1), "xvector_output_dim": 8}
_QUANTIZED = {
    "num_codevector_groups": 2,
    "num_codevectors_per_group": 4,
    "codevector_dim": 8,
    "proj_codevector_dim": 8,
}

# type, class, modality, use: towers that are saved without the model of two
ALONE: tuple[tuple[str, str, Any, str], ...] = (
    ("clip_text_model", "CLIPTextModel", "text", "pooler"),
    ("clip_text_model", "CLIPTextModelWithProjection", "text", "text_embeds"),
    ("clip_vision_model", "CLIPVisionModel", "image", "pooler"),
    ("clip_vision_model", "CLIPVisionModelWithProjection", "image", "image_embeds"),
    ("siglip_text_model", "SiglipTextModel", "text", "pooler"),
    ("siglip2_text_model", "Siglip2TextModel", "text", "pooler"),
    ("siglip2_vision_model", "Siglip2VisionModel", "image", "pooler"),
    ("chinese_clip_vision_model", "ChineseCLIPVisionModel", "image", "pooler"),
    ("blip_vision_model", "BlipVisionModel", "image", "pooler"),
    ("blip_text_model", "BlipTextModel", "text", "pooler"),
    ("clap_text_model", "ClapTextModelWithProjection", "text", "text_embeds"),
    ("clap_audio_model", "ClapAudioModelWithProjection", "audio", "audio_embeds"),
    ("metaclip_2_text_model", "MetaClip2TextModelWithProjection", "text", "text_embeds"),
    ("metaclip_2_vision_model", "MetaClip2VisionModelWithProjection", "image", "image_embeds"),
    ("dpr", "DPRQuestionEncoder", "text", "pooler"),
    ("dpr", "DPRContextEncoder", "text", "pooler"),
)


def saved_layouts() -> Iterator[Layout]:
    """All of them, in a fixed order."""
    for kind, heads in TEXT_HEADS.items():
        processor, settings = TEXT[kind]
        for head in heads:
            yield Layout(head, kind, "text", "mean", processor, settings, saved=head)
    for kind, uses in IMAGE_HEADS.items():
        _, settings, side = IMAGE[kind]
        for head, use in uses.items():
            pooled = use != "class token"
            yield Layout(head, kind, "image", use, of.images(side), settings, saved=head, in_memory=pooled)
    for kind, heads in WAVE_HEADS.items():
        processor = of.waves if WAVES[kind].get("feat_extract_norm") == "layer" else of.group_waves
        for head in heads:
            more = _TDNN if head.endswith("XVector") else _QUANTIZED if head.endswith("PreTraining") else {}
            yield Layout(head, kind, "audio", "mean", processor, {**WAVES[kind], **more}, saved=head)
    yield from _alone()
    yield from _stored()


def _alone() -> Iterator[Layout]:
    for kind, name, modality, use in ALONE:
        settings: dict[str, Any] = {}
        processor = of.wordpiece if modality == "text" else of.images(32)
        if kind.startswith("siglip") and modality == "text":
            processor, settings = of.maskless, {"max_position_embeddings": 40}
        if kind == "siglip2_vision_model":
            processor, settings = of.naflex, {"num_patches": 16}
        if kind == "clap_text_model":
            processor, settings = of.roberta, CLAP["text_config"]
        if kind == "clap_audio_model":
            processor, settings = of.clap, CLAP["audio_config"]
        if kind == "metaclip_2_text_model":
            processor, settings = of.unigram, {"eos_token_id": 2}
        yield Layout(f"{name}, alone", kind, modality, use, processor, settings, saved=name, loads=name)


def _stored() -> Iterator[Layout]:
    def bert(name: str, saved: str = "AutoModel", **how: Any) -> Layout:
        return Layout(f"bert, {name}", "bert", "text", "mean", of.wordpiece, saved=saved, **how)

    yield bert("in shards", save={"max_shard_size": "20KB"})
    yield bert("in float16", dtype="float16")
    yield bert("in bfloat16", dtype="bfloat16")
    yield bert("in float64", dtype="float64")
    yield bert("names of 2018", "BertForMaskedLM", after=_old_names)
    yield bert("names of positions", after=_with_positions)
    yield bert("without class", after=_without_class)
    yield bert("old key of the dtype", after=_old_dtype)
    yield Layout(
        "qwen3, in bfloat16 and shards",
        "qwen3",
        "text",
        "mean",
        *TEXT["qwen3"],
        saved="Qwen3ForCausalLM",
        dtype="bfloat16",
        save={"max_shard_size": "20KB"},
    )
    yield Layout("dinov2, SwiGLU", "dinov2", "image", "pooler", of.images(32), {"use_swiglu_ffn": True})
    yield Layout("wav2vec2, group norm", "wav2vec2", "audio", "mean", of.group_waves)
    yield Layout("hubert, group norm", "hubert", "audio", "mean", of.group_waves)
    for head in ("WhisperForConditionalGeneration", "WhisperForAudioClassification"):
        settings = {"max_source_positions": 100}
        use = "frames with sound"
        yield Layout(head, "whisper", "audio", use, of.whisper, settings, saved=head, loads=head)
    yield Layout(
        "ASTForAudioClassification",
        "audio-spectrogram-transformer",
        "audio",
        "pooler",
        of.ast,
        {"max_length": 64},
        saved="ASTForAudioClassification",
    )
    yield Layout(
        "Wav2Vec2BertForCTC",
        "wav2vec2-bert",
        "audio",
        "mean",
        of.seamless,
        {"feature_projection_input_dim": 32, "vocab_size": 10},
        saved="Wav2Vec2BertForCTC",
    )
    yield Layout(
        "ViTMAEForPreTraining",
        "vit_mae",
        "image",
        "patches in order",
        of.images(32),
        {
            "decoder_hidden_size": 32,
            "decoder_num_hidden_layers": 1,
            "decoder_num_attention_heads": 2,
            "decoder_intermediate_size": 36,
        },
        saved="ViTMAEForPreTraining",
        options={"mask_ratio": 0.0},
    )


def _old_names(folder: Path) -> None:
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    tensors = load_file(folder / "model.safetensors")
    for now, then in old.items():
        tensors = {name.replace(now, then): tensor for name, tensor in tensors.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _with_positions(folder: Path) -> None:
    import torch

    tensors = load_file(folder / "model.safetensors")
    tensors["embeddings.position_ids"] = torch.arange(64)[None]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _edit(folder: Path, change: dict[str, Any], *without: str) -> None:
    values = json.loads((folder / "config.json").read_text()) | change
    kept = {key: value for key, value in values.items() if key not in without}
    (folder / "config.json").write_text(json.dumps(kept))


def _without_class(folder: Path) -> None:
    _edit(folder, {}, "architectures")


def _old_dtype(folder: Path) -> None:
    _edit(folder, {"torch_dtype": "float32"}, "dtype")
