"""How the model of a sentence-transformers encoder is loaded, and how its outputs become one vector."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from hf_integration.base.errors import EncoderError
from hf_integration.encoders.modalities.families import Family
from hf_integration.encoders.modalities.recipes import NEVER_READ, Recipe, attention_mask, sentence_recipe
from hf_integration.encoders.modalities.sentence_modules import SentenceModules

_CLASSES = {"scores": "AutoModelForSequenceClassification", "sparse": "AutoModelForMaskedLM"}
_STATIC = "StaticModel"


def sentence_family(sentence: SentenceModules, family: Family, *, where: str) -> Family:
    """How the model of a sentence encoder is loaded.

    Args:
        sentence: its modules.
        family: how a plain encoder of this architecture is loaded.
        where: folder or name, for messages.

    Raises:
        EncoderError: the modules take another kind of sample than the model.
    """
    if family.modality not in sentence.modalities:
        raise EncoderError(
            f"{where}: a sentence-transformers folder of {' and '.join(sentence.modalities)} around "
            f"a model that takes {family.modality}",
            remedy="use an intact copy of the encoder",
        )
    if family.part and not family.class_name.endswith("EncoderModel"):  # Whisper, BART, Marian
        raise EncoderError(
            f"{where}: of a sequence-to-sequence model, sentence-transformers either runs both halves or "
            "saves the encoder alone, which transformers cannot load",
            remedy="check the transformers model that it was made of",
        )
    if family.modality == "audio":
        raise EncoderError(
            f"{where}: sentence-transformers pools the padding of recordings with them, so that an embedding "
            "depends on the other recordings of its batch",
            remedy="check the transformers model by itself",
        )
    if sentence.kind in _CLASSES:
        return replace(
            family, class_name=_CLASSES[sentence.kind], recipe=lambda config, _: scores_recipe(config)
        )
    return family


def recipe_of_modules(sentence: SentenceModules, config: Any, own: Recipe, *, left_out: int = 0) -> Recipe:
    """The recipe of a sentence encoder.

    Args:
        sentence: its modules.
        config: configuration of its model.
        own: the recipe of the model by itself.
        left_out: tokens at the beginning of every text that are not pooled: those of a prompt.
    """
    if sentence.kind == "scores":
        return scores_recipe(config)
    if sentence.kind == "sparse":
        return splade_recipe(config, *sentence.splade)
    if sentence.kind in ("pooled", "tokens"):
        stages = getattr(config, "hidden_sizes", ())  # of models of images, the last one's map is pooled
        widths = [*stages, *(spec.width for spec in sentence.before.values() if spec.width is not None)]
        pooled = sentence_recipe(config, sentence.modes, left_out, width=widths[-1] if widths else None)
        if sentence.kind == "pooled":
            return pooled
        return replace(pooled, pooling="mean over the vectors that users get one by one")
    return own


def scores_recipe(config: Any) -> Recipe:
    """The scores of a head over a pair of texts, which is what a cross-encoder is used for."""
    return Recipe(
        "scores of a pair",
        int(config.num_labels),
        lambda output, _: output.logits.double(),
        mask=attention_mask,
        scores=True,
    )


def splade_recipe(config: Any, pooling: str, activation: str) -> Recipe:
    """One number for each word of the vocabulary: of the scores that the words get at every token.

    Args:
        config: a transformers configuration.
        pooling: ``max`` or ``sum`` over the tokens.
        activation: ``relu`` for log(1 + relu(x)), ``log1p_relu`` for that once more within log(1 + ...).

    Source: Formal et al., "SPLADE v2", https://arxiv.org/abs/2109.10086.
    """

    def head(output: Any, mask: Tensor | None) -> Tensor:
        words: Tensor = output.logits.relu().log1p()
        if activation == "log1p_relu":
            words = words.log1p()
        if mask is not None:
            words = words * mask.to(words.dtype).unsqueeze(-1)
        pooled = words.amax(1) if pooling == "max" else words.sum(1, dtype=torch.float64)
        return pooled.double()

    words = f"{pooling} of {activation} over the mask, one number for each word"
    return Recipe(words, int(config.vocab_size), head, mask=attention_mask, inert=NEVER_READ)
