"""Which family an encoder is of, and what prepares its raw samples."""

import dataclasses
import inspect
import typing
from collections.abc import Callable
from typing import Any

from torch import nn

from hf_integration.base.errors import EncoderError, UsageError, in_one_line
from hf_integration.base.vocabulary import MODALITIES, Modality
from hf_integration.encoders.modalities.audio import AudioPreparation
from hf_integration.encoders.modalities.families import FAMILIES, PLAIN_TEXT, Family
from hf_integration.encoders.modalities.image import ImagePreparation
from hf_integration.encoders.modalities.pairs import PairPreparation
from hf_integration.encoders.modalities.preparation import Preparation
from hf_integration.encoders.modalities.recipes import Recipe
from hf_integration.encoders.modalities.sentence_modules import SentenceModules
from hf_integration.encoders.modalities.sentence_recipes import recipe_of_modules
from hf_integration.encoders.modalities.text import TextPreparation, longest_text


def choose_family(
    config: Any,
    *,
    where: str,
    modality: Modality | None,
    has_processor: Callable[[Modality], bool],
    preferred: Modality | None = None,
) -> Family:
    """The family of a configuration.

    Args:
        config: a transformers configuration.
        where: folder or name, for messages.
        modality: the caller's choice where there are two towers.
        has_processor: whether a modality's processor is there; decides where the caller does not.
        preferred: taken where the caller does not choose and there is such a tower: a card's modality, of
            which an altered encoder may have none.

    Raises:
        EncoderError: no encoder of a supported kind, or none of that modality.
        UsageError: an unknown modality.
    """
    if modality is not None and modality not in MODALITIES:
        raise UsageError(f"unknown modality {modality!r}", remedy=f"choose from {', '.join(MODALITIES)}")
    families = FAMILIES.get(config.model_type)
    if families is None:
        if why := why_no_text_encoder(config):
            raise EncoderError(
                f"{where}: architecture {config.model_type!r} is not supported: {why}",
                remedy=f"supported: plain text encoders, {', '.join(FAMILIES)}",
            )
        families = (PLAIN_TEXT,)
    if modality is not None:
        families = tuple(family for family in families if family.modality == modality)
        if not families:
            raise EncoderError(f"{where}: architecture {config.model_type!r} has no {modality} encoder")
    for family in families:
        if family.modality == preferred:
            return family
    return next((family for family in families if has_processor(family.modality)), families[0])


def config_of(config: Any, family: Family) -> Any:
    """The configuration of one tower, where a configuration describes two."""
    part = {"image": "vision_config", "text": "text_config"}.get(family.modality, "")
    return getattr(config, part, config)


_OTHER_INPUTS = (
    "pixel_values",
    "pixel_values_videos",
    "input_features",
    "input_values",
    "visual_embeds",
    "visual_feats",
    "image",
    "audio_input_ids",
    "audio_latents",
)


def why_no_text_encoder(config: Any) -> str:
    """What keeps a model from being run on token ids alone and pooled over its tokens; empty for nothing.

    Args:
        config: a transformers configuration.
    """
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    try:
        model_class: Any = MODEL_MAPPING[type(config)]
        if isinstance(model_class, tuple):
            model_class = model_class[0]
        main_input = model_class.main_input_name
        inputs = inspect.signature(model_class.forward).parameters
    except KeyError:
        return "transformers has no base model of it"
    except Exception as error:  # a module of the library that cannot be imported here, whatever it lacks
        return f"transformers cannot load it here: {_first_words(error)}"
    if getattr(config, "is_encoder_decoder", False):
        return "it is a sequence-to-sequence model"
    if "input_ids" not in inputs or main_input != "input_ids" or hasattr(config, "vision_config"):
        return "it does not take text alone"
    if others := [name for name in _OTHER_INPUTS if name in inputs]:
        return f"it takes {others[0]} besides text"
    if not _gives_hidden_states(model_class):
        return "it gives no state per token (last_hidden_state)"
    if not isinstance(getattr(config, "hidden_size", None), int):
        return "its configuration states no width (hidden_size)"
    return ""


def _gives_hidden_states(model_class: Any) -> bool:
    """Whether one of the outputs that the model declares holds a state per token; it is believed without."""
    try:
        declared = typing.get_type_hints(model_class.forward).get("return")
    except Exception:  # names that only a type checker resolves
        return True
    outputs = [kind for kind in typing.get_args(declared) or (declared,) if dataclasses.is_dataclass(kind)]
    names = [field.name for kind in outputs for field in dataclasses.fields(kind)]
    return not outputs or "last_hidden_state" in names


def _first_words(error: Exception) -> str:
    """The first line that says anything: some begin with an empty one."""
    line = next((line for line in str(error).splitlines() if line.strip()), "")
    return line.strip() or in_one_line(error)


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
        kind = PairPreparation if sentence.kind == "scores" else TextPreparation
        return kind(
            processor,
            module,
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
