"""What reports of many checks are made of: each check with its pictures, its tests and its place."""

import base64
import os
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from hf_integration.report.reporters import Reporter
from hf_integration.verdict import Verdict


@dataclass(frozen=True)
class StripImages:
    """The watermark as small PNGs, one pixel for each of its pixels.

    Attributes:
        expected: the card's.
        found: as each strip gave it.
        difference: of each from the expected one.
    """

    expected: bytes
    found: tuple[bytes, ...]
    difference: tuple[bytes, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the inverse of :meth:`from_dict`."""
        return {
            "expected": base64_of(self.expected),
            "found": [base64_of(image) for image in self.found],
            "difference": [base64_of(image) for image in self.difference],
        }

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> "StripImages":
        """Read them back."""
        found, difference = (
            tuple(base64.b64decode(image) for image in said[name]) for name in ("found", "difference")
        )
        return cls(base64.b64decode(said["expected"]), found, difference)


def base64_of(image: bytes) -> str:
    """The bytes as text, in ASCII."""
    return base64.b64encode(image).decode("ascii")


@dataclass(frozen=True)
class Place:
    """Where somebody looks first: an entry of ``sslauth.toml``, or a test.

    Attributes:
        path: with ``/``, from the root of the repository.
        line: from 1.
    """

    path: str
    line: int = 1

    @classmethod
    def of(cls, file: Path, line: int, base: Path) -> "Place":
        """A place as hosts of repositories want it: relative to the root of the repository.

        Args:
            file: absolute, or relative to the current directory.
            line: from 1.
            base: where the project is. Paths start at the nearest folder above it that holds ``.git``, or
                else here.
        """
        base = base.absolute()
        root = next((folder for folder in (base, *base.parents) if (folder / ".git").exists()), base)
        return cls(Path(os.path.relpath(file.absolute(), root)).as_posix(), line)


@dataclass(frozen=True)
class Shown:
    """One check that came to a verdict.

    Attributes:
        verdict: what was found out.
        images: of its watermark, if there are any.
        tests: the tests that asked for it.
        place: of its entry, or of such a test.
    """

    verdict: Verdict
    images: StripImages | None = None
    tests: tuple[str, ...] = ()
    place: Place | None = None


@dataclass(frozen=True)
class WithoutVerdict:
    """What came to no verdict: an encoder that could not be checked, or what was held against a stamp.

    Attributes:
        encoder: what was to be checked.
        reason: why there is none, or what was found.
        status: in a few words.
        passed: whether a test may depend on it.
        tests: the tests that asked for it.
        place: of its entry, or of such a test.
    """

    encoder: str
    reason: str
    status: str = "not checked"
    passed: bool = False
    tests: tuple[str, ...] = ()
    place: Place | None = None


@dataclass(frozen=True)
class Document(Reporter):
    """Reports on any number of checks in one file.

    Attributes:
        images: of the watermark of a single verdict, if there are any.
        place: of a single verdict, if there is one.
        created: when, for people; left out of what machines compare.
    """

    images: StripImages | None = None
    place: Place | None = None
    created: str = ""

    pictured: ClassVar[bool] = False
    """Whether it shows images."""

    def render(self, verdict: Verdict) -> str:
        """The document of one check."""
        return self.document([Shown(verdict, self.images, place=self.place)])

    @abstractmethod
    def document(self, shown: Iterable[Shown], others: Iterable[WithoutVerdict] = ()) -> str:
        """The document that reports checks, without a final line break.

        Args:
            shown: the checks that came to a verdict.
            others: those that did not.
        """
