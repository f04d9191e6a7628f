"""One encoder of ``sslauth.toml``, as a value."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from hf_integration.base.errors import UsageError
from hf_integration.base.vocabulary import same_repo
from hf_integration.checking.wanted import EndpointWanted

DEFAULT_TRACK = "main"


def named_file(publisher: str | None, folder: Path) -> Path | None:
    """The file of a key or of certificates that a publisher is named by, if it is a file.

    Args:
        publisher: as it is written, if at all.
        folder: what paths are relative to.
    """
    if publisher is None or publisher.startswith("sigstore:"):
        return None
    return folder / publisher.removeprefix("certificate:")


@dataclass(frozen=True)
class Waiver:
    """An alteration that somebody accepted for a while.

    Attributes:
        state: which altered encoder is accepted, ``sha256:…`` as its verdict states it; no other.
        reason: why, in words.
        until: the last day on which it is accepted (UTC).
    """

    state: str
    reason: str
    until: date


@dataclass(frozen=True)
class Pin:
    """What ``sslauth.toml`` says of one encoder, validated; paths are as written there.

    Attributes:
        name: what calls, markers and arguments say.
        file: the ``sslauth.toml`` that it was read from.
        repo: Hub repo id of the encoder; ``None`` where ``path`` is given.
        path: folder of the encoder relative to the file; ``None`` where ``repo`` is given.
        track: branch or tag that ``sslauth lock`` resolves; ``None`` stands for ``main``.
        card: folder relative to the file, or Hub repo id; ``None`` for the encoder's own repo or folder.
        commit: 40 hexadecimal digits, written by ``lock``.
        card_digest: ``sha256:…``, written by ``lock``.
        signer: public key file relative to the file, or ``sigstore:IDENTITY@ISSUER``.
        publisher: who has to have signed the encoder's files (``model.sig``): as ``signer``, or
            ``certificate:`` and a file of authorities.
        waivers: accepted alterations.
        endpoint: the server that answers with this encoder, and how it is asked.
    """

    name: str
    file: Path
    repo: str | None = None
    path: str | None = None
    track: str | None = None
    card: str | None = None
    commit: str | None = None
    card_digest: str | None = None
    signer: str | None = None
    publisher: str | None = None
    waivers: tuple[Waiver, ...] = ()
    endpoint: EndpointWanted | None = None

    @property
    def folder(self) -> Path | None:
        """The encoder's folder, or ``None`` for one on the Hub."""
        return None if self.path is None else self.file.parent / self.path

    @property
    def reference(self) -> str:
        """What the encoder is loaded by: a folder or a repo id."""
        return str(self.folder) if self.repo is None else self.repo

    @property
    def tracked(self) -> str:
        """Branch or tag whose commit ``sslauth lock`` writes."""
        return self.track or DEFAULT_TRACK

    @property
    def locked(self) -> bool:
        """Whether all that can be pinned is; otherwise the entry is little more than a name."""
        return self.card_digest is not None and (self.repo is None or self.commit is not None)

    @property
    def card_folder(self) -> Path | None:
        """The card's folder, or ``None`` for a card on the Hub.

        ``cards/minilm`` reads like a repo id. A folder that is missing must not become somebody's repository,
        so whatever begins with a folder that is there, or with ``cards``, is local.
        """
        if self.card is None or same_repo(self.card, self.repo):
            return self.folder
        first = self.card.partition("/")[0]
        if first in ("cards", ".", "..") or "/" not in self.card or (self.file.parent / first).exists():
            return self.file.parent / self.card
        return None

    @property
    def card_repo(self) -> str | None:
        """The Hub repo that holds the card, or ``None`` for a card in a folder."""
        if self.card_folder is not None:
            return None
        return self.card or self.repo

    @property
    def has_own_card(self) -> bool:
        """Whether the card lies in the encoder's own Hub repo, so that one commit names both."""
        return same_repo(self.card_repo, self.repo)

    @property
    def signer_reference(self) -> str | None:
        """The signer with a path from here: a file, or the ``sigstore:`` identity as it is."""
        if self.signer is None or self.signer.startswith("sigstore:"):
            return self.signer
        return str(self.file.parent / self.signer)

    @property
    def key_file(self) -> Path | None:
        """The file of the public key that the card must be signed with, if it is a key."""
        signer = self.signer_reference
        return None if signer is None or signer.startswith("sigstore:") else Path(signer)

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Folders and key files that the entry names."""
        named = (self.folder, self.card_folder, self.key_file, named_file(self.publisher, self.file.parent))
        return tuple(path for path in named if path is not None)

    @property
    def lock_hint(self) -> str | None:
        """What is missing of the pin, in words; ``None`` for one that is locked."""
        if self.locked:
            return None
        missing = "no card digest" if self.card_digest is None else "no commit"
        return f"'{self.name}' is not locked ({missing} in {self.file.name}): run `sslauth lock`"

    def revision(self, asked: str | None) -> str | None:
        """The revision to load the encoder at.

        Args:
            asked: the revision that the caller named.

        Raises:
            UsageError: the caller asks for another one than is pinned.
        """
        pinned = self.commit or self.track
        if asked is None:
            return None if self.repo is None else pinned or self.tracked
        if self.repo is None:
            raise UsageError(f"{self} is a folder, which has no revision {asked!r}", remedy="leave it out")
        if pinned is not None and asked != pinned:
            verb = "is pinned to" if self.commit else "follows"
            raise UsageError(
                f"revision {asked!r} contradicts {self.file.name}, where '{self.name}' {verb} {pinned}",
                remedy="leave the revision out; only `sslauth lock` moves a pin",
            )
        return asked

    def __str__(self) -> str:
        at = "" if self.commit is None else f" @{self.commit}"
        return f"'{self.name}' in {self.file.name}: {self.repo or self.path}{at}"
