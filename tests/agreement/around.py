"""Layouts of modules around a transformers model, of texts and of images."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from torch import nn

from tests.agreement.building import (
    PROMPT,
    WIDTH,
    Layout,
    dense,
    library,
    modules_of_library,
    normalize,
    pooling,
    sentence,
)
from tests.encoders import tiny_models

_MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
_ACTIVATIONS = (nn.Identity(), nn.ReLU(), nn.GELU(), nn.SiLU(), nn.Sigmoid(), nn.Softplus(), nn.LeakyReLU())


def _words(modules: Any) -> Any:
    vocabulary = sorted(tiny_models.tokenizer().get_vocab(), key=tiny_models.tokenizer().get_vocab().get)
    return modules.WordWeights(vocabulary, {"cat": 2.5, "sea": 0.5}, 0.75)


def _layers(modules: Any) -> Any:
    return modules.WeightedLayerPooling(WIDTH, num_hidden_layers=2, layer_start=1)


AROUND: tuple[Layout, ...] = (
    *(Layout(f"pooling: {mode}", sentence(pooling(mode))) for mode in _MODES),
    Layout("pooling: all at once", sentence(pooling(_MODES))),
    *(
        Layout(f"prompt not pooled: {mode}", sentence(pooling(mode, include_prompt=False), **PROMPT))
        for mode in _MODES
    ),
    Layout("prompt", sentence(pooling(), normalize, **PROMPT)),
    Layout("truncate_dim", sentence(pooling(), normalize, truncate_dim=7)),
    Layout("max_seq_length", sentence(pooling(), transformer={"max_seq_length": 6})),
    Layout("do_lower_case", sentence(pooling(), transformer={"do_lower_case": True})),
    Layout(
        "processing_kwargs",
        sentence(pooling(), transformer={"processing_kwargs": {"text": {"max_length": 5}}}),
    ),
    Layout("Normalize", sentence(pooling(), normalize)),
    Layout("Dense", sentence(pooling(), dense())),
    Layout("Dense without bias", sentence(pooling(), dense(bias=False))),
    *(
        Layout(f"Dense with {type(kind).__name__}", sentence(pooling(), dense(activation_function=kind)))
        for kind in _ACTIVATIONS
    ),
    Layout("Dense with residual", sentence(pooling(), dense(WIDTH, use_residual=True))),
    Layout("Dense with projected residual", sentence(pooling(), dense(12, use_residual=True))),
    Layout("Normalize, Dense, Normalize", sentence(pooling(), normalize, dense(), normalize)),
    Layout("two Dense", sentence(pooling(), dense(20), dense(9, given=20))),
    Layout("Dense on tokens", sentence(dense(16, module_input_name="token_embeddings"), pooling(width=16))),
    Layout(
        "Normalize on tokens",
        sentence(lambda m: m.Normalize(module_input_name="token_embeddings"), pooling(("mean", "max"))),
    ),
    Layout("LayerNorm", sentence(pooling(), lambda m: m.LayerNorm(WIDTH))),
    Layout("Dropout", sentence(pooling(), lambda m: m.Dropout(0.3), dense())),
    *(Layout(f"WordWeights, {mode}", sentence(_words, pooling(mode))) for mode in _MODES),
    Layout("WordWeights, prompt not pooled", sentence(_words, pooling(include_prompt=False), **PROMPT)),
    Layout("WeightedLayerPooling", sentence(_layers, pooling(), config={"output_hidden_states": True})),
    Layout(
        "WeightedLayerPooling without layers",
        sentence(_layers, pooling()),
        refused="WeightedLayerPooling does nothing",
    ),
    Layout(
        "WeightedLayerPooling, WordWeights, Dense",
        sentence(_layers, _words, pooling(), dense(), config={"output_hidden_states": True}),
    ),
    *(
        Layout(
            f"{model} model",
            sentence(pooling(), normalize, model=model, transformer={"max_seq_length": 30}),
        )
        for model in ("roberta", "distilbert", "mpnet", "modernbert")
    ),
)
"""Modules around a transformers model."""


def _towers(
    kind: str, *, older: bool = False, also: Sequence[Callable[[Any], Any]] = ()
) -> Callable[[Path, Path], None]:
    """A model of texts and images, as version 6 writes it, or in the ``CLIPModel`` of older versions."""

    def save(base: Path, folder: Path) -> None:
        saved = tiny_models.save(kind, base)
        processor = hf.CLIPProcessor if kind == "clip" else hf.SiglipProcessor
        images, texts = hf.AutoImageProcessor.from_pretrained(saved), hf.AutoTokenizer.from_pretrained(saved)
        processor(images, texts).save_pretrained(saved)
        torch.manual_seed(0)
        modules = modules_of_library()
        first = (modules.CLIPModel if older else modules.Transformer)(str(saved))
        made = [first, *(part(modules) for part in also)]
        library().SentenceTransformer(modules=made, device="cpu").save(str(folder), create_model_card=False)

    return save


def _both(name: str, save: Callable[[Path, Path], None]) -> tuple[Layout, ...]:
    return Layout(f"{name}, texts", save), Layout(f"{name}, images", save, "image")


TOWERS: tuple[Layout, ...] = (
    *_both("CLIP", _towers("clip")),
    *_both("CLIP by CLIPModel", _towers("clip", older=True)),
    *_both("CLIP, Dense, Normalize", _towers("clip", also=[dense(12, given=16), normalize])),
    *_both("SigLIP", _towers("siglip")),
    Layout("ViT", sentence(pooling(), normalize, model="vit"), "image"),
    Layout("ViT, class token", sentence(pooling("cls"), model="vit"), "image"),
    Layout("DINOv2", sentence(pooling(), model="dinov2"), "image"),
    Layout("ResNet", sentence(pooling(), model="resnet"), "image"),
    Layout("Swin", sentence(pooling(), model="swin"), "image"),
    Layout("Whisper", sentence(pooling(), model="whisper"), "audio", refused="either runs both halves"),
)
"""Models of images, and of images and texts."""
