"""Open an encoder from a folder, or from a reference to one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hf_integration.base.vocabulary import Modality
from hf_integration.encoders.files import loading
from hf_integration.encoders.files.folder import EncoderFolder, inspect_folder, require_support
from hf_integration.encoders.files.folder_files import FolderFiles, files_of
from hf_integration.encoders.files.safetensors_files import weight_files
from hf_integration.encoders.files.static_files import load_static, load_static_tokenizer
from hf_integration.encoders.files.support import check_size
from hf_integration.encoders.identity.behaviour import Behaviour, pipeline_as_saved
from hf_integration.encoders.identity.folder_record import FolderRecord, Keys, read_files
from hf_integration.encoders.identity.in_effect import (
    LONGEST_TEXT,
    configuration_in_effect,
    processor_in_effect,
    tokenizer_in_effect,
)
from hf_integration.encoders.identity.stored_tensors import stored_tensors
from hf_integration.encoders.interface import CHOSEN_POOLING, Encoder, EncoderDescription, tower_and_pooling
from hf_integration.encoders.modalities.families import Family
from hf_integration.encoders.modalities.pipeline_growth import check_growth, text_steps
from hf_integration.encoders.modalities.preparing import (
    checked_pooling,
    config_of,
    pooled_recipe,
    preparation_of,
)
from hf_integration.encoders.modalities.recipes import NEVER_READ, POOLER, Recipe
from hf_integration.encoders.modalities.sentence_modules import SentenceModules
from hf_integration.encoders.modalities.sentence_recipes import recipe_of_modules
from hf_integration.encoders.modalities.static import STATIC, StaticPreparation, static_recipe
from hf_integration.encoders.modalities.tail_modules import ModuleSpec
from hf_integration.encoders.modalities.text import TextPreparation
from hf_integration.encoders.running import precision_copy
from hf_integration.encoders.running.assembly import Assembly, Origin
from hf_integration.encoders.running.head import head_of_folder, is_with_head
from hf_integration.encoders.running.one_sample import observed
from hf_integration.encoders.running.precision_copy import ComputedBuffers
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.snapshot import MOST_LOOKED_AT, not_covered_among, resolve


def load_encoder(
    reference: str,
    *,
    name: str | None = None,
    revision: str | None = None,
    device: str | None = None,
    token: str | None = None,
    cache_dir: str | Path | None = None,
    modality: Modality | None = None,
    preferred: EncoderDescription | Modality | None = None,
    pooling: str | None = None,
) -> Encoder:
    """Load an encoder from a local folder or the Hub.

    Args:
        reference: a folder that exists, else a Hub repo id.
        name: what verdicts call it, if not that.
        revision: branch, tag or commit of a repo.
        device: ``cpu``, ``cuda``, ``cuda:1``; by default the accelerator if there is one.
        token: Hub token.
        cache_dir: Hub cache.
        modality: which tower of a model with two; by default the image tower.
        preferred: what is taken by default, if it is there: tower and pooling of the card to check with.
        pooling: how its states become one embedding, instead of the library's own way: a name in
            :data:`~hf_integration.base.vocabulary.POOLINGS`.

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
        name=name or reference,
        repo=snapshot.repo,
        commit=snapshot.commit,
        device=device,
        modality=modality,
        preferred=preferred,
        pooling=pooling,
        not_covered=None if snapshot.repo is None else snapshot.not_covered,
    )


def open_encoder(
    folder: Path,
    *,
    name: str,
    repo: str | None = None,
    commit: str | None = None,
    device: str | None = None,
    modality: Modality | None = None,
    preferred: EncoderDescription | Modality | None = None,
    pooling: str | None = None,
    not_covered: Sequence[str] | None = None,
) -> Encoder:
    """Load the encoder in a folder.

    Args:
        folder: a transformers or sentence-transformers folder with safetensors weights.
        name: what the caller calls it.
        repo: the Hub repository it came from.
        commit: the Hub commit it came from.
        device: see :func:`load_encoder`.
        modality: see :func:`load_encoder`.
        preferred: see :func:`load_encoder`.
        pooling: see :func:`load_encoder`.
        not_covered: files that hold code or weights beside the encoder; by default they are looked for in the
            folder.

    Raises:
        EncoderError: the folder is refused, with the reason.
        UsageError: an unknown device.
    """
    from hf_integration.encoders.running.devices import choose_device

    folder, target = Path(folder), choose_device(device)
    files = files_of(folder)
    tower, pooled = tower_and_pooling(preferred)
    found = inspect_folder(folder, modality, preferred=tower)
    config, family = found.configuration, found.family
    # what a card records cannot be held against an encoder that has a pooling of its own by now
    pooled = checked_pooling(
        pooling or (None if found.sentence else pooled),
        family,
        where=str(folder),
        sentence=found.sentence is not None,
    )
    found.require_processor(family.modality)
    if found.sentence is not None and family is STATIC:
        return _open_static(found, found.sentence, files, target, name, repo, commit, not_covered)
    processor = _load_processor(found, family.modality)
    recipe = family.recipe(config_of(config, family), True)
    if found.sentence is not None:
        recipe = recipe_of_modules(found.sentence, config, recipe)
    check_size(found.model, config, config_of(config, family), family.class_name, found.scalars)

    def load_in(dtype: torch.dtype) -> tuple[nn.Module, tuple[str, ...]]:
        return loading.load_module(
            found.model,
            family.class_name,
            dtype=dtype,
            optional=(*NEVER_READ, POOLER),
            settings=family.settings,
        )

    module, missing = load_in(found.dtype)
    if any(name.startswith("pooler.") for name in missing):
        recipe = _without_pooler(module, family, config, recipe)
    in_effect = _in_effect(config, module, processor, family.modality)
    whole = list(module.state_dict())
    module = module.get_submodule(family.part)

    def load(dtype: torch.dtype) -> nn.Module:
        return load_in(dtype)[0].get_submodule(family.part)

    loaded = dict(precision_copy.state_tensors(module))
    stored = stored_tensors(weight_files(found.model), loaded, whole=whole)
    if is_with_head(family.class_name):  # its files hold a head, although nothing but the class is in them
        stored = replace(stored, headless=False)
    preparation = preparation_of(processor, module, family, found.sentence)
    if isinstance(preparation, TextPreparation):
        in_effect["tokenizer_config.json"] |= {LONGEST_TEXT: preparation.max_length}
    before = modules_of(found.sentence.before) if found.sentence else {}
    head = None
    if found.sentence is None:
        head = head_of_folder(found.model, weight_files(found.model), config, family, recipe, module)
    assembly = Assembly(module, tail_of(found.sentence), before, head).to(target).eval()
    origin = Origin(
        name,
        found.model_type,
        path=folder,
        repo=repo,
        commit=commit,
        behaviour=found.sentence.behaviour if found.sentence else Behaviour(),
        details=({"missing tensors": ", ".join(missing)} if missing else {})
        | ({CHOSEN_POOLING: pooled} if pooled else {}),
        folder=_record(found, files, in_effect, not_covered),
        stored=stored,
        buffers=ComputedBuffers(module, found.dtype, load),
    )
    if found.sentence is not None:
        recipe = pooled_recipe(config, found.sentence, preparation, recipe)
    recipe = observed(recipe, assembly.model, preparation, where=str(found.model), pooling=pooled)
    encoder = TorchEncoder(assembly, preparation, recipe, origin)
    encoder.behaviour()  # a large vocabulary is condensed here, while loading, and not in every check
    return encoder


def _record(
    found: EncoderFolder, files: FolderFiles, in_effect: Mapping[str, Keys], not_covered: Sequence[str] | None
) -> FolderRecord:
    """What the folder says, and what lies in it and was not looked at."""
    beside = not_covered_among(files.names, files.used) if not_covered is None else tuple(not_covered)
    if not files.all_seen:
        beside = (*beside, f"everything behind the first {MOST_LOOKED_AT} files of the folder")
    beside = (*beside, *(found.sentence.not_run if found.sentence else ()))
    dtype = str(found.dtype).removeprefix("torch.")
    return FolderRecord(recorded_files(found, files.used), in_effect, dtype, beside)


def _open_static(
    found: EncoderFolder,
    sentence: SentenceModules,
    files: FolderFiles,
    target: torch.device,
    name: str,
    repo: str | None,
    commit: str | None,
    not_covered: Sequence[str] | None,
) -> Encoder:
    """An encoder that is a table of tokens, without a model of transformers."""
    tokenizer = load_static_tokenizer(found.model)
    check_growth(found.model, text_steps(tokenizer))
    module = load_static(found.model)
    whole = dict(module.state_dict())
    preparation = StaticPreparation(tokenizer, module, prompt=sentence.prompt)
    origin = Origin(
        name,
        found.model_type,
        path=found.path,
        repo=repo,
        commit=commit,
        behaviour=sentence.behaviour,
        folder=_record(found, files, {"tokenizer.json": pipeline_as_saved(tokenizer)}, not_covered),
        stored=stored_tensors(weight_files(found.model), whole, whole=whole),
    )
    assembly = Assembly(module, tail_of(sentence)).to(target).eval()
    encoder = TorchEncoder(assembly, preparation, static_recipe(module.config), origin)
    encoder.behaviour()  # see open_encoder
    return encoder


def recorded_files(found: EncoderFolder, used: Iterable[str]) -> dict[str, Keys]:
    """What the files of a folder say, but for the weights whose tensors have digests of their own.

    Args:
        found: the folder.
        used: the files of it that belong to the encoder.
    """
    model = _below(found.model, found.path)
    return read_files(found.path, used, model=model, digested=files_by_tensor(found))


def files_by_tensor(found: EncoderFolder) -> frozenset[str]:
    """The weight files of a folder whose tensors have digests of their own; others are compared whole."""
    specs = (found.sentence.specs if found.sentence else {}).values()
    parts = (found.model, *(spec.folder for spec in specs if spec.folder))
    return frozenset(_below(file, found.path) for part in parts for file in weight_files(part))


def _in_effect(config: Any, module: Any, processor: Any, modality: Modality) -> dict[str, dict[str, Any]]:
    """What the library would write for what it loaded; before lower-casing is put in front of a tokenizer."""
    if modality == "text":
        found = tokenizer_in_effect(processor, pipeline=pipeline_as_saved(processor))
    else:
        part = "image_processor" if modality == "image" else "feature_extractor"
        found = processor_in_effect(processor, part=part)
    found |= configuration_in_effect(config, module)
    return {file: dict(keys) for file, keys in found.items()}


def _below(path: Path, folder: Path) -> str:
    """A path within the encoder's folder; empty where it is the folder itself."""
    within = path.relative_to(folder).as_posix()
    return "" if within == "." else within


def _without_pooler(module: nn.Module, family: Family, config: Any, recipe: Recipe) -> Recipe:
    """Drop a pooler that the weights lack: the library made a random one, on every load another."""
    if isinstance(getattr(module, "pooler", None), nn.Module):
        module.register_module("pooler", None)
    return recipe if POOLER in recipe.inert else family.recipe(config_of(config, family), False)


def _load_processor(found: EncoderFolder, modality: Modality) -> Any:
    if modality == "text":
        tokenizer = loading.load_tokenizer(found.model)
        check_growth(found.model, text_steps(tokenizer))  # also of what was made of a file in another format
        return tokenizer
    if modality == "image":
        return loading.load_image_processor(found.model)
    return loading.load_feature_extractor(found.model)


def tail_of(sentence: SentenceModules | None) -> Mapping[str, nn.Module]:
    """The modules behind the pooling, with their weights, by name."""
    return modules_of(sentence.tail if sentence else {})


def modules_of(specs: Mapping[str, ModuleSpec]) -> Mapping[str, nn.Module]:
    """Modules around a model, with their weights, by name."""
    built: dict[str, nn.Module] = {}
    for name, spec in specs.items():
        if spec.folder is None:
            built[name] = spec.build()
            continue
        with torch.device("meta"):  # its sizes are a claim until the weights have been found to fit
            module = spec.build()
        loading.load_tail(spec.folder, module)
        built[name] = module
    return built
