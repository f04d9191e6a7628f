"""Encoders of texts, by model type."""

from collections.abc import Mapping
from typing import Any

from tests.zoo import processors as of
from tests.zoo.tiny import LEFT_OUT

_ROBERTA = {"vocab_size": 270, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "type_vocab_size": 1}
_GROUPED = {"num_key_value_heads": 1, "head_dim": 16}
_BYTES = {"vocab_size": 270}

# model type -> tokenizer, settings
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
    "gte": (of.unigram, {"pad_token_id": 1}),
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

T5 = {"d_ff": 36, "num_decoder_layers": 1, "pad_token_id": 0, "eos_token_id": 1}
