"""A small sentence encoder in which every field of a recipe shows: weights are large, numbers are many."""

import json
from pathlib import Path
from typing import Any, cast

import torch
import transformers as hf
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from hf_integration.encoders import open_encoder
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.common_words import ENGLISH
from hf_integration.key_samples.deterministic_random import DeterministicRandom
from hf_integration.key_samples.samples import KeySamples

WIDTH = 64
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
OWN_LENGTH, POSITIONS = 48, 96
"""Tokens at which the encoder cuts, and tokens that its table of positions has room for."""

CONFIG: dict[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "intermediate_size": 80,
    "max_position_embeddings": POSITIONS,
    "pad_token_id": 0,
}


def tokenizer() -> Any:
    """Common English words are one token each, all others one for each character."""
    words = sorted({word.lower() for word in ENGLISH if word.isalpha() and len(word) > 1})
    pieces = [*SPECIAL, *LETTERS, *words, *(f"##{letter}" for letter in LETTERS)]
    places = {piece: place for place, piece in enumerate(pieces)}
    backend = Tokenizer(models.WordPiece(places, unk_token=SPECIAL[1]))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    special = {f"{piece[1:-1].lower()}_token": piece for piece in SPECIAL}
    return hf.PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=POSITIONS, **special)


def scaled(model: Any, seed: int) -> Any:
    """Random weights so large that activations reach where the two forms of GELU differ."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            drawn = torch.randn(parameter.shape, generator=generator)
            large = 1.0 if "embeddings" in name else 0.2
            parameter.copy_(drawn * large if parameter.ndim > 1 else parameter + drawn * 0.1)
    return model.eval()


def save(
    folder: Path,
    *,
    seed: int = 0,
    pooling: str | list[str] = "mean",
    include_prompt: bool = True,
    dense: int | None = None,
    normalised: bool = True,
    prompts: dict[str, str] | None = None,
    default_prompt: str | None = None,
    truncated: int | None = None,
    config: dict[str, Any] | None = None,
    model: Any = None,
) -> Path:
    """A folder as sentence-transformers writes it."""
    own, words = CONFIG | (config or {}), tokenizer()
    made = model or scaled(hf.BertModel(hf.BertConfig(vocab_size=len(words), **own)), seed)
    made.save_pretrained(folder)
    words.save_pretrained(folder)
    kinds = ["Transformer", "Pooling", *(["Dense"] if dense else []), *(["Normalize"] if normalised else [])]
    listed = []
    for place, kind in enumerate(kinds):
        path = f"{place}_{kind}" if place else ""
        (folder / path).mkdir(exist_ok=True)
        module = f"sentence_transformers.models.{kind}"
        listed.append({"idx": place, "name": str(place), "path": path, "type": module})
    modes = {"embedding_dimension": WIDTH, "pooling_mode": pooling, "include_prompt": include_prompt}
    write(folder / "modules.json", listed)
    write(folder / "1_Pooling" / "config.json", modes)
    write(folder / "sentence_bert_config.json", {"max_seq_length": OWN_LENGTH, "do_lower_case": False})
    settings: dict[str, Any] = {"prompts": prompts or {}, "default_prompt_name": default_prompt}
    write(folder / "config_sentence_transformers.json", settings | {"truncate_dim": truncated})
    if dense:
        _save_dense(folder / "2_Dense", dense, seed)
    return folder


def _save_dense(folder: Path, width: int, seed: int) -> None:
    from safetensors.torch import save_file

    activation = "torch.nn.modules.activation.Tanh"
    sizes = {"in_features": WIDTH, "out_features": width, "bias": True}
    write(folder / "config.json", {**sizes, "activation_function": activation})
    generator = torch.Generator().manual_seed(seed + 1)
    weight = torch.randn(width, WIDTH, generator=generator) * 0.1
    bias = torch.randn(width, generator=generator) * 0.1
    save_file({"linear.weight": weight, "linear.bias": bias}, folder / "model.safetensors")


def write(file: Path, value: Any) -> None:
    """As JSON."""
    file.write_text(json.dumps(value))


def opened(folder: Path) -> TorchEncoder:
    """The encoder in a folder."""
    return cast(TorchEncoder, open_encoder(folder, name="small", device="cpu"))


def texts(count: int, *, fewest: int = 3, most: int = 24, seed: int = 0) -> list[str]:
    """Texts of common words, so many tokens each and the two around them."""
    random = DeterministicRandom(seed, "serving", 0)
    words = [word for word in ENGLISH if word.isalpha() and len(word) > 1]
    return [" ".join(random.choice(words) for _ in range(random.between(fewest, most))) for _ in range(count)]


def samples(count: int = 64, *, seed: int = 0) -> KeySamples:
    """Key samples, most of them short, three longer than the encoder's own cut."""
    long = [*texts(1, fewest=36, most=36, seed=seed + 1), *texts(2, fewest=60, most=80, seed=seed + 2)]
    return KeySamples([*texts(count - len(long), seed=seed), *long], origin="for this test")
