"""What prepares the raw samples of an encoder, and the recipe that depends on it."""

from typing import Any

from torch import nn

from hf_integration.encoders.modalities.audio import AudioPreparation
from hf_integration.encoders.modalities.families import Family
from hf_integration.encoders.modalities.image import ImagePreparation
from hf_integration.encoders.modalities.preparation import Preparation
from hf_integration.encoders.modalities.recipes import Recipe, sentence_recipe
from hf_integration.encoders.modalities.sentence_modules import SentenceModules
from hf_integration.encoders.modalities.text import TextPreparation, longest_text


def preparation_of(
    processor: Any, module: nn.Module, family: Family, sentence: SentenceModules | None = None
) -> Preparation:
    """The preparation of one modality.

    Args:
        processor: tokenizer, image processor or feature extractor.
        module: the model.
        family: its family.
        sentence: the modules of a sentence encoder, if it is one.
    """
    config: Any = module.config
    if family.modality == "text":
        length = longest_text(processor, config)
        if sentence is None:
            return TextPreparation(processor, module, max_length=length, fixed_length=family.fixed_length)
        if sentence.do_lower_case:
            _lower_case(processor)
        return TextPreparation(
            processor, module, max_length=sentence.max_seq_length or length, prompt=sentence.prompt
        )
    if family.modality == "image":
        return ImagePreparation(processor)
    return AudioPreparation(processor, config)


def pooled_recipe(config: Any, sentence: SentenceModules, preparation: Preparation) -> Recipe:
    """The recipe of a sentence encoder, once it is known how many tokens its prompt has."""
    left_out = 0
    if isinstance(preparation, TextPreparation) and not sentence.include_prompt:
        left_out = preparation.prompt_tokens()
    return sentence_recipe(config, sentence.modes, left_out)


def _lower_case(tokenizer: Any) -> None:
    """Lower-case in front of the tokenizer's own normaliser, as sentence-transformers does."""
    from tokenizers import normalizers

    if lower_cases(tokenizer):
        return
    backend = tokenizer.backend_tokenizer
    backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), *_steps(backend.normalizer)])


def lower_cases(tokenizer: Any) -> bool:
    """Whether a tokenizer lower-cases by a step of its own."""
    from tokenizers import normalizers

    steps = _steps(tokenizer.backend_tokenizer.normalizer)
    return any(isinstance(step, normalizers.Lowercase) for step in steps)


def _steps(normalizer: Any) -> list[Any]:
    if normalizer is None:
        return []
    return list(normalizer) if type(normalizer).__name__ == "Sequence" else [normalizer]
