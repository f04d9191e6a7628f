"""What every converted encoder gives, whatever runtime it was converted for."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy.typing as npt

from hf_integration.base.errors import (
    ENDING,
    EncoderError,
    MissingExtraError,
    SSLAuthError,
    in_one_line,
)
from hf_integration.base.text import quoted
from hf_integration.encoders.running.torch_encoder import TorchEncoder

RuntimeName = Literal["onnx", "fastembed", "openvino", "ctranslate2", "gguf", "torchao"]
RUNTIMES: tuple[RuntimeName, ...] = get_args(RuntimeName)

Array = npt.NDArray[Any]

LARGEST_FILE = 1 << 36
"""Bytes of a converted file, 64 GiB: more than any text encoder."""

MOST_TENSORS = 100_000
"""Arrays of numbers in a file; the largest encoders have some thousand."""


@dataclass(frozen=True, eq=False)
class Held:
    """An array of numbers that a file holds.

    Attributes:
        name: in the file.
        values: the numbers; those of bfloat16 as float32.
        kind: their type in the file.
    """

    name: str
    values: Array
    kind: str


@dataclass(frozen=True, eq=False)
class Integers(Held):
    """Integers that are weights, with the arrays that say what they mean.

    Attributes:
        method: whose: ``onnx``, ``ctranslate2``, or ``gguf`` with the type.
        scale: of all numbers, or one for each channel.
        zero_point: the integer that means 0, or one for each channel; ``None`` where it is always 0.
        numbers: the numbers that the integers mean, float32 of the shape of the weights.
        arrays: how many arrays of the file this is: scales are beside the integers.
    """

    method: str
    scale: Array
    zero_point: Array | None
    numbers: Array
    arrays: int


class Converted(ABC):
    """An encoder in the form of another runtime: raw texts in, by its own tokenizer, embeddings out.

    Attributes:
        runtime: whose form.
        path: file or folder, as the caller named it.
        read: files that were read.
        holds_arrays: whether its numbers can be read; not of what was made in memory and has no file.
        own_ids: whether it reads texts by the same library as the original, so that another reading of a text
            is another tokenizer and no other implementation of one.
        chaotic: whether it rounds activations to integers, so that answers jump where anything changes.
        prompt: put before every text; ``None`` where nobody knows.
    """

    runtime: ClassVar[RuntimeName]
    holds_arrays: bool = True
    own_ids: bool = True
    chaotic: bool = False
    prompt: str | None = None

    def __init__(self, path: Path, read: Iterable[Path]) -> None:
        self.path = path
        self.read = tuple(read)

    @abstractmethod
    def tensors(self) -> Iterator[Held]:
        """Every array of numbers in the file, constants of the graph among them.

        Raises:
            EncoderError: the file is damaged.
        """

    @abstractmethod
    def ids(self, texts: Sequence[str]) -> list[list[int]] | None:
        """Token numbers of each text as the runtime makes them; ``None`` where nobody knows them."""

    @abstractmethod
    def embed(self, texts: Sequence[str], *, together: bool = False) -> Array:
        """Embeddings as users of the file get them, float64 ``(n, dim)``.

        Args:
            texts: raw texts.
            together: in one padded batch, not each by itself.

        Raises:
            EncoderError: the runtime cannot run the file.
        """

    def cannot_run(self) -> str | None:
        """Why it cannot be run here, if it cannot."""
        return None

    @property
    def has_tail(self) -> bool:
        """Whether the file or its folder holds what follows the pooling."""
        return False

    def contradicted(self, texts: Sequence[str], embeddings: Array) -> str | None:  # noqa: ARG002
        """What else the file gives for texts, in words, if it is no such embedding."""
        return None

    def reference(
        self,
        encoder: TorchEncoder,  # noqa: ARG002  # of the interface
        rules: Collection[str],  # noqa: ARG002
    ) -> "Converted | str":
        """The same conversion made of a trusted copy; or why it cannot be made here, in words.

        Args:
            encoder: the trusted copy.
            rules: by which the file's integers are made.
        """
        return "it is not known how to convert the trusted copy in the same way"

    def settings(self) -> tuple[str, ...]:
        """What differs between the tokenizer's files and those of the trusted copy, line by line."""
        return ()

    def said(self) -> Iterator[str]:
        """What a verdict has to say about how the file was run."""
        return iter(())


def needed(module: str, extra: str) -> Any:
    """A module of an optional extra.

    Raises:
        MissingExtraError: the extra is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        missing = f" ({error.name} is missing)" if error.name else ""
        raise MissingExtraError(
            f"converted encoders of this kind need the extra '{extra}'{missing}",
            remedy=f"run: pip install 'pytest-sslauth[{extra}]'",
        ) from error


@contextmanager
def readable(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a runtime raises over somebody's file into one line that names the file.

    Args:
        path: the file.
        what: what is done with it, such as ``read``.

    Raises:
        EncoderError: it raised.
    """
    try:
        yield
    except (SSLAuthError, MemoryError, *ENDING):
        raise
    except BaseException as error:  # runtimes in C++ and Rust raise what they like
        raise EncoderError(
            f"{path}: cannot be {what}: {quoted(in_one_line(error), longest=200)}",
            remedy="convert the encoder again",
        ) from error
