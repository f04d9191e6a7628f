"""The stamp: what a few texts are embedded to, and how likely other recipes would move that."""

import hashlib
from dataclasses import dataclass, field
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from hf_integration.base.errors import FlawError
from hf_integration.stamps import records
from hf_integration.stamps.forms import Array

FORMAT, SCHEMA = "sslauth-stamp", 1

NUMBERS = 8
"""Numbers that are kept of one text under another recipe: those of four texts tell distances within some
20 %, and recipes apart that are a factor of two from each other."""

WITNESSES = 4
"""Short texts that are kept under another recipe; of the long ones all are."""

MOST_OTHERS = 128

MOST_TOLERATED = 0.2
"""Distance of directions with which answers still say something: a cosine similarity of 0.98."""


@dataclass(frozen=True, eq=False)
class Other:
    """What texts are embedded to under another recipe, as a few numbers.

    Attributes:
        says: how the recipe differs, in words.
        long: whether it is known of the long texts, and not of the short ones.
        width: dimensions under this recipe.
        tolerance: relative distance up to which answers may be of this recipe.
        numbers: float64 ``(texts, NUMBERS)``: projections of embeddings of length 1.
    """

    says: str
    long: bool
    width: int
    tolerance: float
    numbers: Array


@dataclass(frozen=True, eq=False)
class Stamp:
    """What tells whether something embeds as the encoder of an index did.

    It is public. It finds mistakes, and no attacker who has read it: the texts and what they are embedded to
    are in it.

    Attributes:
        encoder: name of the encoder, or the address of the endpoint that it was made from.
        commit: Hub commit of the encoder, or ``None``.
        card: digest of the encoder's watermark card, or ``None``.
        created: when it was made, ISO 8601 in UTC.
        recipe: what is done to the encoder, in words.
        form: how the numbers were written: ``float32``, ``decimals:4``.
        tolerance: relative distance up to which embeddings count as equal: that of other float32 runtimes.
        texts: short ones, then long ones.
        long: how many of them are long.
        embeddings: what they are embedded to, float64 ``(n, dim)`` of float32 numbers.
        others: what they are embedded to under likely other recipes.
    """

    encoder: str
    commit: str | None
    card: str | None
    created: str
    recipe: str
    form: str
    tolerance: float
    texts: tuple[str, ...]
    long: int
    embeddings: Array = field(repr=False)
    others: tuple[Other, ...] = field(default=(), repr=False)

    @property
    def dimensions(self) -> int:
        """Of an embedding."""
        return int(self.embeddings.shape[1])

    @property
    def short(self) -> int:
        """How many texts are short."""
        return len(self.texts) - self.long

    @property
    def name(self) -> str:
        """The encoder and where it comes from, for people."""
        return f"{self.encoder} at commit {self.commit}" if self.commit else self.encoder

    def __str__(self) -> str:
        """The stamp as one line of ASCII, for an index's metadata; see :meth:`load`."""
        content: dict[str, Any] = {
            "format": FORMAT,
            "schema": SCHEMA,
            "encoder": self.encoder,
            "commit": self.commit,
            "card": self.card,
            "created": self.created,
            "recipe": self.recipe,
            "form": self.form,
            "tolerance": self.tolerance,
            "dimensions": self.dimensions,
            "texts": list(self.texts),
            "long": self.long,
            "embeddings": [records.packed(row) for row in self.embeddings],
            "others": [
                {
                    "says": other.says,
                    "long": other.long,
                    "width": other.width,
                    "tolerance": other.tolerance,
                    "numbers": records.packed(other.numbers.ravel()),
                }
                for other in self.others
            ],
        }
        return records.write(content)

    @staticmethod
    def load(source: "str | PathLike[str] | Stamp") -> "Stamp":
        """A stamp from a file, or from the line that is in an index's metadata, which begins with a brace.

        Raises:
            UsageError: there is no such file.
            RecordError: it is damaged, or of another version.
        """
        if isinstance(source, Stamp):
            return source
        if isinstance(source, str) and is_line(source):
            where, data = "the given text", source.encode(errors="surrogatepass")
        else:
            where, data = str(source), records.read(Path(source), "stamp")
        try:
            return _stamp(records.parse(_StampRecord, FORMAT, SCHEMA, data))
        except FlawError as flaw:
            raise records.damaged("stamp", where, flaw) from None


def is_line(source: str | PathLike[str]) -> bool:
    """Whether this is what the file of a stamp holds, and not a file's name."""
    return isinstance(source, str) and source.lstrip().startswith("{")


class _OtherRecord(records.Record):
    says: records.Name
    long: bool
    width: records.Width
    tolerance: records.Tolerance
    numbers: records.Numbers


class _StampRecord(records.Record):
    format: Literal["sslauth-stamp"]
    schema_version: Annotated[Literal[1], Field(alias="schema")]
    encoder: records.Name
    commit: Annotated[str, Field(pattern=r"\A[0-9a-f]{40}\z")] | None
    card: Annotated[str, Field(pattern=r"\Asha256:[0-9a-f]{64}\z")] | None
    created: records.Time
    recipe: records.Name
    form: records.Form
    tolerance: records.Tolerance
    dimensions: records.Width
    texts: records.Texts
    long: Annotated[int, Field(ge=0)]
    embeddings: records.Rows
    others: Annotated[list[_OtherRecord], records.at_most(MOST_OTHERS)]
    checksum: records.Checksum


def _stamp(record: _StampRecord) -> Stamp:
    """A stamp of what was read.

    Raises:
        FlawError: its parts do not fit together.
    """
    count, long = len(record.texts), record.long
    if len(record.embeddings) != count:
        raise FlawError("embeddings", f"{len(record.embeddings)} for {count} texts")
    if long >= count:
        raise FlawError("long", f"{long} of {count} texts: none would be short")
    if len(set(record.texts)) < count:
        raise FlawError("texts", "the same text occurs twice")
    others = []
    for place, other in enumerate(record.others):
        rows = long if other.long else min(WITNESSES, count - long)
        numbers = records.unpacked(other.numbers, rows * NUMBERS, f"others.{place}.numbers")
        kept = numbers.reshape(rows, NUMBERS)
        others.append(Other(other.says, other.long, other.width, other.tolerance, kept))
    return Stamp(
        encoder=record.encoder,
        commit=record.commit,
        card=record.card,
        created=record.created,
        recipe=record.recipe,
        form=record.form,
        tolerance=record.tolerance,
        texts=tuple(record.texts),
        long=long,
        embeddings=records.rows_of(record.embeddings, record.dimensions, "embeddings"),
        others=tuple(others),
    )


def projected(embeddings: Array) -> Array:
    """A few numbers of each embedding, scaled to length 1 first: float64 ``(n, NUMBERS)``.

    Distances are kept on average. The signs are public and the same for all.
    """
    numbers: Array = unit(embeddings) @ _signs(embeddings.shape[1]).T
    return numbers


def unit(embeddings: Array) -> Array:
    """Embeddings scaled to length 1."""
    sizes = np.linalg.norm(embeddings, axis=-1, keepdims=True)
    return np.asarray(embeddings / np.maximum(sizes, 1e-300))


@cache
def _signs(width: int) -> Array:
    """Plus and minus one over the square root of their number: ``(NUMBERS, width)``, from SHA-256."""
    size = NUMBERS * width
    blocks = (
        hashlib.sha256(f"{FORMAT}\0{width}\0{block}".encode()).digest() for block in range(size // 256 + 1)
    )
    bits = np.unpackbits(np.frombuffer(b"".join(blocks), np.uint8))[:size]
    return np.asarray((2.0 * bits - 1).reshape(NUMBERS, width) / NUMBERS**0.5)
