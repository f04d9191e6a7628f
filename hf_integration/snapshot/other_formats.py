"""What a folder or repository without weights that can be loaded holds instead, in the right words."""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from hf_integration.errors import EncoderError

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
