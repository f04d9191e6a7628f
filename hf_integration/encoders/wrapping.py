"""Make an encoder of what is in memory: a transformers model, or a known container around one."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from hf_integration.base.errors import EncoderError
from hf_integration.base.text import harmless
from hf_integration.base.vocabulary import Modality
from hf_integration.encoders.containers import Contents, of_its_own, open_container
from hf_integration.encoders.identity.in_process import Finding
from hf_integration.encoders.identity.process_state import refuse_unreadable
from hf_integration.encoders.identity.provenance import is_of_library
from hf_integration.encoders.interface import CHOSEN_POOLING, Encoder, EncoderDescription, tower_and_pooling
from hf_integration.encoders.modalities.families import Family
from hf_integration.encoders.modalities.preparing import (
    checked_pooling,
    choose_family,
    config_of,
    lower_cases,
    pooled_recipe,
    preparation_of,
)
from hf_integration.encoders.modalities.recipes import NEVER_READ, Recipe, output_named
from hf_integration.encoders.modalities.sentence_recipes import sentence_family
from hf_integration.encoders.modalities.static import (
    StaticModel,
    StaticPreparation,
    static_recipe,
    tokenizer_of,
)
from hf_integration.encoders.running.assembly import Assembly, Origin
from hf_integration.encoders.running.head import head_in_memory
from hf_integration.encoders.running.one_sample import observed
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.encoders.sentence_objects import read_sentence_object
from hf_integration.encoders.sentence_parts import first_of


def wrap_module(
    module: Any,
    processor: Any = None,
    *,
    name: str | None = None,
    modality: Modality | None = None,
    preferred: EncoderDescription | Modality | None = None,
    pooling: str | None = None,
) -> Encoder:
    """Make an encoder of a transformers model in memory and its processor, pooled the way its family is.

    The model itself runs, with its hooks and patches; nothing is copied. A model with a task head is
    reduced to the model below it. A ``SentenceTransformer`` keeps its own pooling, prompts and dense layers.

    Args:
        module: a transformers model, or a known container around one: see
            :mod:`hf_integration.encoders.containers`.
        processor: its tokenizer, image processor, feature extractor, or a processor that holds one;
            containers have their own.
        name: what to call it; by default as of :func:`name_in_memory`.
        modality: see :func:`hf_integration.load_encoder`.
        preferred: see :func:`hf_integration.load_encoder`.
        pooling: see :func:`hf_integration.load_encoder`.

    Raises:
        EncoderError: no transformers model, an unsupported one, or a processor of another kind.
    """
    contents = open_container(module, processor)
    name = name_in_memory(module, contents.module) if name is None else name
    module, processor = contents.module, contents.processor
    if isinstance(module, StaticModel):
        return _wrap_static(contents, module, name)
    config: Any = getattr(module, "config", None)
    base = _model_of_transformers(module)
    if base is None or not hasattr(config, "model_type"):
        remedy = "give a PreTrainedModel"
        if type(module).__module__.startswith("timm."):
            remedy = f"{remedy}: AutoModel loads the folders of timm, which can be checked themselves"
        raise EncoderError(f"{type(module).__name__} is not a transformers model", remedy=remedy)
    if not is_of_library(type(module), "transformers"):
        remedy = "give the transformers model inside, or check its folder"
        raise of_its_own(type(module), base, remedy=remedy)
    refuse_unreadable(name, (*module.named_parameters(), *module.named_buffers()))
    preferred, pooled = tower_and_pooling(preferred)
    family = choose_family(
        config,
        where=name,
        modality=modality,
        has_processor=lambda modality: find_processor(processor, modality) is not None,
        preferred=preferred,
        saved=type(module).__name__,
    )
    part = find_processor(processor, family.modality)
    if part is None:
        raise EncoderError(
            f"{type(processor).__name__} prepares no {family.modality}, which {type(module).__name__} takes",
            remedy="give the model's own processor",
        )
    found = None if contents.sentence is None else read_sentence_object(contents.sentence)
    if found is not None:
        family = sentence_family(found.read, family, where=name)
    tower, recipe = find_tower(module, family)
    entrance, said = _compiled(contents, tower, recipe)
    around = (*contents.around, *([] if processor is part else [processor]))
    sentences = found is not None
    pooled = checked_pooling(
        pooling or (None if sentences else pooled), family, where=name, sentence=sentences
    )
    origin = Origin(
        name,
        str(config.model_type),
        details={CHOSEN_POOLING: pooled} if pooled else {},
        outer=module,
        around=around,
        entrance=entrance,
        said=said,
    )
    if found is None:
        preparation = preparation_of(part, tower, family)
        recipe = observed(recipe, tower, preparation, where=name, pooling=pooled)
        head = None if entrance is not None else head_in_memory(module, tower, family, recipe)
        return TorchEncoder(Assembly(tower, {}, head=head), preparation, recipe, origin)
    sentence = found.read
    if sentence.do_lower_case and not lower_cases(part):
        part = copy.deepcopy(part)  # the caller's own stays as it is, and is looked at in what is around
    origin = replace(origin, behaviour=sentence.behaviour)
    preparation = preparation_of(part, tower, family, sentence)
    recipe = pooled_recipe(config, sentence, preparation, recipe)
    return TorchEncoder(Assembly(tower, found.tail, found.before), preparation, recipe, origin)


def _wrap_static(contents: Contents, module: StaticModel, name: str) -> Encoder:
    """An encoder of a table of tokens in memory."""
    found = read_sentence_object(contents.sentence)
    refuse_unreadable(name, module.named_parameters())
    tokenizer = tokenizer_of(first_of(contents.sentence).tokenizer)
    origin = Origin(
        name,
        module.config.model_type,
        behaviour=found.read.behaviour,
        around=contents.around,
        said=contents.said,
    )
    preparation = StaticPreparation(tokenizer, module, prompt=found.read.prompt)
    return TorchEncoder(Assembly(module, found.tail), preparation, static_recipe(module.config), origin)


LONGEST_SOURCE = 100
"""Characters of what a model says that it was loaded by: a name is one line."""


def name_in_memory(subject: object, module: object, *, state: str | None = None) -> str:
    """What an encoder is called that its caller gave no name: ``BertModel in memory (org/name, 3f2a91c0)``.

    What a model says that it was loaded by is a hint for people and proves nothing. It is harmless in a
    terminal. Two that say the same are told apart by what they hold, once that is known.

    Args:
        subject: what the caller holds.
        module: the transformers model in it.
        state: ``sha256:…`` of its tensors and its behaviour, as a verdict states it.
    """
    source = getattr(getattr(module, "config", None), "_name_or_path", None)
    source = source if isinstance(source, str) else ""
    if (place := Path(source)).is_absolute():
        source = place.name  # where it is on this machine is nobody's business
    known = [harmless(source, longest=LONGEST_SOURCE)] if source else []
    known += [] if state is None else [state.rpartition(":")[2][:8]]
    kind = harmless(type(subject).__name__, longest=LONGEST_SOURCE)
    return f"{kind} in memory" + (f" ({', '.join(known)})" if known else "")


def _model_of_transformers(module: Any) -> str | None:
    """The class of that library that it is of: another's forward may do anything with what it holds."""
    kinds = type(module).__mro__ if isinstance(module, nn.Module) else ()
    if not any(kind.__name__ == "PreTrainedModel" for kind in kinds):
        return None
    return next((kind.__name__ for kind in kinds if is_of_library(kind, "transformers")), None)


def _compiled(
    contents: Contents, tower: nn.Module, recipe: Recipe
) -> tuple[nn.Module | None, tuple[Finding, ...]]:
    """What runs the compiled code of the tower, and what is to be said of all containers."""
    compiled: Any = contents.compiled
    if compiled is None:
        return None, contents.said
    if compiled._orig_mod is tower and recipe.method == "forward":
        return compiled, (Finding("compiled by torch.compile"), *contents.said)
    below = Finding("compiled by torch.compile, and checked as it runs uncompiled")
    return None, (below, *contents.said)


_PARTS: dict[Modality, tuple[str, ...]] = {
    "text": ("tokenizer",),
    "image": ("image_processor",),
    "audio": ("feature_extractor",),
}
_MARKS: dict[Modality, tuple[str, ...]] = {
    "text": ("backend_tokenizer", "convert_tokens_to_ids"),
    "image": ("image_mean", "do_resize", "do_normalize", "val_transforms"),
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
    recipe = family.recipe(config_of(module.config, family), True)
    if recipe.method != "forward":
        tower = _below_head(module)
        if not hasattr(tower, recipe.method):
            name = type(module).__name__
            raise EncoderError(f"{name} has no {recipe.method}", remedy="give the whole model")
        return tower, recipe
    if family.part:  # a whole sequence-to-sequence model, or its encoder
        tower = module.get_encoder() if hasattr(module, "get_encoder") else module
    elif module.config.model_type in ("siglip", "siglip2"):
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
    if not hasattr(tower, "config"):  # timm's own model, classifier included
        raise EncoderError(
            f"{type(module).__name__} holds no encoder that runs by itself", remedy="load it by AutoModel"
        )
    pooler = not hasattr(tower, "pooler") or isinstance(tower.pooler, nn.Module)
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
