"""Settings that may change without a consequence, each with the reason; every other change counts.

The lists are short on purpose. A key that is in none of them is a change, whatever our own loader makes of
it, as another loader of the same folder may obey it.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from hf_integration.encoders.identity.folder_record import AT_ROOT

_WRITER = "says which program wrote the file"
_TRAINING = "is read in training only"
_KERNEL = "chooses a kernel, not what is computed"

CONFIGURATION: Mapping[str, str] = {
    **dict.fromkeys(("transformers_version", "_commit_hash"), _WRITER),
    "_name_or_path": "says where the file was loaded from before",
    **dict.fromkeys(("_attn_implementation", "attn_implementation", "_attn_implementation_autoset"), _KERNEL),
    **dict.fromkeys(
        (
            "activation_dropout",
            "apply_spec_augment",
            "attention_dropout",
            "attention_probs_dropout_prob",
            "classifier_dropout",
            "classifier_dropout_prob",
            "classifier_proj_dropout",
            "contrastive_logits_temperature",
            "ctc_loss_reduction",
            "ctc_zero_infinity",
            "decoder_layerdrop",
            "diversity_loss_weight",
            "drop_path_rate",
            "dropout",
            "embedding_dropout",
            "encoder_layerdrop",
            "feat_proj_dropout",
            "feat_quantizer_dropout",
            "final_dropout",
            "gradient_checkpointing",
            "hidden_dropout",
            "hidden_dropout_prob",
            "initializer_factor",
            "initializer_range",
            "layerdrop",
            "mask_feature_length",
            "mask_feature_min_masks",
            "mask_feature_prob",
            "mask_time_length",
            "mask_time_min_masks",
            "mask_time_prob",
            "mlp_dropout",
            "num_negatives",
            "qa_dropout",
            "seq_classif_dropout",
        ),
        _TRAINING,
    ),
    "chunk_size_feed_forward": "splits the computation into parts, and each gives what it gave in the whole",
    "use_cache": "decides whether a decoder keeps what it computed for earlier tokens",
}
"""Of ``config.json``, by the last part of a nested key."""

OF_TIMM: Mapping[str, str] = {
    "pretrained_cfg.num_classes": "says once more what num_classes says, which timm obeys",
    **dict.fromkeys(
        [f"pretrained_cfg.{key}" for key in ("license", "origin_url", "paper_ids", "paper_name")],
        "says where the weights come from",
    ),
}
"""Of the ``config.json`` of an encoder of timm, as whole keys. What timm itself would load weights from, or
build a classifier by, is none of them."""

_TOKENIZER: Mapping[str, str] = {
    **dict.fromkeys(("name_or_path", "special_tokens_map_file", "is_local", "local_files_only"), _WRITER),
    **dict.fromkeys(("tokenizer_file", "vocab_file", "merges_file"), _WRITER),
    "backend": "names the library behind the tokenizer, which is compared as it runs",
}
_TOKENIZER_FILE: Mapping[str, str] = {
    "version": "is the number of the file format",
    **dict.fromkeys(
        ("truncation", "padding"),
        "is set anew by every call in transformers; a program that reads this file alone obeys it",
    ),
}
_PROCESSOR: Mapping[str, str] = {
    **dict.fromkeys(("transformers_version", "_name_or_path", "backend"), _WRITER),
    "use_fast": "chooses the library that prepares images, which is compared as it runs",
    "_valid_processor_keys": "lists arguments of a method",
}
_GENERATION: Mapping[str, str] = {
    **dict.fromkeys(("transformers_version", "_from_model_config"), _WRITER),
}
_SENTENCE: Mapping[str, str] = {"__version__": _WRITER, "unpad_inputs": _KERNEL}

_INDEX: Mapping[str, str] = {
    "(whole file)": "says which file holds a tensor, and the tensors themselves are compared",
}

_OF_FILE: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("config.json", CONFIGURATION),
    ("tokenizer_config.json", _TOKENIZER),
    ("tokenizer.json", _TOKENIZER_FILE),
    ("*processor_config.json", _PROCESSOR),
    ("generation_config.json", _GENERATION),
    ("config_sentence_transformers.json", _SENTENCE),
    ("sentence_*_config.json", _SENTENCE),
    ("*.index.json", _INDEX),
)

IMPLIED: Mapping[str, object] = {"data_format": "channels_first"}
"""What libraries take for granted where a key is left out, and write or leave out as they like."""

STANDARD_FILES: tuple[str, ...] = (
    "config.json",
    "generation_config.json",
    "*adapter_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tekken.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab*",
    "merges.txt",
    "dict.txt",
    "entity_vocab.json",
    "emoji.json",
    "byte_maps.json",
    "normalizer.json",
    "word_shape.json",
    "word_pronunciation.json",
    "audio_tokenizer_config.json",
    "*.tokenizer",
    "*.index.json",
    "*.model",
    "*.codes",
    "*.spm",
    "*.bpe",
    "*.tiktoken",
    "*.jinja",
    "chat_template.json",
    "*processor_config.json",
    "image_processor_config.json",
    "feature_extractor_config.json",
    "modules.json",
    "router_config.json",
    "sentence_*_config.json",
    "config_sentence_transformers.json",
    "*.safetensors",
)
"""Names that a standard loader of the folder would open: transformers, tokenizers, sentence-transformers."""


def why_inert(file: str, key: str) -> str | None:
    """Why a change of this key cannot matter, or ``None`` for a key that is in no list.

    Args:
        file: name within the encoder's folder.
        key: nested parts joined by dots.
    """
    name, last = file.removeprefix(AT_ROOT), key.rpartition(".")[2]
    for pattern, keys in _OF_FILE:
        if fnmatchcase(name, pattern):
            compared = keys is not _INDEX or name == file  # tensors of the model; not of one beside it
            if keys is CONFIGURATION and key in OF_TIMM:
                return OF_TIMM[key]
            return keys.get(last) if compared else None
    return None


def is_standard(file: str) -> bool:
    """Whether a standard loader would open a file of this name, in whichever folder it lies."""
    name = file.rpartition("/")[2]
    return any(fnmatchcase(name, pattern) for pattern in STANDARD_FILES)
