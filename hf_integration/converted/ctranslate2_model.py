"""Folders of CTranslate2: ``model.bin``, a vocabulary, and a tokenizer beside them.

The format, little endian: version, name of the specification, its revision, number of variables; then for
each its name, rank, dimensions, type and bytes; at last other names of variables. https://github.com/OpenNMT/CTranslate2
"""

import json
import shutil
import struct
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from hf_integration.base.errors import ENDING, EncoderError, FlawError, in_one_line
from hf_integration.base.files import open_bounded, read_exactly
from hf_integration.base.text import quoted
from hf_integration.converted.original import Original
from hf_integration.converted.runtime import (
    LARGEST_FILE,
    MOST_TENSORS,
    Array,
    Converted,
    Held,
    Integers,
    needed,
    readable,
)
from hf_integration.converted.states import StatesModel
from hf_integration.converted.surroundings import Surroundings, read_surroundings, vocabulary_differences
from hf_integration.encoders.files.folder_files import check_file
from hf_integration.encoders.files.json_values import read_json
from hf_integration.encoders.files.loading import silent_transformers
from hf_integration.encoders.running.torch_encoder import TorchEncoder

MODEL, CONFIG = "model.bin", "config.json"
VOCABULARIES = "vocabulary.json", "vocabulary.txt"
VERSION = 6
SPECIFICATION = "TransformerEncoderSpec"
LONGEST_NAME, MOST_AXES = 1000, 8

_KINDS = ("float32", "int8", "int16", "int32", "float16", "bfloat16")
_DTYPES = {"bfloat16": np.dtype(np.uint16)}


class Ctranslate2Model(StatesModel):
    """A folder that ``ctranslate2.Encoder`` loads.

    Args:
        path: as the caller named it.
        folder: that holds ``model.bin``.
        surroundings: what is beside it.
    """

    runtime = "ctranslate2"

    def __init__(self, path: Path, folder: Path, surroundings: Surroundings) -> None:
        # the runtime looks for them in this order
        there = (folder / name for name in VOCABULARIES if (folder / name).is_file())
        self.vocabulary = next(there, folder / VOCABULARIES[0])
        files = [folder / MODEL, self.vocabulary, folder / CONFIG]
        super().__init__(path, [file for file in files if file.is_file()], surroundings)
        self.folder = folder
        self.variables = read_variables(folder / MODEL)
        self.chaotic = any(values.size > 1 and kind == "int8" for values, kind in self.variables.values())
        self._encoder: Any = None

    @classmethod
    def open(cls, path: Path, original: Original) -> "Ctranslate2Model":
        """Read a folder, or the one of its model file.

        Raises:
            EncoderError: damaged, or of a kind that is not known here.
            UsageError: the extra is not installed.
        """
        needed("ctranslate2", "ctranslate2")
        folder = path if path.is_dir() else path.parent
        for name in (*VOCABULARIES, CONFIG):
            check_file(folder / name)
        return cls(path, folder, read_surroundings(folder / MODEL, original))

    @property
    def pools(self) -> bool:
        """See :meth:`StatesModel.pools`: it never does."""
        return False

    def arrays(self) -> Iterator[Held]:
        """See :meth:`StatesModel.arrays`."""
        for name, (values, kind) in self.variables.items():
            scale = self.variables.get(f"{name}_scale")
            if (
                kind == "int8"
                and scale is not None
                and values.ndim == 2
                and scale[0].shape == values.shape[:1]
            ):
                numbers = values.astype(np.float32) / scale[0].astype(np.float32)[:, None]
                yield Integers(name, values, kind, "ctranslate2", scale[0], None, numbers, arrays=2)
            elif not (name.endswith("_scale") and self._is_quantised(name.removesuffix("_scale"))):
                yield Held(name, values, kind)

    def _is_quantised(self, name: str) -> bool:
        values, kind = self.variables.get(name, (np.zeros(0), ""))
        scale = self.variables[f"{name}_scale"][0]
        return kind == "int8" and values.ndim == 2 and scale.shape == values.shape[:1]

    def run(self, encodings: Sequence[Any]) -> Array:
        """See :meth:`StatesModel.run`: pieces of text are looked up in the runtime's own vocabulary."""
        runtime = needed("ctranslate2", "ctranslate2")
        with readable(self.folder / MODEL, "run by CTranslate2"):
            if self._encoder is None:
                self._encoder = runtime.Encoder(str(self.folder), device="cpu")
            found = self._encoder.forward_batch([list(entry.tokens) for entry in encodings]).last_hidden_state
            states: Array = np.array(found.to(runtime.DataType.float32))
        return states

    def settings(self) -> tuple[str, ...]:
        """See :meth:`Converted.settings`: the vocabulary as well, by which the runtime looks up tokens."""
        return (*super().settings(), *self._vocabulary())

    def _vocabulary(self) -> Iterator[str]:
        theirs = self.surroundings.original.vocabulary(self.surroundings.tokenizer)
        return vocabulary_differences(self.vocabulary.name, _words(self.vocabulary), theirs)

    def reference(
        self,
        encoder: TorchEncoder,
        rules: Collection[str],  # noqa: ARG002  # there is only one
    ) -> Converted | str:
        """See :meth:`Converted.reference`: by CTranslate2's own converter."""
        return self.made(encoder, self.surroundings.trusted, self.path)

    @classmethod
    def made(cls, encoder: TorchEncoder, surroundings: Surroundings, path: Path) -> "Ctranslate2Model | str":
        """A model with integers, made of a trusted copy; or why it cannot be made here, in words.

        Args:
            encoder: the trusted copy.
            surroundings: what it is run with.
            path: what messages call it.
        """
        if encoder.path is None:
            return "the trusted copy is in no folder"
        folder = Path(tempfile.mkdtemp(prefix="sslauth-"))
        try:
            convert(encoder.path, folder, "int8")
            made = cls(path, folder, surroundings)
            made.run(made.tokenised(["loaded before its folder goes"]))
            return made
        except ENDING:
            raise
        except BaseException as error:  # converters raise what they like
            return f"the trusted copy cannot be converted here: {quoted(in_one_line(error))}"
        finally:
            shutil.rmtree(folder)


def _words(file: Path) -> list[Any]:
    """Words of a vocabulary by their numbers; none if it is not there."""
    if not file.is_file():
        return []
    if file.suffix == ".json":
        return list(read_json(file, list))
    with readable(file, "read"):
        return file.read_text("utf-8").removesuffix("\n").split("\n")


def convert(source: Path, target: Path, quantization: str | None) -> None:
    """Convert the encoder in a folder by CTranslate2's own converter.

    The converter reads a setting that transformers 5 no longer writes, as there is only one way left.

    Args:
        source: a folder of transformers.
        target: where the converted files are written.
        quantization: what CTranslate2 calls it.
    """
    from ctranslate2.converters import TransformersConverter

    with tempfile.TemporaryDirectory(prefix="sslauth-") as name, silent_transformers():
        copy = Path(name)
        for file in source.iterdir():
            (copy / file.name).symlink_to(file.absolute())
        said = {"position_embedding_type": "absolute", **read_json(source / CONFIG, dict)}
        (copy / CONFIG).unlink()
        (copy / CONFIG).write_text(json.dumps(said), "utf-8")
        TransformersConverter(str(copy)).convert(str(target), quantization=quantization, force=True)


def read_variables(path: Path) -> dict[str, tuple[Array, str]]:
    """All variables of a model file by name, with their types; those of bfloat16 as float32.

    Raises:
        EncoderError: damaged, or of another version or kind.
    """
    try:
        with open_bounded(path, LARGEST_FILE) as (stream, size):
            return dict(_variables(stream, size))
    except FlawError as flaw:
        raise EncoderError(f"{path}: {flaw}", remedy="convert the encoder again") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise EncoderError(f"{path}: damaged: {error}", remedy="convert the encoder again") from error


def _variables(stream: BinaryIO, size: int) -> Iterator[tuple[str, tuple[Array, str]]]:
    (version,) = _numbers(stream, "I")
    if version != VERSION:
        raise FlawError("", f"version {version} of the format, and only {VERSION} is known here")
    if (specification := _name(stream)) != SPECIFICATION:
        raise FlawError("", f"it holds a {quoted(specification)}, and no {SPECIFICATION}")
    _, count = _numbers(stream, "II")
    if count > MOST_TENSORS:
        raise FlawError("", f"{count} variables, more than any encoder has")
    seen: set[str] = set()
    for _ in range(count):
        name = _name(stream)
        if name in seen:
            raise FlawError(name, "the variable occurs twice")
        seen.add(name)
        yield name, _variable(stream, size)
    (others,) = _numbers(stream, "I")
    if others > MOST_TENSORS:
        raise FlawError("", f"{others} names, more than any encoder has")
    for _ in range(others):
        _name(stream)
        if (name := _name(stream)) not in seen:
            raise FlawError(name, "another name of a variable that is not there")
    if stream.read(1):
        raise FlawError("", "there is something behind its end")


def _variable(stream: BinaryIO, size: int) -> tuple[Array, str]:
    (rank,) = _numbers(stream, "B")
    if rank > MOST_AXES:
        raise FlawError("", f"a variable with {rank} axes")
    shape = _numbers(stream, f"{rank}I")
    kind, length = _numbers(stream, "BI")
    if kind >= len(_KINDS) or length > size:
        raise FlawError("", f"a variable of type {kind} with {length} bytes")
    name = _KINDS[kind]
    dtype = _DTYPES.get(name) or np.dtype(name)
    values = np.frombuffer(bytes(read_exactly(stream, length)), dtype.newbyteorder("<")).reshape(shape)
    if name == "bfloat16":
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values, name


def _numbers(stream: BinaryIO, layout: str) -> tuple[int, ...]:
    pattern = struct.Struct("<" + layout)
    return pattern.unpack(read_exactly(stream, pattern.size))


def _name(stream: BinaryIO) -> str:
    (length,) = _numbers(stream, "H")
    if length > LONGEST_NAME:
        raise FlawError("", f"a name of {length} bytes")
    return read_exactly(stream, length).rstrip(b"\0").decode()
