"""sentence-transformers folders, read without that library: modules, pooling, prompt, text length.

A module that is not known here, or that is where it does something else, is refused rather than ignored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from hf_integration.base.errors import EncoderError
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import Modality
from hf_integration.encoders.files.json_values import condensed, read_json, relative_folder
from hf_integration.encoders.identity.behaviour import Behaviour
from hf_integration.encoders.modalities.model_settings import (
    FILE,
    LONGEST_PROMPT,
    ModelSettings,
    activation_of,
    read_settings,
    usual_activation,
)
from hf_integration.encoders.modalities.module_chain import Chain, Kind, order
from hf_integration.encoders.modalities.module_settings import MODES, SENTENCE, fixed, only
from hf_integration.encoders.modalities.module_types import MODELS, kind_of
from hf_integration.encoders.modalities.routes import ROUTER_FILE, Route, read_route
from hf_integration.encoders.modalities.tail_modules import Activate, ModuleSpec, Truncate
from hf_integration.encoders.modalities.transformer_settings import TransformerSettings, read_transformer

__all__ = ["LONGEST_PROMPT", "MODES", "SentenceModules", "read_cross_encoder", "read_sentence_modules"]

QUERIES = "texts whose task is named (encode_query, encode_document): its settings are compared, not run"
"""What is said of multi-vector encoders, which may give such texts another prefix, length or expansion."""


@dataclass(frozen=True)
class SentenceModules:
    """A sentence-transformers folder in the words of this package.

    Attributes:
        transformer: folder of the model.
        modes: pooling modes, concatenated in this order; none where nothing is pooled.
        tail: modules behind the pooling, by the name that their tensors begin with.
        max_seq_length: longest text in tokens, or ``None`` for the tokenizer's own.
        do_lower_case: whether texts are lower-cased before anything else.
        prompt: put before every text by default.
        include_prompt: whether the prompt's tokens are pooled.
        behaviour: all this, file by file.
        kind: how the encoder becomes one vector.
        before: modules between the model and the pooling.
        splade: activation and pooling of words, where the vector has one entry for each word.
        modalities: what it takes.
        not_run: what it takes as well, and that is not run here.
        not_run_modules: kind and folder of the modules that belong to that alone.
    """

    transformer: Path
    modes: tuple[str, ...]
    tail: Mapping[str, ModuleSpec]
    max_seq_length: int | None
    do_lower_case: bool
    prompt: str
    include_prompt: bool = True
    behaviour: Behaviour = field(default_factory=Behaviour)
    kind: Kind = "pooled"
    before: Mapping[str, ModuleSpec] = field(default_factory=dict)
    splade: tuple[str, str] = ("", "")
    modalities: tuple[Modality, ...] = ("text",)
    not_run: tuple[str, ...] = ()
    not_run_modules: tuple[tuple[str, Path], ...] = ()

    @property
    def specs(self) -> Mapping[str, ModuleSpec]:
        """All modules around the model, in order."""
        return {**self.before, **self.tail}


def read_sentence_modules(folder: Path) -> SentenceModules | None:
    """Read ``modules.json`` and what it names; ``None`` if the folder has none.

    Raises:
        EncoderError: an unknown module type or key, or damaged JSON.
    """
    where = folder / "modules.json"
    if not where.is_file():
        return None
    entries = read_json(where)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise EncoderError(f"{where}: not a list of modules")
    _check_entries(where, entries)
    parts = [
        (kind_of(where, entry.get("type")), relative_folder(folder, entry.get("path", ""), "modules.json"))
        for entry in entries
    ]
    if "Router" not in [kind for kind, _ in parts]:
        return _read_parts(folder, parts)
    if parts[0][0] != "Router":
        raise order(where, [kind for kind, _ in parts])
    return _read_routed(folder, parts[0][1], parts[1:])


def _read_routed(folder: Path, router: Path, behind: Sequence[tuple[str, Path]]) -> SentenceModules:
    """The modules that a text without a task goes through."""
    route = read_route(router)
    return by_route(_read_parts(folder, [*route.modules, *behind]), route)


def by_route(found: SentenceModules, route: Route) -> SentenceModules:
    """The modules of an encoder, with the route that they are."""
    said = {"route": route.name, "others": sorted(route.others)}
    not_run = (
        f"route '{quoted(name)}' of the Router: its files are compared, not run" for name in route.others
    )
    behaviour = found.behaviour | Behaviour({ROUTER_FILE: said})
    return replace(
        found, behaviour=behaviour, not_run=(*found.not_run, *not_run), not_run_modules=route.beside
    )


def _check_entries(path: Path, entries: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what makes the library leave a module out, or run it in another way than here."""
    for entry in entries:
        only(path, entry, {"idx", "name", "path", "type", "kwargs"})
        fixed(path, entry, {"kwargs": ([], None)})
    names = [str(entry.get("name")) for entry in entries]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise EncoderError(
            f"{path}: two modules have the name {twice[0]!r}, of which the library keeps one",
            remedy="use an intact copy of the encoder",
        )


def _read_parts(folder: Path, parts: Sequence[tuple[str, Path]]) -> SentenceModules:
    """The modules of a folder, each with its kind and its own folder."""
    where = folder / "modules.json"
    kinds = [kind for kind, _ in parts]
    settings = read_settings(folder)
    model = _read_model(where, parts, settings)
    chain = Chain(where, kinds, gives=model.gives, model_type=settings.model_type)
    for place, (kind, part) in enumerate(parts[1:], start=1):
        chain.add(place, kind, part)
    found = chain.end(model.task, hands_on_layers=model.hands_on_layers)
    tail = dict(chain.tail)
    files = {**chain.files, FILE: settings.behaviour}
    if model.of_tasks:
        files["sentence_bert_config.json"] = {key: condensed(value) for key, value in model.of_tasks.items()}
    if found == "scores":
        tail["activation"], said = _activation(parts[0][1], settings.activation)
        files[FILE] = {**settings.behaviour, **said}
    if settings.truncate_dim is not None:
        tail["truncate_dim"] = ModuleSpec(None, partial(Truncate, settings.truncate_dim))
    at_once = (f"samples of '{quoted(others)}' at once: they are not run" for others in model.others)
    return SentenceModules(
        parts[0][1],
        chain.modes,
        tail,
        model.max_seq_length,
        model.do_lower_case,
        settings.prompt,
        include_prompt=chain.include_prompt,
        behaviour=Behaviour(files),
        kind=found,
        before=chain.before,
        splade=chain.splade,
        modalities=model.modalities,
        not_run=(*((QUERIES,) if found == "tokens" else ()), *at_once),
    )


def _read_model(
    where: Path, parts: Sequence[tuple[str, Path]], settings: ModelSettings
) -> TransformerSettings:
    """The settings of the module that holds the model, which is the first."""
    kinds = [kind for kind, _ in parts]
    if kinds[:1] == ["StaticEmbedding"]:
        return TransformerSettings(methods={"text": ("forward", SENTENCE)}, gives=SENTENCE)
    if not kinds or kinds[0] not in MODELS:
        raise order(where, kinds)
    task = "sequence-classification" if settings.model_type == "CrossEncoder" else MODELS[kinds[0]]
    tasks = settings.model_type == "MultiVectorEncoder"
    return read_transformer(parts[0][1], task=task, towers=kinds[0] == "CLIPModel", tasks=tasks)


def _activation(model: Path, stated: str | None) -> tuple[ModuleSpec, Mapping[str, str]]:
    """What is applied to scores, and the same as a setting."""
    build = partial(Activate, stated or activation_of(model) or usual_activation(model))
    return ModuleSpec(None, build), {"activation_fn": str(build())}


def read_cross_encoder(folder: Path) -> SentenceModules | None:
    """A cross-encoder as versions before 6 wrote it: a transformers folder whose configuration names it.

    Returns:
        Its modules; ``None`` for any other folder.

    Raises:
        EncoderError: an activation that is not known.
    """
    if activation_of(folder) is None:
        return None
    activation, said = _activation(folder, None)
    none = {"default_prompt": "", "prompts": {}}
    behaviour = Behaviour({"modules.json": {"0": "Transformer"}, FILE: {**none, **said}})
    return SentenceModules(
        folder, (), {"activation": activation}, None, False, "", behaviour=behaviour, kind="scores"
    )
