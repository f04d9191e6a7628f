"""What an encoder's weights were converted from: a claim of whoever converted them, and of a card's maker."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hf_integration.base import checked_types
from hf_integration.base.checked_types import Commit, RepoId
from hf_integration.base.errors import EncoderError, FlawError
from hf_integration.base.files import open_bounded, read_exactly, sha256_of
from hf_integration.base.text import harmless, listed
from hf_integration.base.vocabulary import CONVERSION_FILE
from hf_integration.card.fields import MOST_TENSORS, Hexadecimal, Name, at_most
from hf_integration.snapshot import Snapshot, needed_files

FORMAT, SCHEMA = "sslauth-conversion", 1
MOST_FILES, MOST_BYTES = 2000, 8 << 20


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SourceRecord(_Record):
    """The files that an encoder was made of.

    Attributes:
        repo: Hub repository, or ``None`` for a local folder.
        commit: of the repository.
        files: name -> SHA-256 in hexadecimal, of every file that was read: pickles, and what was copied.
        weights: those of them that are pickles.
        tool: what converted them, and its version.
    """

    repo: RepoId | None
    commit: Commit | None
    files: Annotated[dict[Name, Hexadecimal], Field(min_length=1), at_most(MOST_FILES)]
    weights: Annotated[list[Name], Field(min_length=1), at_most(MOST_FILES)]
    tool: Name

    @model_validator(mode="after")
    def _consistent(self) -> "SourceRecord":
        if (self.repo is None) != (self.commit is None):
            raise ValueError("a repo and a commit belong together")
        if len(set(self.weights)) < len(self.weights) or not set(self.weights) <= set(self.files):
            raise ValueError("weights that are none of the files")
        return self

    def __str__(self) -> str:
        """In one line, harmless: ``org/name @commit, pytorch_model.bin sha256:…``."""
        where = f"{self.repo} @{self.commit}" if self.repo else "a local folder"
        first = self.weights[0]
        more = f" and {len(self.weights) - 1} more" if len(self.weights) > 1 else ""
        return harmless(f"{where}: pickled weights {first} sha256:{self.files[first]}{more}")


class ConversionRecord(_Record):
    """``sslauth-conversion.json``.

    Attributes:
        source: the files that were read.
        written: name -> SHA-256 in hexadecimal, of every file of the result: weights, indexes, and copies,
            which have the digest of the file that they are a copy of.
        tied: tensors that were left out, as the library makes them of another -> that other one.
        copies: tensors that shared memory in a pickle and are written twice -> the other one.
        left_out: files that were neither converted nor copied.
    """

    format: Literal["sslauth-conversion"]
    schema_version: Annotated[Literal[1], Field(alias="schema")]
    source: SourceRecord
    written: Annotated[dict[Name, Hexadecimal], Field(min_length=1), at_most(MOST_FILES)]
    tied: Annotated[dict[Name, Name], at_most(MOST_TENSORS)]
    copies: Annotated[dict[Name, Name], at_most(MOST_TENSORS)]
    left_out: Annotated[list[Name], at_most(MOST_TENSORS)]

    @model_validator(mode="after")
    def _copies_are_copies(self) -> "ConversionRecord":
        copied = self.source.files.keys() - self.source.weights
        if any(self.written.get(name) != self.source.files[name] for name in copied):
            raise ValueError("a file that was copied, and was not written as it was read")
        return self


def source_of(folder: Path) -> SourceRecord | None:
    """What the encoder in a folder says that it was converted from; ``None`` for one that says nothing.

    Raises:
        EncoderError: it says something that makes no sense, or a file of the result was changed since then,
            or other weights would be loaded now than those of the result.
    """
    file = folder / CONVERSION_FILE
    if not file.is_symlink() and not file.exists():
        return None
    try:
        with open_bounded(file, MOST_BYTES) as (stream, size):
            record = read_conversion(bytes(read_exactly(stream, size)))
        for name, digest in record.written.items():
            if name.startswith("/") or ".." in name.split("/") or sha256_of(folder / name) != digest:
                raise FlawError(name, "not the file that was written by the conversion")
        loaded = _weights_among(needed_files(Snapshot(folder)))
        if loaded != _weights_among(record.written):
            others = sorted(loaded - record.written.keys())
            said = listed(others or sorted(_weights_among(record.written) - loaded))
            how = "loaded now, and not written by the conversion" if others else "written, and not loaded now"
            raise FlawError("", f"weights that are {how}: {said}")
    except FlawError as flaw:
        raise EncoderError(
            f"{CONVERSION_FILE}: {flaw}", remedy="convert the encoder again, or delete this record"
        ) from None
    return record.source


def _weights_among(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in names if name.endswith(".safetensors"))


def read_conversion(data: bytes) -> ConversionRecord:
    """Parse and validate the bytes of ``sslauth-conversion.json``.

    Raises:
        FlawError: anything at all is wrong with them.
    """
    if len(data) > MOST_BYTES:
        raise FlawError("", f"{len(data)} bytes, more than {MOST_BYTES}")
    record, _ = checked_types.read_record(
        ConversionRecord,
        data,
        what="record of a conversion",
        format=FORMAT,
        schema=SCHEMA,
        again="convert it again",
    )
    return record


def conversion_bytes(source: Mapping[str, Any], **rest: Any) -> bytes:
    """Bytes of ``sslauth-conversion.json``: the same for the same conversion; :func:`read_conversion` checks.

    Args:
        source: of :class:`SourceRecord`.
        rest: the other fields of :class:`ConversionRecord`.
    """
    record = {"format": FORMAT, "schema": SCHEMA, "source": source, **rest}
    return json.dumps(record, indent=2, sort_keys=True, allow_nan=False).encode() + b"\n"
