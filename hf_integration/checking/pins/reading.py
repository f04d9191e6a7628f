"""Reading ``sslauth.toml``, and finding the entry that an argument means.

The text up to some line either parses or ends within a value. The line on which a key's statement begins is
the one after the longest part that parses and does not have the key yet.
"""

import os
import stat
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_integration.base.errors import UsageError
from hf_integration.base.text import harmless
from hf_integration.base.vocabulary import same_repo
from hf_integration.checking.pins.pin import Pin
from hf_integration.checking.pins.schema import SchemaFlawError, pins_of

if TYPE_CHECKING:
    from hf_integration.signing import Publisher

PINS_FILE = "sslauth.toml"

MOST_BYTES = 256 << 10
"""A thousand encoders fit; the file is read before every check."""

_REMEDY = "correct it by hand; what it pins is never guessed"


@dataclass(frozen=True)
class Pins:
    """All encoders of one ``sslauth.toml``.

    Attributes:
        file: where it lies.
        text: what stands in it.
        encoders: name -> entry, in the order of the file.
        publishers: pattern of repo ids -> who has to have signed such encoders, in the order of the file.
    """

    file: Path
    text: str = ""
    encoders: Mapping[str, Pin] = field(default_factory=dict)
    publishers: Mapping[str, str] = field(default_factory=dict)

    def publishers_of(
        self, pin: Pin | None, repo: str | None, besides: "Publisher | None" = None
    ) -> "tuple[Publisher, ...]":
        """Who has to have signed the files of an encoder: each of them.

        Args:
            pin: its entry, which is what counts if it names one.
            repo: its Hub repo, which the first pattern that fits is for. The Hub ignores case in names.
            besides: whom the caller names.
        """
        named = None if pin is None else pin.publisher
        if named is None and repo is not None:
            fits = (text for like, text in self.publishers.items() if _fits(repo, like))
            named = next(fits, None)
        if named is None:
            return () if besides is None else (besides,)
        from hf_integration.signing.signers import publisher_from

        written = publisher_from(named, relative_to=self.file.parent)
        return (written,) if besides in (None, written) else (besides, written)

    def find(self, argument: str, *, base: Path) -> Pin | None:
        """The entry that an argument means: its name, its repo id, or its folder.

        Args:
            argument: what the caller wrote.
            base: the folder that relative paths of the caller start at.

        Raises:
            UsageError: several entries are meant, or a folder has the name of a pinned repo.
        """
        if (named := self.encoders.get(argument)) is not None:
            return named
        by_repo = self._only(argument, lambda pin: same_repo(pin.repo, argument))
        if by_repo is not None and os.path.lexists(base / argument):
            raise UsageError(
                f"'{argument}' is both a folder here and the Hub repository of {by_repo}",
                remedy=f"write '{by_repo.name}' for the one, './{argument}' for the other",
            )
        return by_repo or self._only(argument, lambda pin: _same_folder(pin.folder, argument, base))

    def _only(self, argument: str, meant: Callable[[Pin], bool]) -> Pin | None:
        found = [pin for pin in self.encoders.values() if meant(pin)]
        if len(found) > 1:
            names = ", ".join(f"'{pin.name}'" for pin in found)
            raise UsageError(
                f"'{harmless(argument)}' is pinned more than once in {self.file.name}: {names}",
                remedy="say which by its name",
            )
        return found[0] if found else None


def pins_in(folder: Path) -> Pins | None:
    """The pins of a project, read from its folder; ``None`` without an ``sslauth.toml`` in it.

    Raises:
        UsageError: it cannot be read, or is not as it should be.
    """
    file = folder / PINS_FILE
    return read_pins(file) if os.path.lexists(file) else None


def read_pins(file: Path) -> Pins:
    """Read an ``sslauth.toml``.

    Raises:
        UsageError: it cannot be read, or is not as it should be; names file, line and key.
    """
    return parse_pins(_read(file, harmless(file.name)), file)


def parse_pins(text: str, file: Path) -> Pins:
    """Read the text of an ``sslauth.toml``, which need not be there yet.

    Args:
        text: what stands in it, or shall.
        file: where it lies; paths are relative to it.

    Raises:
        UsageError: it is not as it should be; names file, line and key.
    """
    shown = harmless(file.name)
    if len(text.encode(errors="surrogatepass")) > MOST_BYTES:
        raise UsageError(f"{shown} has more than {MOST_BYTES} bytes", remedy=_REMEDY)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:  # says where
        raise UsageError(f"{shown}: {harmless(error)}", remedy=_REMEDY) from None
    except (RecursionError, ValueError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"{shown}: {harmless(reason)}", remedy=_REMEDY) from None
    try:
        return Pins(file, text, *pins_of(document, file))
    except SchemaFlawError as flaw:
        line = line_of(text, flaw.keys)
        key = ".".join(str(key) for key in flaw.keys)
        where = f"{shown}, line {line}" + (f": {harmless(key, longest=120)}" if key else "")
        raise UsageError(f"{where}: {harmless(flaw.reason)}", remedy=_REMEDY) from None


def _read(file: Path, shown: str) -> str:
    # without O_NONBLOCK, opening a FIFO that nobody writes to would wait for ever
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise UsageError(f"{shown} is not a regular file")
        with os.fdopen(os.open(file, flags), "rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{shown} cannot be read: {error.strerror or error}") from None
    if len(data) > MOST_BYTES:
        raise UsageError(f"{shown} has more than {MOST_BYTES} bytes", remedy=_REMEDY)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(f"{shown}, line {line}: not UTF-8", remedy="save it as UTF-8") from None


def _fits(repo: str, pattern: str) -> bool:
    return fnmatchcase(repo.casefold(), pattern.casefold())


def _same_folder(folder: Path | None, argument: str, base: Path) -> bool:
    try:
        return folder is not None and (base / Path(argument).expanduser()).resolve() == folder.resolve()
    except (OSError, RuntimeError, ValueError):  # '~' of an unknown user, a loop of links, a NUL character
        return False


Keys = Sequence[str | int]
"""Keys and positions in arrays, from the outermost in."""

MOST_TRIES = 300
"""A value of thousands of lines is not searched through; the line named is then one before it."""


def line_of(text: str, path: Keys) -> int:
    """The line, from 1, on which the key at ``path`` is written; the first one if it is nowhere.

    Args:
        text: a document that parses.
        path: keys and positions in arrays.
    """
    lines = text.split("\n")
    without, beyond, tries = 0, len(lines), MOST_TRIES
    while beyond - without > 1:
        middle = (without + beyond) // 2
        for count in range(middle, beyond):
            tries -= 1
            if (found := _parsed(lines[:count])) is not None or tries <= 0:
                break
        if tries <= 0:
            break
        if found is None or _has(found, path):
            beyond = middle
        else:
            without = count
    return without + 1


def _parsed(lines: Sequence[str]) -> object:
    try:
        return tomllib.loads("\n".join(lines) + "\n")
    except ValueError:
        return None


def _has(value: object, path: Keys) -> bool:
    for step in path:
        held: Any = value
        try:
            value = held[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True
