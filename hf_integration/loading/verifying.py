"""Whether a folder, and the model that a library made of it, are the encoder of a card: by digests alone.

Stricter than a check: whatever a card has no digest or record of is refused, and no difference is excused by
what is in effect all the same. Where that is too strict, ``sslauth verify`` says what is harmless.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_integration.base.errors import EncoderError, IntegrityError
from hf_integration.base.text import listed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from hf_integration.card import WatermarkCard
    from hf_integration.encoders.files.folder import EncoderFolder

MOST_NAMES = 3


def verified_folder(folder: Path, card: "WatermarkCard") -> "EncoderFolder":
    """Hold the files of a folder against a card.

    What they say, key by key; the names of all tensors; and the values of those that a model without a task's
    head does not have.

    Args:
        folder: of the encoder.
        card: its card.

    Raises:
        IntegrityError: they are not those of the card.
        EncoderError: the folder holds no encoder, or is refused as one.
    """
    from hf_integration.encoders.files.folder_files import files_of

    files = files_of(folder)
    state = (folder, card.digest, files.names, *(_content(folder / name) for name in files.used))
    found, whole = COMPARED.get(state, (None, ()))
    if found is None or whole != _whole(found, files.used):
        found = _compared(folder, files.used, card)
        if len(COMPARED) < MOST_KEPT:
            COMPARED[state] = found, _whole(found, files.used)
    _refuse(folder, "tensors of the weight files differ from the card's", _changed_in_files(found, card))
    return found


MOST_KEPT = 64
COMPARED: "dict[tuple[object, ...], tuple[EncoderFolder, tuple[str, ...]]]" = {}
"""Folders whose files were compared, by every byte: a vocabulary is hashed sooner than it is read."""


def _whole(found: "EncoderFolder", used: Iterable[str]) -> tuple[str, ...]:
    """Digests of weight files that are compared as a whole: those of a Router's other routes."""
    from hf_integration.encoders.opening import files_by_tensor

    others = [name for name in used if name.endswith(".safetensors") and name not in files_by_tensor(found)]
    digests = []
    for name in others:
        with (found.path / name).open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return tuple(digests)


def _content(path: Path) -> str:
    """Digest of a file, or of what a weight file says about itself: its tensors are compared one by one."""
    with path.open("rb") as stream:
        if path.suffix != ".safetensors":
            return hashlib.file_digest(stream, "sha256").hexdigest()
        from hf_integration.encoders.files.safetensors_files import read_header

        read_header(path)  # refuses a length that no header has
        start = stream.read(8)
        return hashlib.sha256(start + stream.read(int.from_bytes(start, "little"))).hexdigest()


def _compared(folder: Path, used: Iterable[str], card: "WatermarkCard") -> "EncoderFolder":
    """Compare what files say, key by key, and which tensors they hold."""
    from hf_integration.encoders.files.folder import inspect_folder
    from hf_integration.encoders.files.safetensors_files import read_header, weight_files
    from hf_integration.encoders.identity.behaviour import Behaviour
    from hf_integration.encoders.identity.folder_comparison import compare_folders
    from hf_integration.encoders.identity.folder_record import FolderRecord
    from hf_integration.encoders.identity.other_routes import of_other_routes
    from hf_integration.encoders.opening import recorded_files

    found = inspect_folder(folder, card.encoder.modality)
    dtype = str(found.dtype).removeprefix("torch.")
    now = FolderRecord(recorded_files(found, used), dtype=dtype)
    run = found.sentence.behaviour if found.sentence else Behaviour()
    apart = of_other_routes((card.folder, card.behaviour), (now, run))
    compared = compare_folders(card.folder, now, same=lambda _: False, apart=apart)
    missing = [f"{file}: missing" for file in card.folder.files if file not in now.files]
    _refuse(folder, "files differ from the card's", [*compared.changed, *missing])
    names = {name for file in weight_files(found.model) for name in read_header(file).dtypes}
    others = names.symmetric_difference({*card.stored, *card.outside.get("stored", ())})
    _refuse(folder, "tensors of the weight files are not the card's", sorted(others))
    return found


def _changed_in_files(found: "EncoderFolder", card: "WatermarkCard") -> list[str]:
    """Tensors of the files that differ, of those that a transformers model without a head does not hold."""
    from hf_integration.encoders.files.safetensors_files import weight_files

    digests = _digests_in_files(weight_files(found.model), card.outside.get("stored", ()))
    recorded = card.outside.values()
    changed = [name for name, digest in digests if digest not in {known.get(name) for known in recorded}]
    return changed + _changed_among(_tail_tensors(found), card)


def _digests_in_files(files: Iterable[Path], wanted: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    from safetensors import safe_open

    from hf_integration.encoders.identity.tensor_digests import digest_tensors

    names = frozenset(wanted)
    for file in files if names else ():
        with safe_open(file, framework="pt") as opened:
            for name in names.intersection(opened.keys()):
                yield name, digest_tensors({name: opened.get_tensor(name)})[name]


def _tail_tensors(found: "EncoderFolder") -> "Mapping[str, Tensor]":
    """Of the modules around the model, which other loaders than transformers read."""
    from torch import nn

    from hf_integration.encoders.opening import modules_of
    from hf_integration.encoders.running.precision_copy import state_tensors

    specs = found.sentence.specs if found.sentence else {}
    return dict(state_tensors(nn.ModuleDict(dict(modules_of(specs)))))


def verify_model(model: "nn.Module", found: "EncoderFolder", card: "WatermarkCard") -> None:
    """Hold the tensors of a model in memory against a card.

    Args:
        model: what transformers made of the folder, with or without a task's head.
        found: the folder.
        card: its card.

    Raises:
        IntegrityError: a tensor is not the card's, be it by one bit.
        EncoderError: a model of another kind, or tensors that are not in memory.
    """
    from hf_integration.encoders.identity.process_state import refuse_unreadable
    from hf_integration.encoders.identity.tensor_digests import off_count
    from hf_integration.encoders.modalities.preparing import choose_family
    from hf_integration.encoders.modalities.recipes import NEVER_READ, POOLER
    from hf_integration.encoders.modalities.sentence_recipes import recipe_of_modules, sentence_family
    from hf_integration.encoders.running.precision_copy import state_tensors
    from hf_integration.encoders.wrapping import find_tower

    config: Any = model.config
    where = str(found.path)
    refuse_unreadable(where, (*model.named_parameters(), *model.named_buffers()))
    family = choose_family(
        config,
        where=where,
        modality=card.encoder.modality,
        has_processor=lambda _: True,
        saved=type(model).__name__,
    )
    if found.sentence is not None:
        family = sentence_family(found.sentence, family, where=where)
    tower, recipe = find_tower(model, family)
    if card.encoder.chosen_pooling == "pooler":
        recipe = replace(recipe, inert=NEVER_READ)
    if found.sentence is not None:
        recipe = recipe_of_modules(found.sentence, config, recipe)
    every = dict(state_tensors(tower))
    stored = card.digests["stored"]
    used = {name: tensor for name, tensor in every.items() if recipe.counts(name)}
    # a pooler that no file holds is random at every load, and no embedding of this card is made of it
    used = {name: tensor for name, tensor in used.items() if name in stored or not _matches(POOLER, name)}
    if not used:
        raise EncoderError(f"{where}: {type(model).__name__} holds none of the card's tensors")
    changed = _changed_among({**used, **off_count(tower)}, card)
    changed += _changed_outside(model, {id(tensor) for tensor in used.values()}, card)
    _refuse(found.path, f"tensors that {type(model).__name__} loaded differ from the card's", changed)


def _matches(pattern: str, name: str) -> bool:
    import re

    return re.search(pattern, name) is not None


def _changed_among(tensors: "Mapping[str, Tensor]", card: "WatermarkCard") -> list[str]:
    """Names of tensors that are none of the card's, neither as stored nor in a rounding that it recorded."""
    from hf_integration.encoders.identity.tensor_digests import digest_tensors

    found = digest_tensors({name: tensor.detach() for name, tensor in tensors.items()})
    recorded = card.digests.values()
    return [name for name, digest in found.items() if digest not in {known.get(name) for known in recorded}]


def _changed_outside(model: "nn.Module", used: set[int], card: "WatermarkCard") -> list[str]:
    """Tensors of a head or another tower whose name the card knows, and whose values it does not."""
    from hf_integration.encoders.identity.stored_tensors import same_name
    from hf_integration.encoders.identity.tensor_digests import digest_tensors
    from hf_integration.encoders.running.precision_copy import state_tensors

    outside = card.outside
    known: dict[str, set[bytes]] = {}
    live: dict[str, Tensor] = {}
    for name, tensor in state_tensors(model):
        names = [other for other in outside.get("stored", ()) if same_name(name, other)]
        if id(tensor) not in used and names:
            live[name] = tensor.detach()
            known[name] = {
                digests[other] for digests in outside.values() for other in names if other in digests
            }
    return [name for name, digest in digest_tensors(live).items() if digest not in known[name]]


def _refuse(folder: Path, what: str, changed: list[str]) -> None:
    if changed:
        shown = listed(changed, MOST_NAMES)
        raise IntegrityError(f"{folder}: {what}: {shown}", remedy="`sslauth verify` tells more")
