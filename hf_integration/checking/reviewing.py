"""The card that a pin names, wherever it still is, beside the one that ``sslauth lock`` would name."""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.errors import SSLAuthError
from hf_integration.base.vocabulary import CARD_FILE, PICTURE_FILE, TENSOR_FILE
from hf_integration.checking.pins.pin import Pin

if TYPE_CHECKING:
    from hf_integration.card import WatermarkCard

MOST_COMMITS = 100
"""Commits of a project that are searched for a card that was replaced in a folder."""


@dataclass(frozen=True, eq=False)
class Earlier:
    """The pinned card, or why it cannot be shown.

    Attributes:
        card: with the digest that is pinned.
        missing: why there is none, in words.
    """

    card: "WatermarkCard | None" = None
    missing: str = ""


def pinned_card(pin: Pin) -> Earlier:
    """Find the card whose digest a pin holds.

    It is at the pinned commit of the encoder's repository. A card in a folder may have been replaced; then it
    is looked for in the commits of the project, if that is kept in git.

    Args:
        pin: the entry.
    """
    if pin.card_digest is None:
        return Earlier(missing="no card was pinned before")
    found = None
    try:
        if pin.card_folder is not None:
            found = _in_folder(pin.card_folder, pin.card_digest)
        elif pin.has_own_card and pin.commit is not None:
            found = _read(pin.repo or "", pin.commit)
        else:
            found = _read(pin.card_repo or "", None)
    except SSLAuthError as error:
        return Earlier(missing=f"the pinned card cannot be read: {error}")
    if found is None or found.digest != pin.card_digest:
        return Earlier(missing=f"the pinned card is not there any more: {pin.card_digest}")
    return Earlier(found)


def _read(reference: str | Path, revision: str | None) -> "WatermarkCard":
    from hf_integration.card.reading import load_card

    return load_card(reference, revision=revision)


def _in_folder(folder: Path, digest: str) -> "WatermarkCard | None":
    """The card in a folder, or the one that was in it."""
    from hf_integration.card.reading import locate, read_card

    place, location = locate(folder, revision=None)
    if _digest((place / CARD_FILE).read_bytes()) == digest:
        return read_card(place, location=location)
    with _committed(place, digest) as earlier:
        return None if earlier is None else read_card(earlier, location=f"{location}, as it was committed")


@contextmanager
def _committed(folder: Path, digest: str) -> Iterator[Path | None]:
    """A copy of a card that was in a folder, from the commits of its project, for a ``with`` block."""
    commits = _git(folder, "rev-list", f"--max-count={MOST_COMMITS}", "HEAD", "--", CARD_FILE)
    for commit in (commits or b"").decode("ascii", "replace").split():
        header = _git(folder, "cat-file", "blob", f"{commit}:./{CARD_FILE}")
        if header is None or _digest(header) != digest:
            continue
        with tempfile.TemporaryDirectory(prefix="sslauth-") as kept:
            for name in (CARD_FILE, TENSOR_FILE, PICTURE_FILE):
                data = _git(folder, "cat-file", "blob", f"{commit}:./{name}")
                if data is not None:
                    (Path(kept) / name).write_bytes(data)
            yield Path(kept)
        return
    yield None


def _git(folder: Path, *arguments: str) -> bytes | None:
    """What git says; ``None`` where there is no git, no repository, or no such object."""
    program = shutil.which("git")
    if program is None:
        return None
    done = subprocess.run(
        [program, "-C", str(folder), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.stdout if done.returncode == 0 else None


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
