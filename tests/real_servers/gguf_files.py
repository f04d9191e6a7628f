"""GGUF files of BERT encoders, as llama.cpp's own converter writes them.

Source: ``convert_hf_to_gguf.py`` and ``gguf-py/gguf/constants.py`` of llama.cpp: names of tensors and keys,
and which tensors stay in float32.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

OF_A_LAYER: Mapping[str, str] = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
OF_ALL: Mapping[str, str] = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm",
}


def save_gguf(folder: Path, target: Path, kind: Literal["f32", "f16"]) -> Path:
    """Convert an encoder's folder.

    Args:
        folder: of a BERT encoder with mean pooling and a WordPiece tokenizer.
        target: the file to write.
        kind: what matrices are written in; vectors and the table of token types stay in float32.
    """
    import gguf
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(str(target), "bert")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    halved = gguf.LlamaFileType.MOSTLY_F16 if kind == "f16" else gguf.LlamaFileType.ALL_F32
    writer.add_file_type(halved)
    _add_tokenizer(writer, folder)
    for name, values in load_file(folder / "model.safetensors").items():
        if (said := _named(name)) is not None:
            whole = kind == "f32" or values.ndim == 1 or said.startswith("token_types")
            writer.add_tensor(said, np.ascontiguousarray(values if whole else values.astype(np.float16)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def _named(name: str) -> str | None:
    """llama.cpp's name of a tensor; ``None`` for those that it leaves out."""
    module, _, kind = name.rpartition(".")
    if module in OF_ALL:
        return f"{OF_ALL[module]}.{kind}"
    parts = module.split(".", 3)
    if parts[:2] == ["encoder", "layer"]:
        return f"blk.{parts[2]}.{OF_A_LAYER[parts[3]]}.{kind}"
    return None


def _add_tokenizer(writer: Any, folder: Path) -> None:
    """A WordPiece vocabulary: pieces that begin a word get a mark, those that continue one lose theirs."""
    import gguf

    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    pieces = sorted(vocabulary, key=vocabulary.__getitem__)
    special = {
        "[PAD]": ("pad",),
        "[UNK]": ("unk",),
        "[CLS]": ("bos",),
        "[SEP]": ("eos", "sep"),
        "[MASK]": ("mask",),
    }

    def marked(piece: str) -> str:
        if piece.startswith("[") and piece.endswith("]"):
            return piece
        return piece[2:] if piece.startswith("##") else f"\u2581{piece}"

    kinds = [gguf.TokenType.CONTROL if piece in special else gguf.TokenType.NORMAL for piece in pieces]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([marked(piece) for piece in pieces])
    writer.add_token_types(kinds)
    writer.add_token_type_count(2)
    for piece, roles in special.items():
        for role in roles:
            getattr(writer, f"add_{role}_token_id")(vocabulary[piece])
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)
