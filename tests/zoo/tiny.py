"""Tiny configurations of any architecture: the sizes that most configurations have, made small."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
import transformers as hf
from transformers.initialization import no_init_weights
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

SIZES: Mapping[str, Any] = {
    **dict.fromkeys(
        ("hidden_size", "d_model", "dim", "n_embd", "emb_dim", "embedding_size", "word_embed_proj_dim"), 32
    ),
    **dict.fromkeys(
        ("projection_dim", "projection_size", "encoder_hidden_size", "shared_projection_dim"), 32
    ),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers"), 1),
    **dict.fromkeys(("num_decoder_layers", "decoder_layers"), 1),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads"), 2),
    **dict.fromkeys(("decoder_attention_heads", "num_key_value_heads"), 2),
    **dict.fromkeys(("intermediate_size", "d_ff", "hidden_dim", "ffn_dim", "n_inner", "encoder_ffn_dim"), 36),
    **dict.fromkeys(("decoder_ffn_dim", "d_inner", "ffn_hidden_size", "mlp_dim"), 36),
    **dict.fromkeys(("head_dim", "d_head", "d_kv", "attention_head_size"), 16),
    **dict.fromkeys(
        ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "max_source_positions"), 64
    ),
    "vocab_size": 60,
    "image_size": 32,
    "patch_size": 8,
    "type_vocab_size": 2,
    "sliding_window": 16,
    "num_mel_bins": 16,
    "conv_dim": (16, 16),
    "conv_kernel": (10, 3),
    "conv_stride": (5, 2),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "num_feat_extract_layers": 2,
    **dict.fromkeys(("pad_token_id", "decoder_start_token_id"), 0),
    "bos_token_id": 2,
    "eos_token_id": 3,
    "cls_token_id": 2,
    "sep_token_id": 3,
    "mask_token_id": 4,
}


LEFT_OUT = object()
"""For a size that a configuration has and does not take."""


def config_of(model_type: str, **settings: Any) -> Any:
    """A configuration with the sizes that it has, small, its parts too, and with these settings."""
    return _small(CONFIG_MAPPING[model_type], settings)


def _small(kind: Any, settings: Mapping[str, Any]) -> Any:
    plain = kind()
    other_names = {name for name, own in getattr(kind, "attribute_map", {}).items() if own in settings}
    values = {
        name: value
        for name, value in SIZES.items()
        if name not in other_names and _is_size(getattr(plain, name, None), value)
    }
    for name in getattr(kind, "sub_configs", {}):
        part = getattr(plain, name, None)
        if isinstance(part, hf.PreTrainedConfig):
            values[name] = _small(type(part), settings.get(name, {})).to_dict()
    values |= {name: value for name, value in settings.items() if not isinstance(values.get(name), dict)}
    return kind(**{name: value for name, value in values.items() if value is not LEFT_OUT})


def _is_size(present: Any, value: Any) -> bool:
    return present is not None and isinstance(present, list | tuple) == isinstance(value, tuple)


MOST = 8_000_000
"""Numbers of a model that is called tiny."""


def random_model(config: Any, class_name: str, *, seed: int = 0) -> Any:
    """A model in which every tensor is random: zeros and ones would hide one that is not used."""
    torch.manual_seed(seed)
    kind = getattr(hf, class_name)
    build = kind.from_config if class_name.startswith("Auto") else kind
    with torch.device("meta"), no_init_weights():
        size = sum(parameter.numel() for parameter in build(copy.deepcopy(config)).parameters())
    if size > MOST:
        raise ValueError(f"{class_name} has {size} numbers: give it smaller sizes")
    model = build(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
        for module in model.modules():
            if isinstance(module, torch.nn.Embedding) and module.padding_idx is not None:
                module.weight[module.padding_idx] = 0  # as the library leaves it, and some classes enforce
        for path, buffer in model.named_buffers():
            if path.endswith("running_mean"):
                buffer.add_(torch.randn_like(buffer) * 0.05)
            if path.endswith("running_var"):
                buffer.add_(torch.rand_like(buffer))
    return model
