"""From a path to a converted encoder: the files tell the runtime, or the caller where that is doubtful."""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path

from hf_integration.base.errors import FlawError, UsageError
from hf_integration.base.files import open_bounded
from hf_integration.base.text import quoted
from hf_integration.converted.original import Original
from hf_integration.converted.runtime import LARGEST_FILE, Converted, RuntimeName
from hf_integration.encoders.files.json_values import MAX_BYTES
from hf_integration.snapshot import MOST_LOOKED_AT, local_names

_OPENED_BY: Mapping[RuntimeName, tuple[str, str]] = {
    "onnx": ("onnx_model", "OnnxModel"),
    "fastembed": ("fastembed_model", "FastembedModel"),
    "openvino": ("openvino_model", "OpenvinoModel"),
    "ctranslate2": ("ctranslate2_model", "Ctranslate2Model"),
    "gguf": ("gguf_model", "GgufModel"),
    "torchao": ("torchao_model", "TorchaoModel"),
}
"""File and class, imported when they are needed."""

_SAYS_NOTHING = (".md", ".gitattributes", ".gitignore", ".png", ".jpg", "LICENSE", "NOTICE")
"""Ends of names of files that no loader reads."""


def open_converted(path: Path, original: Original, runtime: RuntimeName | None = None) -> Converted:
    """Open a file or folder with the runtime it was converted for.

    Args:
        path: file or folder.
        original: what is known of the encoder that was converted.
        runtime: which runtime, if the caller says so.

    Raises:
        UsageError: nothing there, no runtime that is known, or several that it could be for.
        EncoderError: it is damaged.
    """
    if not path.exists():
        raise UsageError(f"{path}: missing", remedy="name a file or folder of a converted encoder")
    chosen = runtime or _recognised(path)
    file, name = _OPENED_BY[chosen]
    opened: Converted = getattr(import_module(f"{__package__}.{file}"), name).open(path, original)
    return opened


def _recognised(path: Path) -> RuntimeName:
    """The one runtime whose files these are.

    Raises:
        UsageError: there is none, or several.
    """
    found = [runtime for runtime, is_one in _SIGNS.items() if is_one(path)]
    if len(found) == 1:
        return found[0]
    choices = ", ".join(found or _OPENED_BY)
    said = "holds files of several runtimes" if found else "holds no file of a runtime that is known"
    raise UsageError(f"{path}: {said}", remedy=f"say which with --runtime: {choices}")


def _any(path: Path, *patterns: str) -> bool:
    if path.is_file():
        return any(path.match(pattern.rpartition("/")[2]) for pattern in patterns)
    return any(True for pattern in patterns for _ in path.glob(pattern))


def _is_ctranslate2(path: Path) -> bool:
    """Whether a file begins as CTranslate2's do: a version, and the name of a specification."""
    file = path if path.is_file() else path / "model.bin"
    if file.suffix != ".bin" or not file.is_file():
        return False
    try:
        with open_bounded(file, LARGEST_FILE) as (stream, _):
            start = stream.read(64)
    except FlawError:
        return False
    return 0 < int.from_bytes(start[:4], "little") < 100 and b"Spec\0" in start


def _is_torchao(path: Path) -> bool:
    try:
        with open_bounded(path / "config.json", MAX_BYTES) as (stream, _):
            return b'"torchao"' in stream.read(1 << 20)
    except FlawError:
        return False


_SIGNS: Mapping[RuntimeName, Callable[[Path], bool]] = {
    "onnx": lambda path: _any(path, "*.onnx", "onnx/*.onnx"),
    "openvino": lambda path: _any(path, "*_model.xml", "openvino/*_model.xml") or path.suffix == ".xml",
    "ctranslate2": _is_ctranslate2,
    "gguf": lambda path: _any(path, "*.gguf"),
    "torchao": _is_torchao,
}
"""How the files of each look; those of fastembed are ONNX files, so it has to be named."""


def beside(converted: Converted) -> tuple[str, ...]:
    """Files in the folder that was named which nobody read, and which some loader may."""
    return tuple(_beside(converted))


def _beside(converted: Converted) -> Iterator[str]:
    if not converted.path.is_dir():
        return
    read = {file.resolve() for file in converted.read}
    names = local_names(converted.path)
    for name in sorted(names):
        if (converted.path / name).resolve() not in read and not name.endswith(_SAYS_NOTHING):
            yield quoted(name)
    if len(names) >= MOST_LOOKED_AT:
        yield f"whatever comes after {MOST_LOOKED_AT} files"
