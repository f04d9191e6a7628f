"""Layouts of plain encoders: every model type, both towers of those that have two."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from tests.zoo import processors as of
from tests.zoo.images import EFFICIENT, IMAGE
from tests.zoo.layout import Layout
from tests.zoo.texts import T5, TEXT

_LAYER_NORM = {"feat_extract_norm": "layer", "conv_bias": True}
WAVES: Mapping[str, dict[str, Any]] = {
    "data2vec-audio": {"conv_pos_kernel_size": 3, "num_conv_pos_embeddings": 2},
    "hubert": {**_LAYER_NORM, "do_stable_layer_norm": True},
    "sew": {},
    "sew-d": {},
    "unispeech": {**_LAYER_NORM, "do_stable_layer_norm": True},
    "unispeech-sat": {**_LAYER_NORM, "do_stable_layer_norm": True},
    "wav2vec2": {**_LAYER_NORM, "do_stable_layer_norm": True},
    "wav2vec2-conformer": {**_LAYER_NORM},
    "wavlm": _LAYER_NORM,
}

CLAP: Mapping[str, dict[str, Any]] = {
    "audio_config": {
        "window_size": 4,
        "num_mel_bins": 16,
        "spec_size": 64,
        "patch_size": 2,
        "patch_stride": [2, 2],
        "patch_embeds_hidden_size": 16,
        "hidden_size": 32,
        "depths": [1, 1],
        "num_hidden_layers": 2,
        "num_attention_heads": [2, 2],
        "num_classes": 4,
        "projection_dim": 32,
    },
    "text_config": {
        "pad_token_id": 1,
        "vocab_size": 270,
        "type_vocab_size": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
    },
}
_ENDS = {"text_config": {"eos_token_id": 3, "bos_token_id": 2, "pad_token_id": 0}}

# model type -> tokenizer, image processor, settings
TOWERS: Mapping[str, tuple[Any, Any, dict[str, Any]]] = {
    "aimv2": (of.wordpiece, of.images(32), _ENDS),
    "align": (of.wordpiece, of.images(32), {"vision_config": {**EFFICIENT, "hidden_dim": 256}}),
    "altclip": (of.unigram, of.images(32), {"text_config": {"pad_token_id": 1}}),
    "blip": (of.wordpiece, of.images(32), {}),
    "chinese_clip": (of.wordpiece, of.images(32), {}),
    "clip": (of.wordpiece, of.images(32), _ENDS),
    "clipseg": (of.wordpiece, of.images(32), _ENDS),
    "groupvit": (of.wordpiece, of.images(32), _ENDS),
    "metaclip_2": (of.unigram, of.images(32), {"text_config": {"eos_token_id": 2}}),
    "owlv2": (of.wordpiece, of.images(32), {}),
    "owlvit": (of.wordpiece, of.images(32), {}),
    "siglip": (of.maskless, of.images(32), {"text_config": {"max_position_embeddings": 40}}),
    "siglip2": (
        of.maskless,
        of.naflex,
        {"text_config": {"max_position_embeddings": 40}, "vision_config": {"num_patches": 16}},
    ),
    "tipsv2": (of.wordpiece, of.images(32), {}),
}


_HALF = {"num_key_value_heads": 1, "head_dim": 16, "layer_types": ["full_attention"]}
_OF_TWO = {"encoder": _HALF, "decoder": {**_HALF, "cross_attention_hidden_size": 32}, "vocab_size": 60}
# model type -> processor, settings: of a sequence-to-sequence model the encoder is taken
HALVES: Mapping[str, tuple[Any, dict[str, Any]]] = {
    "bart": (of.wordpiece, {}),
    "bigbird_pegasus": (of.wordpiece, {"attention_type": "original_full"}),
    "blenderbot": (of.wordpiece, {}),
    "blenderbot-small": (of.wordpiece, {}),
    "led": (of.wordpiece, {"max_encoder_position_embeddings": 64, "attention_window": 8}),
    "m2m_100": (of.wordpiece, {}),
    "marian": (of.wordpiece, {}),
    "mbart": (of.wordpiece, {}),
    "mvp": (of.wordpiece, {}),
    "nllb-moe": (of.wordpiece, {"num_experts": 2, "encoder_sparse_step": 1}),
    "pegasus": (of.wordpiece, {}),
    "pegasus_x": (of.wordpiece, {"num_global_tokens": 2, "block_size": 8}),
    "plbart": (of.wordpiece, {}),
    "t5gemma": (of.gemma, _OF_TWO),
    "moonshine": (of.waves, {}),
    "speech_to_text": (of.bands, {"input_feat_per_channel": 16, "conv_channels": 32}),
}


def plain_layouts() -> Iterator[Layout]:
    """All of them, in a fixed order."""
    for kind, (processor, settings) in TEXT.items():
        saved = "FunnelModel" if kind == "funnel" else "AutoModel"  # it has two base models
        yield Layout(kind, kind, "text", "mean", processor, settings, saved=saved)
    for kind, (use, settings, side) in IMAGE.items():
        yield Layout(kind, kind, "image", use, of.images(side), settings)
    for kind, settings in WAVES.items():
        processor = of.waves if settings.get("feat_extract_norm") == "layer" else of.group_waves
        yield Layout(kind, kind, "audio", "mean", processor, settings)
    for kind, (tokenizer, images, settings) in TOWERS.items():
        # AIMv2's kernels do not agree on whether texts without padding are read causally
        why = "repeated runs of this encoder in float32 differ" if kind == "aimv2" else ""
        yield Layout(f"{kind}, texts", kind, "text", "text features", tokenizer, settings, refused=why)
        # GroupViT puts every patch into one group. Rounding to half precision makes it another one where the
        # processor has no instructions for that, so that kernels add up in other orders.
        coarse = kind == "groupvit" and not torch.ops.mkldnn._is_mkldnn_fp16_supported()
        why = "benign runs of this encoder differ too much in float16" if coarse else ""
        yield Layout(f"{kind}, images", kind, "image", "image features", images, settings, refused=why)
    yield from _others()


def _others() -> Iterator[Layout]:
    for kind, (processor, settings) in HALVES.items():
        half: Any = "audio" if processor in (of.waves, of.bands) else "text"
        yield Layout(kind, kind, half, "encoder mean", processor, settings)
    for kind in ("t5", "mt5", "umt5", "longt5", "switch_transformers"):
        yield Layout(f"{kind}, whole", kind, "text", "encoder mean", of.t5, T5)
    for kind, name in (("t5", "T5EncoderModel"), ("mt5", "MT5EncoderModel"), ("umt5", "UMT5EncoderModel")):
        yield Layout(f"{kind}, encoder alone", kind, "text", "mean", of.t5, T5, saved=name, loads=name)
    yield Layout(
        "vit_mae", "vit_mae", "image", "patches in order", of.images(32), options={"mask_ratio": 0.0}
    )
    yield Layout(
        "whisper", "whisper", "audio", "frames with sound", of.whisper, {"max_source_positions": 100}
    )
    yield Layout("AST", "audio-spectrogram-transformer", "audio", "pooler", of.ast, {"max_length": 64})
    yield Layout(
        "w2v-bert-2.0", "wav2vec2-bert", "audio", "mean", of.seamless, {"feature_projection_input_dim": 32}
    )
    for name, fused, processor in (("CLAP", False, of.clap), ("CLAP, fused", True, of.clap_fused)):
        both: dict[str, Any] = {**CLAP, "audio_config": {**CLAP["audio_config"], "enable_fusion": fused}}
        yield Layout(f"{name}, recordings", "clap", "audio", "audio features", processor, both)
        if not fused:
            yield Layout(f"{name}, texts", "clap", "text", "text features", of.roberta, both)
