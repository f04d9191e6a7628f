"""The layouts, by modality and kind: every encoder that people use, tiny."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.zoo import processors as of
from tests.zoo.layout import Layout
from tests.zoo.tiny import LEFT_OUT

_ROBERTA = {"vocab_size": 270, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "type_vocab_size": 1}
_GROUPED = {"num_key_value_heads": 1, "head_dim": 16}
_BYTES = {"vocab_size": 270}

TEXT: Mapping[str, tuple[Any, dict[str, Any]]] = {
    "albert": (of.wordpiece, {}),
    "bert": (of.wordpiece, {}),
    "bert-generation": (of.wordpiece, {}),
    "big_bird": (of.wordpiece, {"attention_type": "original_full"}),
    "bloom": (of.byte_level, _BYTES),
    "camembert": (of.unigram, {"pad_token_id": 1}),
    "convbert": (of.wordpiece, {"embedding_size": 32, "head_ratio": 1}),
    "data2vec-text": (of.roberta, _ROBERTA),
    "deberta": (of.roberta, {**_ROBERTA, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]}),
    "deberta-v2": (
        of.unigram,
        {
            "relative_attention": True,
            "position_buckets": 8,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_biased_input": False,
            "type_vocab_size": 0,
        },
    ),
    "distilbert": (of.wordpiece, {}),
    "electra": (of.wordpiece, {"embedding_size": 16}),
    "ernie": (of.wordpiece, {}),
    "esm": (
        of.protein,
        {
            "position_embedding_type": "rotary",
            "pad_token_id": 1,
            "mask_token_id": 31,
            "token_dropout": True,
            "vocab_size": 33,
        },
    ),
    "esmc": (of.wordpiece, {}),
    "eurobert": (of.wordpiece, {}),
    "flaubert": (of.wordpiece, {}),
    "fnet": (of.wordpiece, {}),
    "funnel": (
        of.wordpiece,
        {
            "block_sizes": [1, 1],
            "d_model": 32,
            "n_head": 2,
            "d_head": 16,
            "d_inner": 36,
            "num_decoder_layers": 1,
            "num_hidden_layers": LEFT_OUT,
        },
    ),
    "gemma": (of.gemma, _GROUPED),
    "gemma2": (of.gemma, _GROUPED),
    "gemma3_text": (of.gemma, {**_GROUPED, "use_bidirectional_attention": True}),
    "gpt2": (of.byte_level, _BYTES),
    "gpt_neox": (of.byte_level, _BYTES),
    "granite": (of.byte_level, _BYTES),
    "ibert": (of.roberta, _ROBERTA),
    "jina_embeddings_v3": (of.unigram, {"pad_token_id": 1}),
    "layoutlm": (of.wordpiece, {"max_2d_position_embeddings": 16}),
    "llama": (of.byte_level, {**_BYTES, **_GROUPED}),
    "longformer": (of.roberta, {**_ROBERTA, "attention_window": 8}),
    "luke": (of.roberta, {**_ROBERTA, "entity_vocab_size": 10, "entity_emb_size": 16}),
    "markuplm": (
        of.wordpiece,
        {
            "max_xpath_tag_unit_embeddings": 8,
            "max_xpath_subs_unit_embeddings": 8,
            "tag_pad_id": 7,
            "subs_pad_id": 7,
            "xpath_unit_hidden_size": 8,
        },
    ),
    "megatron-bert": (of.wordpiece, {}),
    "mistral": (of.byte_level, {**_BYTES, **_GROUPED}),
    "mobilebert": (
        of.wordpiece,
        {"embedding_size": 16, "intra_bottleneck_size": 16, "num_feedforward_networks": 1},
    ),
    "modernbert": (of.wordpiece, {"global_attn_every_n_layers": 2, "local_attention": 8}),
    "mpnet": (of.wordpiece, {}),
    "mpt": (of.byte_level, _BYTES),
    "nomic_bert": (of.wordpiece, {}),
    "nystromformer": (of.wordpiece, {}),
    "olmo2": (of.byte_level, {**_BYTES, **_GROUPED}),
    "opt": (of.byte_level, _BYTES),
    "phi3": (of.byte_level, {**_BYTES, **_GROUPED}),
    "qwen2": (of.byte_level, {**_BYTES, **_GROUPED, "max_window_layers": 2}),
    "qwen3": (of.byte_level, {**_BYTES, **_GROUPED, "max_window_layers": 2}),
    "rembert": (of.wordpiece, {"input_embedding_size": 16, "output_embedding_size": 16}),
    "roberta": (of.roberta, _ROBERTA),
    "roberta-prelayernorm": (of.roberta, _ROBERTA),
    "roc_bert": (
        of.wordpiece,
        {
            "pronunciation_vocab_size": 60,
            "shape_vocab_size": 60,
            "pronunciation_embed_dim": 8,
            "shape_embed_dim": 8,
        },
    ),
    "roformer": (of.wordpiece, {"embedding_size": 32}),
    "smollm3": (of.byte_level, {**_BYTES, **_GROUPED}),
    "splinter": (of.wordpiece, {}),
    "squeezebert": (of.wordpiece, {"embedding_size": 32}),
    "xlm": (of.wordpiece, {}),
    "xlm-roberta": (of.unigram, {"pad_token_id": 1}),
    "xlm-roberta-xl": (of.unigram, {"pad_token_id": 1}),
    "xmod": (of.unigram, {"pad_token_id": 1, "languages": ["en_XX"], "default_language": "en_XX"}),
    "yoso": (of.wordpiece, {}),
}

_T5 = {"d_ff": 36, "num_decoder_layers": 1, "pad_token_id": 0, "eos_token_id": 1}

_STAGES = {"hidden_sizes": [16, 32], "depths": [1, 1], "num_stages": 2}
_SWIN = {"patch_size": 4, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4}
_BLOCKS = {
    "num_encoder_blocks": 2,
    "depths": [1, 1],
    "sr_ratios": [2, 1],
    "hidden_sizes": [16, 32],
    "patch_sizes": [7, 3],
    "strides": [4, 2],
    "num_attention_heads": [1, 2],
    "mlp_ratios": [2, 2],
}
_EFFICIENT = {"width_coefficient": 0.2, "depth_coefficient": 0.2}
_CVT = {
    name: [value, value]
    for name, value in {
        "patch_padding": 1, "mlp_ratio": 2.0, "attention_drop_rate": 0.0, "drop_rate": 0.0, "drop_path_rate": 0.0,
        "qkv_bias": True, "qkv_projection_method": "dw_bn", "kernel_qkv": 3, "padding_kv": 1, "stride_kv": 2,
        "padding_q": 1, "stride_q": 1,
    }.items()
}  # fmt: skip

# model type -> documented use, settings, pixels of a side
IMAGE: Mapping[str, tuple[str, dict[str, Any], int]] = {
    "aimv2_vision_model": ("pooler", {}, 32),
    "beit": ("pooler", {}, 32),
    "bit": ("pooler", {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1], "num_groups": 2}, 32),
    "convnext": ("pooler", _STAGES, 32),
    "convnextv2": ("pooler", _STAGES, 32),
    "cvt": (
        "map",
        {**_CVT, "patch_sizes": [7, 3], "patch_stride": [4, 2], "embed_dim": [16, 32], "num_heads": [1, 2], "depth": [1, 2],
         "cls_token": [False, True]},
        32,
    ),
    "data2vec-vision": ("class token", {}, 32),
    "deit": ("pooler", {}, 32),
    "dinov2": ("pooler", {}, 32),
    "dinov2_with_registers": ("pooler", {}, 32),
    "dinov3_convnext": ("pooler", {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}, 32),
    "dinov3_vit": ("pooler", {}, 32),
    "donut-swin": ("pooler", _SWIN, 32),
    "dpt": ("pooler", {}, 32),
    "efficientnet": ("pooler", {**_EFFICIENT, "hidden_dim": 256}, 32),
    "focalnet": (
        "pooler",
        {"patch_size": 4, "embed_dim": 16, "hidden_sizes": [16, 32], "depths": [1, 1], "focal_levels": [2, 2], "focal_windows": [3, 3]},
        32,
    ),
    "glpn": ("map", _BLOCKS, 32),
    "hiera": (
        "pooler",
        {"image_size": [64, 64], "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1], "embed_dim": 8},
        64,
    ),
    "ijepa": ("mean", {}, 32),
    "levit": (
        "pooler",
        {"image_size": 64, "hidden_sizes": [16, 32, 48], "num_attention_heads": [1, 2, 3], "depths": [1, 1, 1],
         "key_dim": [8, 8, 8], "patch_size": 16, "mlp_ratio": [2, 2, 2], "attention_ratio": [2, 2, 2]},
        64,
    ),
    "mobilenet_v1": ("pooler", {"depth_multiplier": 0.25}, 32),
    "mobilenet_v2": ("pooler", {"depth_multiplier": 0.25}, 32),
    "mobilevit": ("pooler", {"hidden_sizes": [16, 16, 16], "neck_hidden_sizes": [8, 8, 16, 16, 16, 16, 32], "patch_size": 2}, 64),
    "mobilevitv2": ("pooler", {"width_multiplier": 0.25, "patch_size": 2}, 64),
    "pixio": ("pooler", {}, 32),
    "poolformer": ("map", {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "patch_size": 16}, 32),
    "pvt": (
        "class token",
        {"depths": [1, 1], "num_encoder_blocks": 2, "sequence_reduction_ratios": [2, 1], "hidden_sizes": [16, 32], "patch_sizes": [4, 2],
         "strides": [4, 2], "num_attention_heads": [1, 2], "mlp_ratios": [2, 2]},
        32,
    ),
    "pvt_v2": ("map", {**_BLOCKS, "num_encoder_blocks": 2}, 32),
    "regnet": ("pooler", {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1], "groups_width": 8}, 32),
    "resnet": ("pooler", {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1], "layer_type": "basic"}, 32),
    "segformer": ("map", _BLOCKS, 32),
    "siglip_vision_model": ("pooler", {}, 32),
    "swiftformer": ("map", {"embed_dims": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}, 64),
    "swin": ("pooler", _SWIN, 32),
    "swinv2": ("pooler", _SWIN, 32),
    "vit": ("pooler", {}, 32),
    "vit_msn": ("class token", {}, 32),
    "vitdet": ("map", {}, 32),
    "yolos": ("pooler", {"image_size": [32, 32], "num_detection_tokens": 4}, 32),
}  # fmt: skip

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

CLAP = {
    "audio_config": {
        "window_size": 4, "num_mel_bins": 16, "spec_size": 64, "patch_size": 2, "patch_stride": [2, 2],
        "patch_embeds_hidden_size": 16, "hidden_size": 32, "depths": [1, 1], "num_hidden_layers": 2,
        "num_attention_heads": [2, 2], "num_classes": 4, "projection_dim": 32,
    },
    "text_config": {"pad_token_id": 1, "vocab_size": 270, "type_vocab_size": 1, "bos_token_id": 0, "eos_token_id": 2},
}  # fmt: skip
_ENDS = {"text_config": {"eos_token_id": 3, "bos_token_id": 2, "pad_token_id": 0}}

# model type -> tokenizer, image processor, settings
TOWERS: Mapping[str, tuple[Any, Any, dict[str, Any]]] = {
    "aimv2": (of.wordpiece, of.images(32), _ENDS),
    "align": (of.wordpiece, of.images(32), {"vision_config": {**_EFFICIENT, "hidden_dim": 256}}),
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
        yield Layout(f"{kind}, texts", kind, "text", "text features", tokenizer, settings)
        yield Layout(f"{kind}, images", kind, "image", "image features", images, settings)
    yield from _others()


def _others() -> Iterator[Layout]:
    for kind in ("t5", "mt5", "umt5", "longt5", "switch_transformers"):
        yield Layout(f"{kind}, whole", kind, "text", "encoder mean", of.t5, _T5)
    for kind, name in (("t5", "T5EncoderModel"), ("mt5", "MT5EncoderModel"), ("umt5", "UMT5EncoderModel")):
        yield Layout(f"{kind}, encoder alone", kind, "text", "mean", of.t5, _T5, saved=name, loads=name)
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
        settings = {**CLAP, "audio_config": {**CLAP["audio_config"], "enable_fusion": fused}}
        yield Layout(f"{name}, recordings", "clap", "audio", "audio features", processor, settings)
        if not fused:
            yield Layout(f"{name}, texts", "clap", "text", "text features", of.roberta, settings)
