"""Which family an encoder is of, and what prepares its raw samples."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import nn

from hf_integration.base.errors import EncoderError, UsageError
from hf_integration.base.vocabulary import MODALITIES, POOLINGS, Modality
from hf_integration.encoders.modalities.audio import AudioPreparation
from hf_integration.encoders.modalities.families import ENCODERS_ALONE, FAMILIES, Family
from hf_integration.encoders.modalities.generic import (
    bare_class,
    base_class,
    generic_families,
    named_classes,
)
from hf_integration.encoders.modalities.image import ImagePreparation
from hf_integration.encoders.modalities.observed import UnsupportedError
from hf_integration.encoders.modalities.one_by_one import OneByOne
from hf_integration.encoders.modalities.pairs import PairPreparation
from hf_integration.encoders.modalities.preparation import Preparation
from hf_integration.encoders.modalities.recipes import Recipe
from hf_integration.encoders.modalities.sentence_modules import SentenceModules
from hf_integration.encoders.modalities.sentence_recipes import recipe_of_modules
from hf_integration.encoders.modalities.text import TextPreparation, longest_text
from hf_integration.encoders.modalities.timm_models import MODEL_TYPE, timm_family


def choose_family(
    config: Any,
    *,
    where: str,
    modality: Modality | None,
    has_processor: Callable[[Modality], bool],
    preferred: Modality | None = None,
    saved: str | None = None,
) -> Family:
    """The family of a configuration.

    Args:
        config: a transformers configuration.
        where: folder or name, for messages.
        modality: the caller's choice where there are two towers.
        has_processor: whether a modality's processor is there; decides where the caller does not.
        preferred: taken where the caller does not choose and there is such a tower: a card's modality, of
            which an altered encoder may have none.
        saved: class that the weights are of; by default what the configuration says.

    Raises:
        EncoderError: no encoder of a supported kind, or none of that modality.
        UsageError: an unknown modality.
    """
    if modality is not None and modality not in MODALITIES:
        raise UsageError(f"unknown modality {modality!r}", remedy=f"choose from {', '.join(MODALITIES)}")
    try:
        families = families_of(config, saved)
    except UnsupportedError as why:
        raise EncoderError(
            f"{where}: architecture {config.model_type!r} is not supported: {why}",
            remedy="give an encoder of texts, images or recordings",
        ) from None
    if modality is not None:
        families = tuple(family for family in families if family.modality == modality)
        if not families:
            raise EncoderError(f"{where}: architecture {config.model_type!r} has no {modality} encoder")
    for family in families:
        if family.modality == preferred:
            return family
    return next((family for family in families if has_processor(family.modality)), families[0])


def families_of(config: Any, saved: str | None = None) -> tuple[Family, ...]:
    """The towers of an architecture, the preferred one first: its own entry, else what its class says.

    Args:
        config: a transformers configuration.
        saved: see :func:`choose_family`.

    Raises:
        UnsupportedError: there is none.
    """
    saved = saved or next(iter(named_classes(getattr(config, "architectures", None))), None)
    if config.model_type == MODEL_TYPE:
        return (timm_family(config),)
    families = FAMILIES.get(config.model_type)
    if families is None:
        return generic_families(config, saved)
    if saved in ENCODERS_ALONE:
        return tuple(replace(family, class_name=saved) for family in families)
    kind = bare_class(config, saved)
    if kind is None or len(families) > 1 or families[0].part:
        return families
    (family,) = families
    if family.class_name == "AutoModel":  # perhaps another encoder of the same use: DPR's of passages
        return (family if kind is base_class(config) else replace(family, class_name=kind.__name__),)
    # a tower that was saved without the projection that the entry's class has
    return families if kind.__name__ == family.class_name else generic_families(config, saved)


def checked_pooling(pooling: str | None, family: Family, *, where: str, sentence: bool) -> str | None:
    """A pooling that was chosen instead of the library's, if it may be.

    Args:
        pooling: its name, or ``None`` where none was chosen.
        family: how the encoder is loaded.
        where: folder or name, for messages.
        sentence: whether it is a sentence encoder with a pooling of its own.

    Raises:
        UsageError: an unknown one.
        EncoderError: it may not.
    """
    if pooling is None:
        return None
    if pooling not in POOLINGS:
        raise UsageError(f"unknown pooling {pooling!r}", remedy=f"choose from {', '.join(POOLINGS)}")
    if sentence:
        raise EncoderError(
            f"{where}: no pooling can be chosen: this sentence-transformers encoder has its own",
            remedy="leave the pooling out",
        )
    if family.own_pooling:
        raise EncoderError(
            f"{where}: no pooling can be chosen: the {family.modality} encoder was trained with its own",
            remedy="leave the pooling out",
        )
    return pooling


def config_of(config: Any, family: Family) -> Any:
    """The configuration of one tower, where a configuration describes two."""
    part = {"image": "vision_config", "text": "text_config"}.get(family.modality, "")
    return getattr(config, part, config)


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
    called = getattr(module, family.recipe(config_of(config, family), True).method)
    if family.one_by_one:
        return OneByOne(processor, called, family.modality)
    if family.modality == "text":
        length = longest_text(processor, config_of(config, family))
        if sentence is None:
            return TextPreparation(processor, called, max_length=length, fixed_length=family.fixed_length)
        if sentence.do_lower_case:
            _lower_case(processor)
        kind = PairPreparation if sentence.kind == "scores" else TextPreparation
        return kind(
            processor,
            called,
            max_length=sentence.max_seq_length or length,
            prompt=sentence.prompt,
            fixed_length=family.fixed_length,
        )
    if family.modality == "image":
        return ImagePreparation(processor)
    return AudioPreparation(processor, config)


def pooled_recipe(config: Any, sentence: SentenceModules, preparation: Preparation, own: Recipe) -> Recipe:
    """The recipe of a sentence encoder, once it is known how many tokens its prompt has.

    Args:
        config: configuration of its model.
        sentence: its modules.
        preparation: its processor.
        own: the recipe of the model by itself.
    """
    left_out = 0
    if isinstance(preparation, TextPreparation) and not sentence.include_prompt:
        left_out = preparation.prompt_tokens()
    return recipe_of_modules(sentence, config, own, left_out=left_out)


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
