"""Encoders of images, by model type."""

from collections.abc import Mapping
from typing import Any

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
EFFICIENT = {"width_coefficient": 0.2, "depth_coefficient": 0.2}
_CVT = {
    name: [value, value]
    for name, value in {
        "patch_padding": 1,
        "mlp_ratio": 2.0,
        "attention_drop_rate": 0.0,
        "drop_rate": 0.0,
        "drop_path_rate": 0.0,
        "qkv_bias": True,
        "qkv_projection_method": "dw_bn",
        "kernel_qkv": 3,
        "padding_kv": 1,
        "stride_kv": 2,
        "padding_q": 1,
        "stride_q": 1,
    }.items()
}

# model type -> documented use, settings, pixels of a side
IMAGE: Mapping[str, tuple[str, dict[str, Any], int]] = {
    "aimv2_vision_model": ("pooler", {}, 32),
    "beit": ("pooler", {}, 32),
    "bit": (
        "pooler",
        {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1], "num_groups": 2},
        32,
    ),
    "convnext": ("pooler", _STAGES, 32),
    "convnextv2": ("pooler", _STAGES, 32),
    "cvt": (
        "map",
        {
            **_CVT,
            "patch_sizes": [7, 3],
            "patch_stride": [4, 2],
            "embed_dim": [16, 32],
            "num_heads": [1, 2],
            "depth": [1, 2],
            "cls_token": [False, True],
        },
        32,
    ),
    "data2vec-vision": ("class token", {}, 32),
    "deit": ("pooler", {}, 32),
    "dinov2": ("pooler", {}, 32),
    "dinov2_with_registers": ("pooler", {}, 32),
    "dinov3_convnext": ("pooler", {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}, 32),
    "dinov3_vit": ("pooler", {"num_register_tokens": 2}, 32),
    "donut-swin": ("pooler", _SWIN, 32),
    "dpt": ("pooler", {}, 32),
    "efficientnet": ("pooler", {**EFFICIENT, "hidden_dim": 256}, 32),
    "focalnet": (
        "pooler",
        {
            "patch_size": 4,
            "embed_dim": 16,
            "hidden_sizes": [16, 32],
            "depths": [1, 1],
            "focal_levels": [2, 2],
            "focal_windows": [3, 3],
        },
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
        {
            "image_size": 64,
            "hidden_sizes": [16, 32, 48],
            "num_attention_heads": [1, 2, 3],
            "depths": [1, 1, 1],
            "key_dim": [8, 8, 8],
            "patch_size": 16,
            "mlp_ratio": [2, 2, 2],
            "attention_ratio": [2, 2, 2],
        },
        64,
    ),
    "mobilenet_v1": ("pooler", {"depth_multiplier": 0.25}, 32),
    "mobilenet_v2": ("pooler", {"depth_multiplier": 0.25}, 32),
    "mobilevit": (
        "pooler",
        {"hidden_sizes": [16, 16, 16], "neck_hidden_sizes": [8, 8, 16, 16, 16, 16, 32], "patch_size": 2},
        64,
    ),
    "mobilevitv2": ("pooler", {"width_multiplier": 0.25, "patch_size": 2}, 64),
    "pixio": ("pooler", {}, 32),
    "poolformer": ("map", {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "patch_size": 16}, 32),
    "pvt": (
        "class token",
        {
            "depths": [1, 1],
            "num_encoder_blocks": 2,
            "sequence_reduction_ratios": [2, 1],
            "hidden_sizes": [16, 32],
            "patch_sizes": [4, 2],
            "strides": [4, 2],
            "num_attention_heads": [1, 2],
            "mlp_ratios": [2, 2],
        },
        32,
    ),
    "pvt_v2": ("map", {**_BLOCKS, "num_encoder_blocks": 2}, 32),
    "regnet": (
        "pooler",
        {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1], "groups_width": 8},
        32,
    ),
    "resnet": (
        "pooler",
        {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1], "layer_type": "basic"},
        32,
    ),
    "segformer": ("map", _BLOCKS, 32),
    "siglip_vision_model": ("pooler", {}, 32),
    "swiftformer": ("map", {"embed_dims": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}, 64),
    "swin": ("pooler", _SWIN, 32),
    "swinv2": ("pooler", _SWIN, 32),
    "vit": ("pooler", {}, 32),
    "vit_msn": ("class token", {}, 32),
    "vitdet": ("map", {}, 32),
    "yolos": ("pooler", {"image_size": [32, 32], "num_detection_tokens": 4}, 32),
}
