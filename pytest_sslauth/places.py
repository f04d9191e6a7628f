"""Where the names in markers and calls lead: one rule for encoders and cards."""

import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.errors import CardNotFoundError, EncoderError, UsageError
from hf_integration.checking.pins import PINS_FILE, Pin, Pins, pins_in
from pytest_sslauth.marker import CheckRequest
from pytest_sslauth.options import Settings

if TYPE_CHECKING:
    from hf_integration.encoders import Encoder

_REPO_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)


@dataclass(frozen=True)
class Place:
    """Where something lies.

    Attributes:
        name: as the caller wrote it.
        folder: the local folder, or ``None`` for a Hub repository.
        repo: the Hub repository, where it is not called ``name``.
        pin: the entry of ``sslauth.toml`` that ``name`` means, if any.
    """

    name: str
    folder: Path | None
    repo: str | None = None
    pin: Pin | None = None

    @property
    def reference(self) -> str:
        """What the engine is given: an absolute path or a repo id."""
        return self.repo or self.name if self.folder is None else str(self.folder)

    def found_in(self, rootdir: Path) -> str:
        """Where it was found, in words."""
        if self.pin is not None:
            hint = "" if self.pin.locked else ", which is not locked: run `sslauth lock`"
            return f"{self.pin}{hint}"
        if self.folder is not None:
            return str(self.folder)
        return f"'{self.name}' is not below rootdir ({rootdir}), so it was taken for a repository on the Hub"


def encoder_place(name: str, settings: Settings) -> Place:
    """What an encoder's name means: an entry of ``sslauth.toml``, a folder below rootdir, a Hub repository.

    Raises:
        EncoderError: it is none of these.
        UsageError: ``sslauth.toml`` cannot be read.
    """
    pin = _pins(settings).find(name, base=settings.rootdir)
    if pin is not None:
        return Place(name, pin.folder and pin.folder.resolve(), pin.repo, pin)
    folder = find_folder(name, settings.rootdir)
    if folder is None and not _REPO_ID.fullmatch(name):
        raise EncoderError(
            f"no such encoder folder: '{name}'", remedy=f"relative paths start at rootdir, {settings.rootdir}"
        )
    return Place(name, folder)


def card_place(request: CheckRequest, encoder: Place, settings: Settings) -> Place:
    """The card that a check is held against.

    Named explicitly, it is found as encoders are, or it is that of an entry of ``sslauth.toml``. Otherwise it
    is the one that the encoder's entry names. Without an entry it lies among the project's cards, in the
    folder called like the last part of the encoder's name: the repository that is checked is never asked.

    Raises:
        CardNotFoundError: there is no such folder; says how to mint a card.
    """
    pin = encoder.pin if request.card is None else _pins(settings).encoders.get(request.card)
    if pin is not None:
        folder = pin.card_folder
        return Place(request.card or pin.name, folder and folder.resolve(), pin.card_repo, pin)
    if request.card is None:
        default = settings.cards / (encoder.folder or Path(encoder.name)).name
        if not default.is_dir():
            raise CardNotFoundError(f"no watermark card at {default}", remedy=mint_hint(request, default))
        return Place(default.name, default)
    folder = find_folder(request.card, settings.rootdir)
    if folder is None and not _REPO_ID.fullmatch(request.card):
        raise CardNotFoundError(
            f"no watermark card at {settings.rootdir / Path(request.card).expanduser()}",
            remedy=mint_hint(request, Path(request.card)),
        )
    return Place(request.card, folder)


def pin_of(encoder: "Encoder", settings: Settings) -> Pin | None:
    """The entry of ``sslauth.toml`` that an encoder in memory was loaded by, as far as it remembers.

    Raises:
        UsageError: it was loaded at another commit than is pinned.
    """
    loaded_by = encoder.name if encoder.commit or encoder.path is None else str(encoder.path.absolute())
    pin = _pins(settings).find(loaded_by, base=settings.rootdir)
    if pin is not None and pin.commit is not None and encoder.commit not in (None, pin.commit):
        raise UsageError(
            f"this encoder was loaded at {encoder.commit}, but {pin.file.name} pins '{pin.name}' to "
            f"{pin.commit}",
            remedy="load it at that revision",
        )
    return pin


def key_file(pin: Pin | None) -> Path | None:
    """The file of the public key that a card must be signed with."""
    signer = None if pin is None else pin.signer_reference
    return None if signer is None or signer.startswith("sigstore:") else Path(signer)


def _pins(settings: Settings) -> Pins:
    """Read before every check: what is pinned may be edited while a session runs."""
    return pins_in(settings.rootdir) or Pins(settings.rootdir / PINS_FILE)


def mint_hint(request: CheckRequest, folder: Path) -> str:
    """The command that mints the missing card."""
    revision = [] if request.revision is None else ["--revision", request.revision]
    command = shlex.join(["sslauth", "mint", request.encoder, *revision, "--out", str(folder)])
    return f"from a copy of the encoder that you trust, mint one with: {command}"


def find_folder(name: str, rootdir: Path) -> Path | None:
    """The existing folder that a path means, relative to rootdir; ``None`` if there is none.

    Raises:
        UsageError: it exists only relative to the current directory, so that it would lead elsewhere when
            pytest is started elsewhere.
    """
    try:
        path = rootdir / Path(name).expanduser()
        if os.path.lexists(path):
            return path.resolve()
        astray = os.path.lexists(name)
    except RuntimeError as error:  # '~' of an unknown user
        raise UsageError(f"not a path: {name!r}: {error}") from error
    if astray:
        raise UsageError(
            f"'{name}' exists below the current directory only",
            remedy=f"relative paths start at rootdir, {rootdir}: write it from there, or absolute",
        )
    return None


def fingerprint(places: Iterable[Path | None]) -> object:
    """What changes whenever one of these files, or a file below these folders, changes: never looked into.

    Size, modification time and inode survive an edit in place that sets the time back, the change time does
    not. It decides only whether an earlier check may be reused; equal to nothing if a place is unreadable.
    """
    seen = []
    try:
        for place in places:
            for path in _everything_below(place) if place is not None else ():
                stat = path.stat()
                seen.append((str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
    except OSError:
        return object()
    return tuple(seen)


def _everything_below(folder: Path) -> Iterator[Path]:
    """Files and folders, also behind links to folders; each folder once, as links may lead in circles."""
    if folder.is_file():
        yield folder
        return
    entered = set()
    for root, folders, files in os.walk(folder, followlinks=True, onerror=_raise):
        if (real := os.path.realpath(root)) in entered:
            folders.clear()
            continue
        entered.add(real)
        folders.sort()
        yield from (Path(root, name) for name in sorted((*folders, *files)))


def _raise(error: OSError) -> None:
    raise error
