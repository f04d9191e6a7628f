"""What a trusted copy gives under a recipe: references that need no runtime but torch."""

import copy
import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_integration.base.errors import UsageError, in_one_line
from hf_integration.base.vocabulary import Precision
from hf_integration.encoders.modalities.recipes import OVER_THE_MASK, POOLS, sentence_recipe
from hf_integration.encoders.modalities.recipes import Recipe as Readout
from hf_integration.encoders.modalities.tail_modules import Dense, Normalize, Truncate
from hf_integration.encoders.modalities.text import TextPreparation, longest_text
from hf_integration.encoders.running.assembly import Assembly
from hf_integration.encoders.running.devices import full_precision
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.recipe import Gelu, Recipe

_EXACT = "GELUActivation"
_TANH = ("NewGELUActivation", "PytorchGELUTanh", "FastGELUActivation", "GELUTanh", "AccurateGELUActivation")
"""Names of the activations of transformers that are the two forms of GELU."""

_KEPT = {"gguf-f16": ("token_type",), "gguf-f16-positions": ("token_type", "position_embeddings")}
"""Tables that llama.cpp's converter leaves in float32: of token types always, of positions in newer releases.

Source: ``convert_hf_to_gguf.py`` of llama.cpp. An answer recorded by Ollama's maintainers fits the first to
6.8e-7, and fits neither the second (4e-5) nor all matrices rounded (4e-5).
"""


class CannotComputeError(UsageError):
    """A recipe that torch cannot follow with this encoder."""


class Kernels:
    """Copies of a trusted encoder with other weights, another GELU and another arithmetic.

    The latest is kept: recipes that differ in how texts are prepared and pooled share it.

    Args:
        encoder: the trusted copy; it is left as it is.
    """

    def __init__(self, encoder: TorchEncoder) -> None:
        self._encoder = encoder
        self._latest: dict[Any, TorchEncoder] = {}

    def of(self, recipe: Recipe, precision: Precision | None = None) -> TorchEncoder:
        """The copy for a recipe, in the encoder's own precision or in a given one."""
        key = (recipe.weights, recipe.gelu, precision)
        if key not in self._latest:
            made = _weighted(self._encoder, recipe) if precision is None else _at(self.of(recipe), precision)
            self._latest = {known: kept for known, kept in self._latest.items() if known[:2] == key[:2]}
            self._latest[key] = made
        return self._latest[key]


class Computed:
    """A trusted encoder under one recipe.

    Args:
        encoder: the trusted copy; it is left as it is.
        recipe: what a deployment does to it; how it writes its numbers is left to the caller.
        kernels: of the same encoder, where many recipes are tried and nobody changes a model's settings.

    Raises:
        UsageError: the encoder takes no texts, or a pooling is not known.

    Attributes:
        encoder: what computes: the trusted copy itself, or what the recipe makes of it.
    """

    def __init__(self, encoder: TorchEncoder, recipe: Recipe, kernels: Kernels | None = None) -> None:
        _texts(encoder)
        self.recipe = recipe
        self._kernels = kernels
        weighted = _weighted(encoder, recipe) if kernels is None else kernels.of(recipe)
        self.encoder = _prepared(weighted, recipe)

    @property
    def width(self) -> int:
        """Dimensions of an embedding."""
        whole = self.encoder.description.embedding_dim
        return whole if self.recipe.dimensions is None else min(whole, self.recipe.dimensions)

    @property
    def reference_precision(self) -> Precision:
        """What the reference is computed in: float64 stands for all that computes in float32."""
        return "float64" if self.recipe.arithmetic == "float32" else self.recipe.arithmetic

    def embed(
        self, texts: Sequence[str], *, precision: Precision | None = None, batch_size: int = 16
    ) -> Tensor:
        """Embeddings, float64 ``(n, dim)``, scaled to length 1 only if the recipe does so.

        Args:
            texts: raw texts.
            precision: by default that of the reference.
            batch_size: most texts in one batch.

        Raises:
            CannotComputeError: torch cannot run this encoder so.
        """
        precision = precision or self.reference_precision
        if self._kernels is None:
            running = _at(self.encoder, precision)
        else:
            running = _prepared(self._kernels.of(self.recipe, precision), self.recipe)
        try:
            with full_precision():
                embeddings = running.embed(texts, batch_size=batch_size).double()
        except (RuntimeError, NotImplementedError) as error:  # Fourier transforms have no half precision
            raise CannotComputeError(
                f"this encoder cannot be run {self.recipe}: {in_one_line(error)}",
                remedy="choose another recipe",
            ) from error
        if self.recipe.dimensions is not None:
            embeddings = F.normalize(embeddings[:, : self.recipe.dimensions], dim=1)
        return embeddings


def _at(encoder: TorchEncoder, precision: Precision) -> TorchEncoder:
    # only a copy in another precision can leave tables empty; whether it may takes a while to find out
    return encoder.at_precision(precision, run_only=precision != encoder.own_precision)


def simplified(encoder: TorchEncoder, recipe: Recipe) -> Recipe:
    """The recipe without what the encoder does by itself: two that give the same answers are then equal."""
    tail = encoder.parts[0].tail.values()
    changes: dict[str, Any] = {}
    if recipe.normalised is not None and recipe.normalised == any(isinstance(m, Normalize) for m in tail):
        changes["normalised"] = None
    if recipe.gelu is not None and recipe.gelu not in other_gelus(encoder):
        changes["gelu"] = None
    if recipe.length == own_length(encoder):
        changes["length"] = None
    return recipe.but(**changes)


def own_prompts(encoder: TorchEncoder) -> tuple[str, ...]:
    """Prompts that the encoder's own files name, without the empty one."""
    settings = encoder.behaviour().get("config_sentence_transformers.json")
    prompts = settings.get("prompts", {})
    return tuple(dict.fromkeys(text for text in prompts.values() if text))


def has_dense(encoder: TorchEncoder) -> bool:
    """Whether dense layers follow the pooling."""
    return any(isinstance(module, Dense) for module in encoder.parts[0].tail.values())


def widest(encoder: TorchEncoder) -> int:
    """Most dimensions that any recipe gives, without dense layers and without the encoder's own cut."""
    whole = Recipe(dimensions=sys.maxsize)
    return max(Computed(encoder, whole.but(dense=dense)).width for dense in (True, False))


def own_length(encoder: TorchEncoder) -> int:
    """Tokens at which the encoder itself cuts a text."""
    return _texts(encoder).max_length


def most_tokens(encoder: TorchEncoder) -> int:
    """Tokens at which every deployment cuts a text: the model takes no more."""
    return longest_text(_texts(encoder).processor, encoder.model.config)


def tokens_of(encoder: TorchEncoder, texts: Sequence[str]) -> list[int]:
    """How many tokens each text has, wherever it would be cut."""
    tokenizer = _texts(encoder).processor
    return [len(row) for row in tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]]


def other_gelus(encoder: TorchEncoder) -> tuple[Gelu, ...]:
    """The forms of GELU that a deployment may compute instead of the encoder's own; none without any GELU."""
    kinds = {type(module).__name__ for module in encoder.model.modules()}
    return (*(("tanh",) if _EXACT in kinds else ()), *(("exact",) if kinds & {*_TANH} else ()))


def int8_rows(weight: Tensor) -> Tensor:
    """What is left of a matrix, ``(out, in)``, after torchao's ``Int8WeightOnlyConfig``, bit for bit."""
    scale = weight.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float32).eps) / 127.5
    return (weight * (1 / scale)).round().clamp(-128, 127) * scale


def writes_weights(recipe: Recipe) -> bool:
    """Whether a recipe writes other weights into a copy of the encoder, which has to be a whole one."""
    return recipe.weights not in ("stored", "float16", "bfloat16")


def _weighted(encoder: TorchEncoder, recipe: Recipe) -> TorchEncoder:
    """The encoder with rounded weights and another kernel; its own where neither is asked for."""
    if recipe.weights in ("float16", "bfloat16"):
        encoder = encoder.rounded_to(recipe.weights)
    elif recipe.weights == "int8-rows":
        encoder = encoder.duplicate()
        with torch.no_grad():
            for module in encoder.model.modules():
                if isinstance(module, nn.Linear):
                    module.weight.copy_(int8_rows(module.weight))
    elif writes_weights(recipe):
        encoder = encoder.duplicate()
        with torch.no_grad():
            for name, parameter in encoder.model.named_parameters():
                if parameter.ndim == 2 and not any(kept in name for kept in _KEPT[recipe.weights]):
                    parameter.copy_(parameter.half())
    if recipe.gelu is not None and recipe.gelu in other_gelus(encoder):
        encoder = encoder.duplicate()
        approximate = "tanh" if recipe.gelu == "tanh" else "none"
        for name, module in list(encoder.model.named_modules(remove_duplicate=False)):
            if type(module).__name__ in (_EXACT, *_TANH):
                outer, _, own = name.rpartition(".")
                setattr(encoder.model.get_submodule(outer), own, nn.GELU(approximate=approximate))
    return encoder


def _prepared(encoder: TorchEncoder, recipe: Recipe) -> TorchEncoder:
    """The encoder with another prompt, length, pooling or tail."""
    assembly, preparation, readout = encoder.parts
    texts = _texts(encoder)
    if recipe.prompt is not None or recipe.length is not None:
        texts = preparation = copy.copy(texts)
        if recipe.prompt is not None:
            texts.prompt = recipe.prompt
        if recipe.length is not None:
            texts.max_length = min(recipe.length, most_tokens(encoder))
    if recipe.pooling is not None:
        if not readout.pooling.endswith(OVER_THE_MASK):
            raise UsageError(f"'{encoder.name}' pools no tokens, but is: {readout.pooling}")
        if recipe.pooling not in POOLS:
            raise UsageError(
                f"pooling {recipe.pooling!r} is not known", remedy=f"choose one of {', '.join(POOLS)}"
            )
        readout = sentence_recipe(encoder.model.config, (recipe.pooling,))
    elif recipe.prompt is not None:
        readout = _without_prompt(encoder, texts) or readout
    tail = {
        name: module
        for name, module in assembly.tail.items()
        if not (isinstance(module, Dense) and not recipe.dense)
        and not (isinstance(module, Normalize) and recipe.normalised is False)
        and not (isinstance(module, Truncate) and recipe.dimensions is not None)
    }
    if recipe.normalised and not any(isinstance(module, Normalize) for module in tail.values()):
        tail["normalised"] = Normalize()
    return encoder.rebuilt(Assembly(encoder.model, tail, dict(assembly.before.items())), preparation, readout)


def _without_prompt(encoder: TorchEncoder, texts: TextPreparation) -> Readout | None:
    """How an encoder that does not pool its prompt leaves out another one; ``None`` for others."""
    pooling = encoder.behaviour().get("1_Pooling/config.json")
    if pooling.get("include_prompt", True):
        return None
    return sentence_recipe(encoder.model.config, tuple(pooling["pooling_mode"]), texts.prompt_tokens())


def _texts(encoder: TorchEncoder) -> TextPreparation:
    _, preparation, _ = encoder.parts
    if not isinstance(preparation, TextPreparation):
        raise UsageError(
            f"'{encoder.name}' takes {encoder.modality}, and recipes with prompts or lengths are of texts"
        )
    return preparation
