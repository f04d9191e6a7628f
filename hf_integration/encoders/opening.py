"""Open an encoder: from a folder, from a reference, or around a module in memory."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from hf_integration.encoders import loading
from hf_integration.encoders.assembly import Assembly, Origin
from hf_integration.encoders.audio import AudioPreparation
from hf_integration.encoders.families import Family, choose_family, config_of
from hf_integration.encoders.folder import EncoderFolder, inspect_folder, require_support
from hf_integration.encoders.image import ImagePreparation
from hf_integration.encoders.interface import UNUSED_TENSORS, Encoder
from hf_integration.encoders.modules_in_memory import find_processor, find_tower
from hf_integration.encoders.preparation import Preparation
from hf_integration.encoders.recipe import POOLER, Recipe
from hf_integration.encoders.sentence_modules import SentenceModules
from hf_integration.encoders.tail_modules import Normalize
from hf_integration.encoders.text import TextPreparation, longest_text
from hf_integration.encoders.text_recipes import sentence_recipe
from hf_integration.encoders.tokenizer_behaviour import shipped_tokenizer
from hf_integration.encoders.torch_encoder import TorchEncoder
from hf_integration.errors import EncoderError
from hf_integration.key_samples.interface import Modality
from hf_integration.snapshot import (
    encoder_files,
    local_names,
    not_covered_among,
    read_module_folders,
    resolve,
)


def load_encoder(
    reference: str,
    *,
    revision: str | None = None,
    device: str | None = None,
    token: str | None = None,
    cache_dir: str | Path | None = None,
    modality: Modality | None = None,
    preferred: Modality | None = None,
) -> Encoder:
    """Load an encoder from a local folder or the Hub.

    Args:
        reference: a folder that exists, else a Hub repo id.
        revision: branch, tag or commit of a repo.
        device: ``cpu``, ``cuda``, ``cuda:1``; by default the accelerator if there is one.
        token: Hub token.
        cache_dir: Hub cache.
        modality: which tower of a model with two; by default the image tower.
        preferred: which one by default, if it is there: the modality of the card that is to be checked with.

    Raises:
        EncoderError: nothing there that can be loaded as an encoder.
        InconclusiveError: the Hub could not be asked.
        UsageError: an unknown device, or a revision of a folder.
    """
    snapshot = resolve(
        reference,
        revision=revision,
        token=token,
        cache_dir=cache_dir,
        refuse=lambda path: require_support(path, modality),
    )
    return open_encoder(
        snapshot.path,
        name=reference,
        commit=snapshot.commit,
        device=device,
        modality=modality,
        preferred=preferred,
        not_covered=None if snapshot.repo is None else snapshot.not_covered,
    )


def open_encoder(
    folder: Path,
    *,
    name: str,
    commit: str | None = None,
    device: str | None = None,
    modality: Modality | None = None,
    preferred: Modality | None = None,
    not_covered: Sequence[str] | None = None,
) -> Encoder:
    """Load the encoder in a folder.

    Args:
        folder: a transformers or sentence-transformers folder with safetensors weights.
        name: what the caller calls it.
        commit: the Hub commit it came from.
        device: see :func:`load_encoder`.
        modality: see :func:`load_encoder`.
        preferred: see :func:`load_encoder`.
        not_covered: files that hold code or weights beside the encoder; by default they are looked for in the
            folder.

    Raises:
        EncoderError: the folder is refused, with the reason.
        UsageError: an unknown device.
    """
    from hf_integration.encoders.devices import choose_device

    target = choose_device(device)
    found = inspect_folder(Path(folder), modality, preferred=preferred)
    config, family = found.configuration, found.family
    found.require_processor(family.modality)
    processor = _load_processor(found, family.modality)
    recipe = family.recipe(config_of(config, family), True)
    if found.sentence is not None:
        recipe = sentence_recipe(config, found.sentence.modes)
    module, missing, unexpected = loading.load_module(
        found.model, family.class_name, dtype=found.dtype, optional=(*recipe.inert, POOLER)
    )
    if any(name.startswith("pooler.") for name in missing):
        recipe = _without_pooler(module, family, config, recipe)
    if family.part:
        module = module.get_submodule(family.part)
    assembly = Assembly(module, _tail(found.sentence)).to(target).eval()
    details = {UNUSED_TENSORS: str(len(unexpected)), "missing tensors": ", ".join(missing)}
    origin = Origin(
        name,
        found.model_type,
        path=Path(folder),
        commit=commit,
        behaviour={
            **(shipped_tokenizer(found.model) if family.modality == "text" else {}),
            **(found.sentence.behaviour if found.sentence else {}),
        },
        details={key: value for key, value in details.items() if value not in ("", "0")},
        not_covered=_beside(Path(folder)) if not_covered is None else tuple(not_covered),
    )
    encoder = TorchEncoder(assembly, _preparation(processor, module, family, found.sentence), recipe, origin)
    encoder.behaviour()  # a large vocabulary is condensed here, while loading, and not in every check
    return encoder


def wrap_module(
    module: Any,
    processor: Any,
    *,
    name: str = "module in memory",
    modality: Modality | None = None,
    preferred: Modality | None = None,
) -> Encoder:
    """Make an encoder of a transformers model in memory and its processor, pooled as its family is.

    The model itself runs, with its hooks and patches; nothing is copied. A model with a task head is
    reduced to the model below it.

    Args:
        module: a transformers model.
        processor: its tokenizer, image processor, feature extractor, or a processor that holds one.
        name: what to call it.
        modality: see :func:`load_encoder`.
        preferred: see :func:`load_encoder`.

    Raises:
        EncoderError: no transformers model, an unsupported one, or a processor of another kind.
    """
    config: Any = getattr(module, "config", None)
    if not isinstance(module, nn.Module) or not hasattr(config, "model_type"):
        raise EncoderError(
            f"{type(module).__name__} is not a transformers model", remedy="give a PreTrainedModel"
        )
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
    origin = Origin(name, str(config.model_type))
    return TorchEncoder(Assembly(tower, {}), _preparation(part, tower, family), recipe, origin)


def _beside(folder: Path) -> tuple[str, ...]:
    names = local_names(folder)
    return not_covered_among(names, encoder_files(names, read_module_folders(folder)))


def _without_pooler(module: nn.Module, family: Family, config: Any, recipe: Recipe) -> Recipe:
    """Drop a pooler that the weights lack: the library made a random one, on every load another."""
    if isinstance(getattr(module, "pooler", None), nn.Module):
        module.register_module("pooler", None)
    return recipe if POOLER in recipe.inert else family.recipe(config_of(config, family), False)


def _load_processor(found: EncoderFolder, modality: Modality) -> Any:
    if modality == "text":
        return loading.load_tokenizer(found.model)
    if modality == "image":
        return loading.load_image_processor(found.model)
    return loading.load_feature_extractor(found.model)


def _preparation(
    processor: Any, module: nn.Module, family: Family, sentence: SentenceModules | None = None
) -> Preparation:
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


def _lower_case(tokenizer: Any) -> None:
    """Lower-case in front of the tokenizer's own normaliser, as sentence-transformers does."""
    from tokenizers import normalizers

    backend = tokenizer.backend_tokenizer
    steps = [normalizers.Lowercase()]
    if backend.normalizer is not None:
        steps.append(backend.normalizer)
    backend.normalizer = normalizers.Sequence(steps)


def _tail(sentence: SentenceModules | None) -> Mapping[str, nn.Module]:
    tail: dict[str, nn.Module] = {}
    for name, spec in (sentence.tail if sentence else {}).items():
        if spec is None:
            tail[name] = Normalize()
        else:
            dense = spec.build()
            loading.load_tail(spec.folder, dense)
            tail[name] = dense
    return tail
