"""Which files of a repository or folder make the encoder, and which could act without being looked at."""

import json
import os
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from hf_integration.errors import EncoderError
from hf_integration.snapshot.other_formats import ENDINGS

BEHAVIOUR_FILES: tuple[str, ...] = (
    "*.json",
    "*.txt",
    "*.model",
    "*.jinja",
    "*.codes",
    "*.spm",
    "*.bpe",
    "*.tiktoken",
    "*.tokenizer",
)
"""Configurations, tokenizers, processors: what is read beside weights."""

WEIGHTS = "model.safetensors"
SHARDS = "model-*-of-*.safetensors"
"""What transformers looks for, in this order, and calls what it writes."""

MODULES = "modules.json"
"""Where a sentence-transformers folder names the folders that belong to it."""

MOST_MODULES = 1 << 20
"""Bytes of that file; a module takes a hundred."""

CHAT_TEMPLATES = "additional_chat_templates"
"""A folder that tokenizers read without being told of it."""

_CODE = (".py", ".ipynb", ".sh", ".so", ".dll", ".pyd")
_ACTING = frozenset((*_CODE, *ENDINGS))
"""Endings of code and of weights in other formats: another program may load them in the encoder's name."""

_ACTING_NAMES = frozenset({"adapter_config.json"})

_KEPT_BY_TOOLS = frozenset({".git", ".cache/huggingface"})

MOST_LOOKED_AT = 20_000
"""Files of a local folder among which such are looked for."""


def module_folders(modules: bytes | None) -> frozenset[str]:
    """Folders that make an encoder: the root, and those that its ``modules.json`` names.

    Args:
        modules: content of that file, if there is one. What is wrong with it is said when it is read for
            good; here it names no folders then.

    Raises:
        EncoderError: it is so large that it cannot be a list of modules.
    """
    folders = {""}
    if modules and len(modules) > MOST_MODULES:
        raise EncoderError(
            f"{MODULES}: {len(modules)} bytes, more than {MOST_MODULES}", remedy="no genuine one is so large"
        )
    try:
        entries = json.loads(modules) if modules else []
    except (ValueError, RecursionError):
        entries = []
    for entry in entries if isinstance(entries, list) else []:
        path = entry.get("path") if isinstance(entry, dict) else None
        if isinstance(path, str) and ".." not in PurePosixPath(path).parts:
            inner = PurePosixPath(path.lstrip("/")).as_posix()
            folders.add("" if inner == "." else inner)
    return frozenset(folders)


def folders_read(folders: Iterable[str]) -> frozenset[str]:
    """The folders that loaders look into: those of an encoder, and of chat templates beside its tokenizer.

    Args:
        folders: folders that belong to the encoder, ``""`` for the root.
    """
    return frozenset(
        below for folder in folders for below in (folder, f"{folder}/{CHAT_TEMPLATES}".lstrip("/"))
    )


def encoder_files(names: Sequence[str], folders: Collection[str]) -> tuple[str, ...]:
    """Choose the files of a repository that an encoder is loaded from: weights as safetensors, no code.

    Args:
        names: all files of the repository.
        folders: folders that belong to the encoder, ``""`` for the root.

    Returns:
        Names in the order of the listing; of several sets of weights in a folder only the one that is loaded.
    """
    known, read = set(names), folders_read(folders)
    return tuple(name for name in names if _belongs(name, known, read))


def not_covered_among(names: Iterable[str], used: Collection[str]) -> tuple[str, ...]:
    """Files that hold code or weights and are not looked at: what loads them is not covered by a verdict.

    Args:
        names: all files, and links to folders, behind which anything may lie, as ``NAME/``.
        used: those that the encoder was loaded from.
    """
    return tuple(
        sorted(
            name
            for name in names
            if name not in used
            and _may_act(name)
            and PurePosixPath(name).parts[0] != "sslauth"  # a card holds nothing that acts
        )
    )


def _may_act(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in _ACTING or path.name in _ACTING_NAMES or name.endswith("/")


def local_names(folder: Path) -> tuple[str, ...]:
    """Names of the files below a folder, and of links to folders, which are not followed, as ``NAME/``.

    What git and the Hub's client keep for themselves at its root is left aside.
    """
    names: list[str] = []
    for root, folders, files in os.walk(folder):
        here = Path(root).relative_to(folder)
        folders[:] = sorted(name for name in folders if (here / name).as_posix() not in _KEPT_BY_TOOLS)
        links = (f"{name}/" for name in folders if Path(root, name).is_symlink())
        names += [f"{here.as_posix()}/{name}".removeprefix("./") for name in (*sorted(files), *links)]
        if len(names) > MOST_LOOKED_AT:
            break
    return tuple(names[:MOST_LOOKED_AT])


def _belongs(name: str, known: set[str], folders: Collection[str]) -> bool:
    folder, _, file = name.rpartition("/")
    if folder not in folders:
        return False
    if not file.endswith(".safetensors"):
        return any(fnmatchcase(file, pattern) for pattern in BEHAVIOUR_FILES)
    whole = f"{folder}/{WEIGHTS}" if folder else WEIGHTS
    return name == whole if whole in known else fnmatchcase(file, SHARDS)
