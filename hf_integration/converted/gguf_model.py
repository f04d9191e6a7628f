"""GGUF files of llama.cpp: their tensors are read here; what runs them is a server of llama.cpp."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hf_integration.base.errors import EncoderError, FlawError
from hf_integration.base.files import open_bounded, read_exactly
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
from hf_integration.converted.surroundings import vocabulary_differences
from hf_integration.encoders.identity.behaviour import VOCABULARY
from hf_integration.endpoints import Endpoint

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MOST_KEYS = 10_000

TOKENS, MODEL = "tokenizer.ggml.tokens", "tokenizer.ggml.model"

_PLAIN = {"F32": "float32", "F16": "float16", "F64": "float64"}


class GgufModel(Converted):
    """A GGUF file, and the server of llama.cpp that runs it, if there is one.

    Args:
        path: as the caller named it.
        read: the file.
        original: the encoder that was converted, whose vocabulary the file has to hold.

    Attributes:
        server: what is asked; nothing says that it runs this very file, and no other.
    """

    runtime = "gguf"
    own_ids = False
    server: Endpoint | None = None

    def __init__(self, path: Path, read: Iterable[Path], original: Original) -> None:
        super().__init__(path, read)
        self._original = original

    @classmethod
    def open(cls, path: Path, original: Original) -> "GgufModel":
        """Look at a file, or at the only one in a folder.

        Raises:
            EncoderError: damaged.
            UsageError: the extra is not installed.
        """
        needed("gguf", "gguf")
        files = [path] if path.is_file() else sorted(path.glob("*.gguf"))
        if len(files) != 1:
            raise EncoderError(f"{path}: {len(files)} GGUF files", remedy="name the file itself")
        check_start(files[0])
        return cls(path, files, original)

    def tensors(self) -> Iterator[Held]:
        """See :meth:`Converted.tensors`."""
        from gguf import GGUFReader, quants

        (file,) = self.read
        with readable(file, "read as GGUF"):
            found = GGUFReader(file).tensors
        for tensor in found:
            kind = tensor.tensor_type.name
            with readable(file, "read as GGUF"):
                if kind in _PLAIN:
                    yield Held(tensor.name, np.asarray(tensor.data), _PLAIN[kind])
                    continue
                values = np.asarray(tensor.data)
                numbers = quants.dequantize(values, tensor.tensor_type)
            if kind == "BF16":
                yield Held(tensor.name, numbers, "bfloat16")
            else:
                one = np.ones(1, dtype=np.float32)
                yield Integers(tensor.name, values, kind, f"gguf {kind}", one, None, numbers, arrays=1)

    def cannot_run(self) -> str | None:
        """See :meth:`Converted.cannot_run`."""
        if self.server is not None:
            return None
        return "llama.cpp runs GGUF files: add --endpoint URL --api llamacpp of a server that runs it"

    def said(self) -> Iterator[str]:
        """See :meth:`Converted.said`."""
        if self.server is not None:
            yield f"{self.server.address.url} was asked, and nothing shows that it runs this very file"

    def settings(self) -> tuple[str, ...]:
        """See :meth:`Converted.settings`: the vocabulary, word by word; nobody says how the rest is used."""
        from gguf import GGUFReader

        (file,) = self.read
        with readable(file, "read as GGUF"):
            fields = GGUFReader(file).fields
            mine, model = _strings(fields.get(TOKENS)), _strings(fields.get(MODEL))
        if not mine:
            return (f"{TOKENS}: {VOCABULARY} is missing",)
        theirs = self._original.vocabulary(None)
        if model == ["bert"]:
            theirs = [_as_llama_writes(word) for word in theirs]
        return tuple(vocabulary_differences(TOKENS, mine, theirs))

    def ids(self, texts: Sequence[str]) -> list[list[int]] | None:  # noqa: ARG002
        """See :meth:`Converted.ids`."""
        return None

    def embed(self, texts: Sequence[str], *, together: bool = False) -> Array:
        """See :meth:`Converted.embed`.

        Raises:
            EncoderError: there is no server.
            EndpointError: it does not answer.
        """
        if self.server is None:
            raise EncoderError(f"{self.path}: {self.cannot_run()}")
        return self.server.embed(list(texts), per_request=len(texts) if together else 1).embeddings


def _strings(field: Any) -> list[str]:
    """The strings of a field; none if the file has no such field."""
    return (
        []
        if field is None
        else [bytes(field.parts[place]).decode("utf-8", "replace") for place in field.data]
    )


def _as_llama_writes(word: str) -> str:
    """A word of WordPiece with a mark where a word begins, and not where it goes on."""
    if word.startswith("[") and word.endswith("]"):
        return word
    return word[2:] if word.startswith("##") else f"\N{LOWER ONE EIGHTH BLOCK}{word}"


def check_start(file: Path) -> None:
    """Check what a file says of its own size before anything is made of it.

    Raises:
        EncoderError: no GGUF file, or more of something than any encoder has.
    """
    try:
        with open_bounded(file, LARGEST_FILE) as (stream, _):
            start = read_exactly(stream, 24)
    except FlawError as flaw:
        raise EncoderError(f"{file}: {flaw}", remedy="convert the encoder again") from None
    version, tensors, keys = (
        int.from_bytes(start[place:end], "little") for place, end in ((4, 8), (8, 16), (16, 24))
    )
    if start[:4] != MAGIC or version not in VERSIONS:
        raise EncoderError(f"{file}: no GGUF file of version 2 or 3", remedy="convert the encoder again")
    if tensors > MOST_TENSORS or keys > MOST_KEYS:
        raise EncoderError(f"{file}: {tensors} tensors and {keys} keys are more than any encoder has")
