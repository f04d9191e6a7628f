"""Find the encoder in a model that is in memory already, and the part of its processor that it needs."""

from dataclasses import replace
from typing import Any

from torch import nn

from hf_integration.encoders.families import Family, config_of
from hf_integration.encoders.recipe import NEVER_READ, Recipe, output_named
from hf_integration.errors import EncoderError
from hf_integration.key_samples.interface import Modality

_PARTS: dict[Modality, tuple[str, ...]] = {
    "text": ("tokenizer",),
    "image": ("image_processor",),
    "audio": ("feature_extractor",),
}
_MARKS: dict[Modality, tuple[str, ...]] = {
    "text": ("backend_tokenizer", "convert_tokens_to_ids"),
    "image": ("image_mean", "do_resize", "do_normalize"),
    "audio": ("sampling_rate",),
}


def find_processor(processor: Any, modality: Modality) -> Any:
    """The part of a processor that prepares one modality, or ``None``."""
    for part in _PARTS[modality]:
        if getattr(processor, part, None) is not None:
            return getattr(processor, part)
    others = {mark for kind, marks in _MARKS.items() if kind != modality for mark in marks}
    mine = any(hasattr(processor, mark) for mark in _MARKS[modality])
    # Feature extractors normalise as well, so what only another kind has decides.
    if modality == "image" and any(hasattr(processor, mark) for mark in others - set(_MARKS["image"])):
        return None
    return processor if mine else None


def find_tower(module: Any, family: Family) -> tuple[nn.Module, Recipe]:
    """The module that runs, and its recipe.

    Args:
        module: a transformers model, perhaps with a task head or a second tower.
        family: its family.

    Raises:
        EncoderError: the model has no such tower.
    """
    if module.config.model_type == "clip":
        return module, _clip_method(module, family)
    if family.part:  # a whole sequence-to-sequence model, or its encoder
        tower = module.get_encoder() if hasattr(module, "get_encoder") else module
    elif module.config.model_type == "siglip":
        name = "vision_model" if family.modality == "image" else "text_model"
        if not hasattr(module, name):
            raise EncoderError(f"{type(module).__name__} has no {name}")
        tower = getattr(module, name)
    else:
        # The model below a task head; a base model's is itself.
        tower = _below_head(module) if family.class_name == "AutoModel" else module
    if not any(inner is tower for inner in module.modules()):
        raise EncoderError(
            f"{type(module).__name__} names a model that is no part of it", remedy="give the model itself"
        )
    pooler = isinstance(getattr(tower, "pooler", None), nn.Module)
    return tower, family.recipe(config_of(tower.config, family), pooler)


def _below_head(module: Any) -> Any:
    """The model below a task head; a base model is itself, whatever attribute bears its family's name."""
    from transformers import MODEL_MAPPING

    base = MODEL_MAPPING.get(type(module.config), ())
    return module if isinstance(module, base) else getattr(module, "base_model", module)


def _clip_method(module: Any, family: Family) -> Recipe:
    """Both towers share one module, and its methods project; the other tower's tensors do not count."""
    image = family.modality == "image"
    recipe = family.recipe(config_of(module.config, family), True)
    method = "get_image_features" if image else "get_text_features"
    if not hasattr(module, method):
        raise EncoderError(f"{type(module).__name__} has no {method}", remedy="give the CLIPModel itself")
    return replace(
        recipe,
        method=method,
        head=output_named("pooler_output"),
        config_part="vision_config" if image else "text_config",
        counted=("vision_model.", "visual_projection.") if image else ("text_model.", "text_projection."),
        inert=NEVER_READ,
    )
