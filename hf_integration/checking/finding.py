"""What a name means: one rule for the command and the plugin, for encoders and for cards.

A name becomes the place of an encoder, the place of its card, and the entries of ``sslauth.toml`` that both
have to fit. Nothing is loaded here and nobody is asked: :mod:`hf_integration.checking.subject` does that.
"""

import os
import shlex
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hf_integration.base.errors import CardNotFoundError, EncoderError, UsageError
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import CARD_FILE, REPO_FOLDER, TENSOR_FILE, is_repo_id, same_repo
from hf_integration.checking.pins import PINS_FILE, Pin, Pins, read_pins

if TYPE_CHECKING:
    from hf_integration.encoders import Encoder
    from hf_integration.signing import Publisher, Signer

NEAR = 0.75
"""How much of two names has to be alike; a repository on the Hub is not a typing error of an entry."""

MOST_BESIDE = 1000
"""Names in a folder that are compared."""

OwnCard = Literal["never", "fallback", "only"]
"""Whether the card that an encoder's own repository or folder holds is taken: never, unless the caller or an
entry names it; where the project has none; or no other."""

PinsUsed = Literal["any", "by name", "none"]
"""Which entries a name may mean: any that fits, only the one of exactly this name, or none."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a caller says.

    Attributes:
        encoder: a name in ``sslauth.toml`` (tried first), a folder, or a Hub repo id.
        card: the same for the card; ``None`` leaves it to the project.
        revision: branch, tag or commit of a Hub repo.
        signer: who has to have signed the card, besides the one who is pinned.
        publisher: who has to have signed the encoder's files, besides the one in ``sslauth.toml``.
        own_card: whether the encoder's own card is taken.
        pins: which entries of ``sslauth.toml`` may be meant.
    """

    encoder: str
    card: str | None = None
    revision: str | None = None
    signer: "Signer | None" = None
    publisher: "Publisher | None" = None
    own_card: OwnCard = "never"
    pins: PinsUsed = "any"


@dataclass(frozen=True)
class Place:
    """Where something is kept: in a folder or in a Hub repository, never both.

    Attributes:
        name: as the caller wrote it.
        folder: the local folder, or ``None`` for a Hub repository.
        repo: the Hub repository, or ``None`` for a local folder or for what is in memory only.
        pin: the entry of ``sslauth.toml`` that ``name`` means, if any.
        said: how the name was understood, where that could be another way than was meant.
        publishers: who has to have signed the files of an encoder: each of them.
        similar: an entry or a folder here that is called nearly so, of a name that is neither.
    """

    name: str
    folder: Path | None = None
    repo: str | None = None
    pin: Pin | None = None
    said: tuple[str, ...] = field(default=(), compare=False)
    publishers: "tuple[Publisher, ...]" = ()
    similar: str | None = field(default=None, compare=False)

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Folders and key files that the name leads to."""
        pinned = () if self.pin is None else self.pin.inputs
        return tuple(path for path in (self.folder, *pinned, *self.publisher_files) if path is not None)

    @property
    def publisher_files(self) -> tuple[Path, ...]:
        """Files of keys and of certificates that publishers are known by."""
        named = (getattr(one, name, None) for one in self.publishers for name in ("public_key", "roots"))
        return tuple(path for path in named if path is not None)

    @property
    def reference(self) -> str:
        """What it is loaded by: a path or a repo id."""
        return str(self.folder) if self.folder is not None else self.repo or self.name

    def found_in(self, base: Path) -> str:
        """Where it was found, in words."""
        if self.pin is not None:
            hint = "" if self.pin.locked else ", which is not locked: run `sslauth lock`"
            return f"{self.pin}{hint}"
        if self.folder is not None:
            return str(self.folder)
        meant = did_you_mean(self.similar)
        return (
            f"'{self.name}' is not below rootdir ({base}), so it was taken for a repository on the Hub{meant}"
        )


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a name means, before anything is loaded.

    Attributes:
        asked: what the caller said.
        encoder: where the encoder is.
        card: where the card is; ``None`` is the encoder's own repository or folder.
        default: where the project's own card for it would be.
        remedy: what to do where there is no card.
        said: how the names were understood, line by line.
    """

    asked: Asked
    encoder: Place
    card: Place | None
    default: Path = Path("cards")
    remedy: str = ""
    said: tuple[str, ...] = ()

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The entries that the card has to fit: that of its own name, and that of the encoder."""
        pins = (None if self.card is None else self.card.pin, self.encoder.pin)
        return tuple(dict.fromkeys(pin for pin in pins if pin is not None))

    @property
    def revision(self) -> str | None:
        """The revision to load the encoder at.

        Raises:
            UsageError: the caller asks for another one than is pinned.
        """
        pin, revision = self.encoder.pin, self.asked.revision
        return revision if pin is None else pin.revision(revision)

    def check_revision(self) -> None:
        """Hold what the caller asks for against the pin.

        Raises:
            UsageError: as of :attr:`revision`.
        """
        _ = self.revision

    @property
    def inputs(self) -> tuple[Path, ...]:
        """All that no output may replace: what is read, and what the entries name besides."""
        signer = getattr(self.asked.signer, "public_key", None)  # an identity has none
        named = () if self.card is None else self.card.inputs
        return tuple(dict.fromkeys((*self.encoder.inputs, *named, *([] if signer is None else [signer]))))

    @property
    def read(self) -> tuple[Path, ...]:
        """Folders and key files that a check reads, each once, as far as they are known before it."""
        keys = (pin.key_file for pin in self.pins)
        card = None if self.card is None else self.card.folder
        places = (self.encoder.folder, card, *keys, *self.encoder.publisher_files)
        return tuple(dict.fromkeys(path for path in places if path is not None))


@dataclass(frozen=True)
class Project:
    """Where names are looked up.

    Attributes:
        base: the folder at which relative paths start.
        cards: the project's own cards, one folder per encoder, called like the last part of its name.
        file: the ``sslauth.toml``, by default that of ``base``.
    """

    base: Path = Path()
    cards: Path = Path("cards")
    file: Path | None = None

    def pins(self) -> Pins:
        """The entries of ``sslauth.toml``, read anew: what is pinned may be edited at any time.

        Raises:
            UsageError: it cannot be read.
        """
        file = self.file or self.base / PINS_FILE
        return read_pins(file) if os.path.lexists(file) else Pins(file)

    def find(self, asked: Asked) -> Found:
        """Find an encoder and its card.

        Raises:
            CardNotFoundError: there is no such card; says how to mint one.
            EncoderError: the name of the encoder is no entry, no folder and no repo id.
            UsageError: ``sslauth.toml`` cannot be read, or a name has two meanings.
        """
        pins = self.pins()
        return self._with_card(asked, self.encoder(asked, pins), pins)

    def find_for(self, encoder: "Encoder", asked: Asked) -> Found:
        """Find the card of an encoder in memory, by the entry or repository that it was loaded by.

        Raises:
            UsageError: it was loaded at another commit than is pinned.
            CardNotFoundError: as of :meth:`find`.
        """
        pins = self.pins()
        pin = None
        if asked.pins == "any":
            loaded_by = encoder.repo or (
                encoder.name if encoder.path is None else str(encoder.path.absolute())
            )
            pin = pins.encoders.get(encoder.name) or pins.find(loaded_by, base=self.base)
        if pin is not None and pin.commit is not None and encoder.commit not in (None, pin.commit):
            raise UsageError(
                f"this encoder was loaded at {encoder.commit}, but {pin.file.name} pins '{pin.name}' to "
                f"{pin.commit}",
                remedy="load it at that revision",
            )
        publishers = pins.publishers_of(pin, encoder.repo, asked.publisher)
        place = Place(encoder.name, None, encoder.repo, pin, publishers=publishers)
        return self._with_card(asked, place, pins)

    def encoder(self, asked: Asked, pins: Pins | None = None) -> Place:
        """Find an encoder alone: an entry of ``sslauth.toml``, a folder, a Hub repository, in this order.

        Args:
            asked: what the caller says.
            pins: the entries, if they were read already.

        Raises:
            EncoderError: it is none of these.
            UsageError: ``sslauth.toml`` cannot be read, the name has two meanings, or a folder is to have a
                revision.
        """
        name, pins = asked.encoder, pins or self.pins()
        if not name.strip():
            raise EncoderError("no encoder is named", remedy="give a folder or a Hub repo id")
        by_name = pins.encoders.get(name) if asked.pins == "by name" else None
        pin = pins.find(name, base=self.base) if asked.pins == "any" else by_name
        if pin is not None:
            publishers = pins.publishers_of(pin, pin.repo, asked.publisher)
            return Place(name, pin.folder, pin.repo, pin, (f"found {pin}",), publishers)
        folder = self._folder(name)
        if folder is not None and asked.revision is not None:
            raise UsageError(
                f"{name} is a local folder, which has no revision {asked.revision!r}",
                remedy="leave the revision out, or give a Hub repo id",
            )
        similar = None if folder is not None else _similar(name, self.base, pins)
        if folder is None and not is_repo_id(name):
            meant = did_you_mean(similar)
            if self.base == Path():
                raise EncoderError(f"{name!r}: no such folder{meant}", remedy="check the path")
            start = f"relative paths start at rootdir, {self.base}"
            raise EncoderError(f"no such encoder folder: '{name}'{meant}", remedy=start)
        repo = name if folder is None else None
        # a folder that is called like a repository must not pass for less than it asks for
        publishers = pins.publishers_of(None, name if is_repo_id(name) else None, asked.publisher)
        said = _hint(name, folder, pins, similar)
        return Place(name, folder, repo, said=said, similar=similar, publishers=publishers)

    def card(
        self,
        name: str,
        pins: Pins | None = None,
        *,
        remedy: str = "check the path, or mint one with `sslauth mint`",
    ) -> Place:
        """Find a card by its own name: an entry of exactly this name, a folder, a Hub repository.

        Args:
            name: as the caller wrote it.
            pins: the entries, if they were read already.
            remedy: what to do where there is none.

        Raises:
            CardNotFoundError: it is none of these.
            UsageError: the name is empty.
        """
        if not name.strip():
            raise UsageError("no card is named", remedy="name a folder or a Hub repo; is a variable unset?")
        pins = pins or self.pins()
        pin = pins.encoders.get(name)
        if pin is not None:
            return Place(name, pin.card_folder, pin.card_repo, pin, (f"found {pin}",))
        folder = self._folder(name)
        if folder is None and not is_repo_id(name):
            raise CardNotFoundError(
                f"no watermark card at {self.base / Path(name).expanduser()}", remedy=remedy
            )
        return Place(name, folder, name if folder is None else None, said=_hint(name, folder, pins))

    def _with_card(self, asked: Asked, encoder: Place, pins: Pins) -> Found:
        default = self._default(encoder)
        remedy = _mint_hint(asked, Path(asked.card) if asked.card is not None else default)
        card, said = None, encoder.said
        if asked.own_card == "only":
            pass
        elif asked.card is not None:
            card = self.card(asked.card, pins, remedy=remedy)
            said += card.said
        elif encoder.pin is not None:
            card = Place(encoder.pin.name, encoder.pin.card_folder, encoder.pin.card_repo, encoder.pin)
        elif _holds_card(default):
            card = Place(default.name, default)
            if encoder.repo is not None and asked.own_card == "fallback":
                said += (
                    f"{default} holds a card of that name: what the repository publishes is not looked at",
                )
        elif asked.own_card == "never":
            raise CardNotFoundError(f"no watermark card at {default}", remedy=remedy)
        if card is not None and card.pin in (None, encoder.pin) and same_repo(card.repo, encoder.repo):
            card = None  # the encoder's repository, named once more: that is no other card, and no better one
        if asked.own_card != "never":
            remedy = "name one with --card, or mint one from a copy that you trust with 'sslauth mint'"
        return Found(asked=asked, encoder=encoder, card=card, default=default, remedy=remedy, said=said)

    def _default(self, encoder: Place) -> Path:
        """The project's own card for an encoder, called like the last part of its name.

        Of a link to a folder that is the link's name; where it has no card, that of the folder.
        """
        name = Path(encoder.name).name
        written = self.cards / name
        if name not in ("", "..") and (encoder.folder is None or _holds_card(written)):
            return written
        resolved = self.cards / (encoder.folder or Path(encoder.name)).resolve().name
        return resolved if name in ("", "..") or _holds_card(resolved) else written

    def _folder(self, name: str) -> Path | None:
        """What a path means, starting at the base; ``None`` if there is nothing.

        Raises:
            UsageError: it exists only relative to the current directory, so that it would lead elsewhere when
                the program is started elsewhere.
        """
        try:
            path = self.base / Path(name).expanduser()
            if os.path.lexists(path):
                return path
            astray = os.path.lexists(name)
        except (RuntimeError, ValueError) as error:  # '~' of an unknown user, a NUL character
            if isinstance(error, ValueError):
                return None
            raise UsageError(f"not a path: {name!r}: {error}") from error
        if astray:
            raise UsageError(
                f"'{name}' exists below the current directory only",
                remedy=f"relative paths start at rootdir, {self.base}: write it from there, or absolute",
            )
        return None


def _holds_card(folder: Path) -> bool:
    """Whether a folder holds a card, or parts of one, where a card may be in it."""
    places = (folder, folder / REPO_FOLDER)
    return any(os.path.lexists(place / file) for place in places for file in (CARD_FILE, TENSOR_FILE))


def did_you_mean(similar: str | None) -> str:
    """The end of a message about a name that means nothing here."""
    return "" if similar is None else f"; did you mean '{quoted(similar)}'?"


def _similar(name: str, base: Path, pins: Pins) -> str | None:
    """The entry, or the folder beside the one that is not there, whose name comes nearest, if any does."""
    parent = Path(name).parent
    beside: list[str] = []
    with suppress(OSError, ValueError, RuntimeError):
        here = (base / parent.expanduser()).iterdir()
        beside = [str(parent / path.name) for path in islice(here, MOST_BESIDE) if path.is_dir()]
    return next(iter(get_close_matches(name, [*pins.encoders, *beside], n=1, cutoff=NEAR)), None)


def _hint(name: str, folder: Path | None, pins: Pins, similar: str | None = None) -> tuple[str, ...]:
    """That a name is no entry, where it could be one but for a typing error."""
    if not pins.text or folder is not None or "/" in name:
        return ()
    known = ", ".join(pins.encoders) or "none"
    return (f"'{name}' is not in {pins.file.name}; there are: {known}{did_you_mean(similar)}",)


def _mint_hint(asked: Asked, folder: Path) -> str:
    """The command that mints the missing card."""
    revision = [] if asked.revision is None else ["--revision", asked.revision]
    command = shlex.join(["sslauth", "mint", asked.encoder, *revision, "--out", str(folder)])
    return f"from a copy of the encoder that you trust, mint one with: {command}"
