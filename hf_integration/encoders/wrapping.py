"""Make an encoder of what is in memory: a transformers model, or a known container around one."""

import copy
from dataclasses import replace
from typing import Any

from torch import nn

from hf_integration.encoders.assembly import Assembly, Origin
from hf_integration.encoders.containers import Contents, of_its_own, open_container
from hf_integration.encoders.families import choose_family
from hf_integration.encoders.in_process import Finding
from hf_integration.encoders.interface import Encoder
from hf_integration.encoders.modules_in_memory import find_processor, find_tower
from hf_integration.encoders.preparing import lower_cases, pooled_recipe, preparation_of
from hf_integration.encoders.process_state import refuse_unreadable
from hf_integration.encoders.provenance import is_of_library
from hf_integration.encoders.recipe import Recipe
from hf_integration.encoders.sentence_objects import read_sentence_object
from hf_integration.encoders.torch_encoder import TorchEncoder
from hf_integration.errors import EncoderError
from hf_integration.key_samples.interface import Modality


def wrap_module(
    module: Any,
    processor: Any = None,
    *,
    name: str = "module in memory",
    modality: Modality | None = None,
    preferred: Modality | None = None,
) -> Encoder:
    """Make an encoder of a transformers model in memory and its processor, pooled the way its family is.

    The model itself runs, with its hooks and patches; nothing is copied. A model with a task head is
    reduced to the model below it. A ``SentenceTransformer`` keeps its own pooling, prompts and dense layers.

    Args:
        module: a transformers model, or a known container around one: see
            :mod:`hf_integration.encoders.containers`.
        processor: its tokenizer, image processor, feature extractor, or a processor that holds one;
            containers have their own.
        name: what to call it.
        modality: see :func:`hf_integration.load_encoder`.
        preferred: see :func:`hf_integration.load_encoder`.

    Raises:
        EncoderError: no transformers model, an unsupported one, or a processor of another kind.
    """
    contents = open_container(module, processor)
    module, processor = contents.module, contents.processor
    config: Any = getattr(module, "config", None)
    base = _model_of_transformers(module)
    if base is None or not hasattr(config, "model_type"):
        raise EncoderError(
            f"{type(module).__name__} is not a transformers model", remedy="give a PreTrainedModel"
        )
    if not is_of_library(type(module), "transformers"):
        remedy = "give the transformers model inside, or check its folder"
        raise of_its_own(type(module), base, remedy=remedy)
    refuse_unreadable(name, (*module.named_parameters(), *module.named_buffers()))
    family = choose_family(
        config,
        where=name,
        modality=modality,
        has_processor=lambda modality: find_processor(processor, modality) is not None,
        preferred=preferred,
    )
    part = find_processor(processor, family.modality)
    if part is None:
        raise EncoderError(
            f"{type(processor).__name__} prepares no {family.modality}, which {type(module).__name__} takes",
            remedy="give the model's own processor",
        )
    tower, recipe = find_tower(module, family)
    entrance, said = _compiled(contents, tower, recipe)
    around = (*contents.around, *([] if processor is part else [processor]))
    origin = Origin(name, str(config.model_type), outer=module, around=around, entrance=entrance, said=said)
    if contents.sentence is None:
        return TorchEncoder(Assembly(tower, {}), preparation_of(part, tower, family), recipe, origin)
    sentence, tail = read_sentence_object(contents.sentence)
    if sentence.do_lower_case and not lower_cases(part):
        part = copy.deepcopy(part)  # the caller's own stays as it is, and is looked at in what is around
    origin = replace(origin, behaviour=sentence.behaviour)
    preparation = preparation_of(part, tower, family, sentence)
    return TorchEncoder(
        Assembly(tower, tail), preparation, pooled_recipe(config, sentence, preparation), origin
    )


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
