"""Which files of a repository or folder make the encoder, and which could act without being looked at."""

import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from hf_integration.base.errors import EncoderError
from hf_integration.base.vocabulary import CONVERSION_FILE

PICKLE = "pickle"
OTHER_NAME = "other name"

_PACKAGE = ".mlpackage"
"""A folder of Core ML, whose weights end in .bin."""

FORMATS: Mapping[str, tuple[str, ...]] = {
    # the first that fits a file; no pickle is what another format calls .bin
    OTHER_NAME: ("*.safetensors",),
    "OpenVINO": ("openvino_*.bin", "openvino_*.xml"),
    "GGUF": ("*.gguf", "*.ggml", "*.llamafile", "ggml-*.bin"),
    PICKLE: ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle", "*.joblib", "*.dill"),
    "TensorFlow": ("*.h5", "*.hdf5", "*.keras", "*.pb", "*.tflite"),
    "Flax": ("*.msgpack",),
    "ONNX": ("*.onnx", "*.onnx_data"),
    "Core ML": ("*.mlmodel", f"*{_PACKAGE}"),
    "rust-bert": ("*.ot",),
    "NumPy": ("*.npz", "*.npy"),
    "TensorRT": ("*.engine", "*.plan"),
    "ExecuTorch": ("*.pte",),
    "PyTorch export": ("*.pt2",),
}
"""Formats of weights on the Hub that are not loaded, and what their files are called."""

ENDINGS = frozenset(PurePosixPath(name).suffix for names in FORMATS.values() for name in names)

_ORDER = (OTHER_NAME, PICKLE, *FORMATS)
"""Which of several is named: the nearest to what would be loaded."""

_CTRANSLATE2 = "CTranslate2"
_LOADED = re.compile(r"^model(-.*-of-.*)?\.safetensors$")
_NO_WEIGHTS = re.compile(r"^(training_args|optimizer|scheduler|rng_state)[^/]*$")


def refuse_other_formats(names: Iterable[str], where: str, remedy: str) -> None:
    """Name what holds the weights, where no file does that can be loaded.

    Args:
        names: all files.
        where: what they belong to, for the message.
        remedy: what may be done about weights in another format.

    Raises:
        EncoderError: it is known what they are.
    """
    paths = [PurePosixPath(name) for name in names]
    if PurePosixPath("model_index.json") in paths:
        raise EncoderError(
            f"{where}: a diffusers pipeline (model_index.json), not an encoder",
            remedy="give a local folder of one of its encoders, such as text_encoder",
        )
    if any(len(path.parts) == 1 and _LOADED.match(path.name) for path in paths):
        return  # something else is amiss
    found = {path: kind for path in paths if (kind := _format(path, paths))}
    if not found:
        return
    # what transformers itself wrote, then what is nearest to the configuration: the rest are parts
    first = min(
        found,
        key=lambda path: (
            _ORDER.index(found[path]) if found[path] in _ORDER else len(_ORDER),
            not path.name.startswith("pytorch_model"),
            len(path.parts),
            path.suffix != ".bin",
            str(path),
        ),
    )
    kind, shown = found[first], str(first)[:80]
    if kind == OTHER_NAME:
        message = f"the weights are called {shown}, and loaders look for model.safetensors only"
    elif kind == PICKLE:
        message = f"only pickle weights ({shown}), which can run code when loaded"
        if fnmatchcase(first.name, PICKLED) or first.name == PICKLED_INDEX:
            remedy = "'sslauth convert' writes them so, and runs nothing of them"
    else:
        message = f"only weights in the format of {kind} ({shown}), which is not supported"
    raise EncoderError(f"{where}: {message}", remedy=f"safetensors only: {remedy}")


def _format(path: PurePosixPath, beside: list[PurePosixPath]) -> str:
    """The format of a file of weights; empty for any other file."""
    if _NO_WEIGHTS.match(path.name):
        return ""
    if any(parent.suffix == _PACKAGE for parent in path.parents):
        return "Core ML"
    kinds = (kind for kind, names in FORMATS.items() if any(fnmatchcase(path.name, name) for name in names))
    kind = next(kinds, "")
    if kind == OTHER_NAME and len(path.parts) > 1:
        return ""  # a part of its own, such as a layer behind the pooling
    if kind == PICKLE and path.suffix == ".bin":
        if path.with_suffix(".xml") in beside:
            return "OpenVINO"
        if path.name == "model.bin" and any(fnmatchcase(other.name, "*vocabulary.*") for other in beside):
            return _CTRANSLATE2
    return kind


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

PICKLED, PICKLED_INDEX = "pytorch_model*.bin", "pytorch_model.bin.index.json"
"""What transformers called weights when it wrote pickles, whole or in shards."""

MODULES = "modules.json"
"""Where a sentence-transformers folder names the folders that belong to it."""

MOST_MODULES = 1 << 20
"""Bytes of that file; a module takes a hundred."""

ROUTERS = (".Router", ".Asym")
"""What modules are called that hold further modules in folders below their own."""

ROUTER_FILES = ("router_config.json", "config.json")
"""Where such a module names them, in the order in which the library looks."""

CHAT_TEMPLATES = "additional_chat_templates"
"""A folder that tokenizers read without being told of it."""

_CODE = (".py", ".ipynb", ".sh", ".so", ".dll", ".pyd")
_ACTING = frozenset((*_CODE, *ENDINGS))
"""Endings of code and of weights in other formats: another program may load them in the encoder's name."""

_ACTING_NAMES = frozenset({"adapter_config.json"})

_KEPT_BY_TOOLS = frozenset({".git", ".cache/huggingface"})

MOST_LOOKED_AT = 20_000
"""Files of a local folder among which such are looked for."""


def module_folders(
    modules: bytes | None, read: Callable[[str], bytes | None] = lambda _: None
) -> frozenset[str]:
    """Folders that make an encoder: the root, and those that its ``modules.json`` names.

    Args:
        modules: content of that file, if there is one. What is wrong with it is said when it is read for
            good; here it names no folders then.
        read: content of another file by its name, or ``None`` if there is none: of a Router's, which names
            further folders.

    Raises:
        EncoderError: one of them is so large that it cannot be a list of modules.
    """
    folders = {""}
    entries = _parsed(MODULES, modules)
    for entry in entries if isinstance(entries, list) else []:
        inner = _inner(entry.get("path")) if isinstance(entry, dict) else None
        if inner is None:
            continue
        folders.add(inner)
        if str(entry.get("type")).endswith(ROUTERS):
            names = [f"{inner}/{name}".lstrip("/") for name in ROUTER_FILES]
            found = (_parsed(name, read(name)) for name in names)
            config = next((value for value in found if isinstance(value, dict)), {})
            types = config.get("types")
            parts = (_inner(part) for part in (types if isinstance(types, dict) else ()))
            folders |= {f"{inner}/{part}".lstrip("/") for part in parts if part}
    return frozenset(folders)


def _parsed(name: str, content: bytes | None) -> Any:
    if content and len(content) > MOST_MODULES:
        raise EncoderError(
            f"{name}: {len(content)} bytes, more than {MOST_MODULES}", remedy="no genuine one is so large"
        )
    try:
        return json.loads(content) if content else None
    except (ValueError, RecursionError):
        return None


def _inner(path: object) -> str | None:
    """A folder below the encoder's, ``""`` for that one itself; ``None`` for a name that leads elsewhere."""
    if not isinstance(path, str) or ".." in PurePosixPath(path).parts:
        return None
    inner = PurePosixPath(path.lstrip("/")).as_posix()
    return "" if inner == "." else inner


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
    if folder not in folders or name == CONVERSION_FILE:
        return False
    if not file.endswith(".safetensors"):
        return any(fnmatchcase(file, pattern) for pattern in BEHAVIOUR_FILES)
    whole = f"{folder}/{WEIGHTS}" if folder else WEIGHTS
    return name == whole if whole in known else fnmatchcase(file, SHARDS)
