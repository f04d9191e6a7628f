"""The twelve most used layouts, tiny and random, with the files that their publishers' libraries write."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from safetensors.torch import save_file
from tokenizers.pre_tokenizers import ByteLevel

from hf_integration.base.vocabulary import Modality
from tests.encoders import tiny_models

_TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 37}
_TEXT = {**_TINY, "vocab_size": 60, "max_position_embeddings": 48}
_GROUPED = {
    **_TINY,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "vocab_size": 60,
    "max_position_embeddings": 48,
}


@dataclass(frozen=True)
class Layout:
    """One layout.

    Attributes:
        name: the encoder that it is the folder of.
        modality: which tower is the encoder.
        write: fills a folder.
    """

    name: str
    modality: Modality
    write: Callable[[Path], None]


def _wordpiece() -> dict[str, int]:
    pieces = [
        *tiny_models.SPECIAL,
        "<s>",
        "</s>",
        "<unk>",
        "<pad>",
        "<mask>",
        *tiny_models.WORDS,
        "##s",
        "s",
        "e",
    ]
    return {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}


def _letters(*special: str) -> dict[str, int]:
    pieces = [*special, "Ġ", "▁", "</w>", *"abcdefghijklmnopqrstuvwxyz"]
    return {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}


def _save(folder: Path, model: Any, processor: Any, *, seed: int = 0) -> None:
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)


def _legacy_vocabulary(folder: Path, pieces: Mapping[str, int]) -> None:
    """The files that older libraries wrote beside ``tokenizer.json``; most repositories hold them."""
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces))
    names = {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}
    special = {f"{name}_token": token for name, token in names.items()}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))


def write_sentences(folder: Path, pooling: Mapping[str, Any], *modules: str, **settings: Any) -> None:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 32, **pooling}))
    listed = ["Transformer", "Pooling", *modules]
    entries = [
        {
            "idx": place,
            "name": str(place),
            "path": f"{place}_{module}" if place else "",
            "type": f"sentence_transformers.models.{module}",
        }
        for place, module in enumerate(listed)
    ]
    (folder / "modules.json").write_text(json.dumps(entries))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 24, "do_lower_case": false}')
    written = {"__version__": {"sentence_transformers": "3.0.0"}, "similarity_fn_name": "cosine", **settings}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(written))


def write_dense(folder: Path, inputs: int, outputs: int) -> None:
    folder.mkdir()
    torch.manual_seed(outputs)
    save_file({"linear.weight": torch.randn(outputs, inputs) / 6}, folder / "model.safetensors")
    settings = {"in_features": inputs, "out_features": outputs, "bias": False}
    activation = {"activation_function": "torch.nn.modules.linear.Identity"}
    (folder / "config.json").write_text(json.dumps({**settings, **activation}))


def minilm(folder: Path) -> None:
    tokenizer = hf.BertTokenizer(vocab=_wordpiece(), model_max_length=48)
    _save(folder, hf.BertModel(hf.BertConfig(**_TEXT)), tokenizer)
    _legacy_vocabulary(folder, _wordpiece())
    write_sentences(folder, {"pooling_mode_mean_tokens": True}, "Normalize")


def in_subfolder(folder: Path) -> None:
    """As the library's first versions saved it, with a copy at the root for those who load it without."""
    minilm(folder)
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["path"] = "0_Transformer"
    (folder / "0_Transformer").mkdir()
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        if file.name not in ("modules.json", "config_sentence_transformers.json"):
            shutil.copyfile(file, folder / "0_Transformer" / file.name)
    (folder / "modules.json").write_text(json.dumps(modules))


def mpnet(folder: Path) -> None:
    tokenizer = hf.MPNetTokenizer(vocab=_wordpiece(), model_max_length=40)
    _save(folder, hf.MPNetModel(hf.MPNetConfig(**_TEXT)), tokenizer)
    write_sentences(folder, {"pooling_mode": "mean"}, "Normalize")


def e5(folder: Path) -> None:
    special = ("<s>", "<pad>", "</s>", "<unk>")
    pieces = [
        (piece, 0.0 if piece in special else -2.0 - index / 9) for piece, index in _letters(*special).items()
    ]
    tokenizer = hf.XLMRobertaTokenizer(vocab=pieces, model_max_length=40)
    _save(folder, hf.XLMRobertaModel(hf.XLMRobertaConfig(**_TEXT, pad_token_id=1)), tokenizer)
    (folder / "sentencepiece.bpe.model").write_bytes(b"\x0a\x0bthe model of another tokenizer library")
    write_sentences(folder, {"pooling_mode_mean_tokens": True}, "Normalize", prompts={"query": "query: "})


def bge(folder: Path) -> None:
    tokenizer = hf.BertTokenizer(vocab=_wordpiece(), model_max_length=48)
    _save(folder, hf.BertModel(hf.BertConfig(**_TEXT)), tokenizer)
    _legacy_vocabulary(folder, _wordpiece())
    write_sentences(folder, {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "Normalize")


def qwen3_embedding(folder: Path) -> None:
    pieces = ["<|endoftext|>", *sorted(ByteLevel.alphabet())]  # a byte each: every text gives tokens
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = hf.Qwen2Tokenizer(vocab=vocabulary, merges=[], model_max_length=48)
    settings = {**_GROUPED, "vocab_size": len(vocabulary)}
    _save(folder, hf.Qwen3ForCausalLM(hf.Qwen3Config(**settings)), tokenizer)
    prompts = {"query": "Instruct: find\nQuery: ", "document": ""}
    write_sentences(folder, {"pooling_mode_lasttoken": True}, "Normalize", prompts=prompts)


def embedding_gemma(folder: Path) -> None:
    vocabulary = _letters("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
    tokenizer = hf.GemmaTokenizer(vocab=vocabulary, merges=[], model_max_length=48)
    settings = {**_GROUPED, "sliding_window": 16, "use_bidirectional_attention": True}
    _save(folder, hf.Gemma3TextModel(hf.Gemma3TextConfig(**settings)), tokenizer)
    write_sentences(folder, {"pooling_mode_mean_tokens": True}, "Dense", "Dense", "Normalize")
    write_dense(folder / "2_Dense", 32, 40)
    write_dense(folder / "3_Dense", 40, 32)


def clip(folder: Path) -> None:
    tiny_models.save("clip", folder)


def siglip(folder: Path) -> None:
    tiny_models.save("siglip", folder)


def dinov2(folder: Path) -> None:
    tiny_models.save("dinov2", folder)


def wav2vec2(folder: Path) -> None:
    tiny_models.save("wav2vec2_layer_norm", folder)


def whisper(folder: Path) -> None:
    tiny_models.save("whisper", folder)


def cross_encoder(folder: Path) -> None:
    tokenizer = hf.BertTokenizer(vocab=_wordpiece(), model_max_length=48)
    _save(folder, hf.BertForSequenceClassification(hf.BertConfig(**_TEXT, num_labels=1)), tokenizer)
    _legacy_vocabulary(folder, _wordpiece())


def splade(folder: Path) -> None:
    tokenizer = hf.BertTokenizer(vocab=_wordpiece(), model_max_length=48)
    _save(folder, hf.BertForMaskedLM(hf.BertConfig(**_TEXT)), tokenizer)


def speaker(folder: Path) -> None:
    tdnn = {"tdnn_dim": (16, 16), "tdnn_kernel": (3, 1), "tdnn_dilation": (1, 1), "xvector_output_dim": 8}
    settings = {"conv_dim": (16, 16), "conv_kernel": (10, 3), "conv_stride": (5, 2), **tdnn}
    groups = {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2, "num_feat_extract_layers": 2}
    config = hf.WavLMConfig(**_TINY, **settings, **groups, feat_extract_norm="layer")
    _save(folder, hf.WavLMForXVector(config), tiny_models.feature_extractor("wavlm"))


LAYOUTS: tuple[Layout, ...] = (
    Layout("MiniLM", "text", minilm),
    Layout("MiniLM, subfolder", "text", in_subfolder),
    Layout("mpnet", "text", mpnet),
    Layout("e5 (XLM-R)", "text", e5),
    Layout("bge", "text", bge),
    Layout("Qwen3-Embedding", "text", qwen3_embedding),
    Layout("EmbeddingGemma", "text", embedding_gemma),
    Layout("CLIP, images", "image", clip),
    Layout("CLIP, texts", "text", clip),
    Layout("SigLIP, images", "image", siglip),
    Layout("SigLIP, texts", "text", siglip),
    Layout("DINOv2", "image", dinov2),
    Layout("wav2vec 2.0", "audio", wav2vec2),
    Layout("Whisper", "audio", whisper),
    Layout("cross-encoder", "text", cross_encoder),
    Layout("SPLADE", "text", splade),
    Layout("speaker vectors", "audio", speaker),
)
