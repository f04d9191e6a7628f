"""Pools of files: a folder of images, recordings or texts, or one such file."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from hf_integration.base.errors import KeySampleError
from hf_integration.base.vocabulary import Modality
from hf_integration.key_samples.pools.audio import read_audio
from hf_integration.key_samples.pools.images import read_image
from hf_integration.key_samples.pools.pool import Pool, named
from hf_integration.key_samples.pools.texts import SUFFIXES as TEXT_SUFFIXES
from hf_integration.key_samples.pools.texts import read_texts
from hf_integration.key_samples.samples import Sample

SUFFIXES: dict[Modality, frozenset[str]] = {
    "image": frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif"}),
    "text": TEXT_SUFFIXES,
    "audio": frozenset({".wav", ".flac", ".ogg"}),
}
"""Endings of the files that a pool of each modality takes."""

MOST_FILES = 1_000_000
MOST_FILE_BYTES = 256 * 1024 * 1024

_NOUNS: dict[Modality, str] = {"image": "images", "text": "texts", "audio": "recordings"}


def modality_of_file(path: Path) -> Modality | None:
    """Modality that a file's ending stands for, if any."""
    return next((kind for kind, suffixes in SUFFIXES.items() if path.suffix.lower() in suffixes), None)


def files_under(source: Path) -> Iterator[Path]:
    """The file itself, or the files under a folder, without hidden ones and special files.

    Symbolic links to folders are not followed, so that no loop is entered; links to files are.

    Raises:
        KeySampleError: a folder cannot be listed, or there are more than a million files.
    """
    if source.is_file():
        yield source
        return

    def refuse(error: OSError) -> None:
        shown = named(error.filename or source)
        raise KeySampleError(f"the folder {shown} cannot be read: {error.strerror}") from None

    found = 0
    for folder, subfolders, names in os.walk(source, onerror=refuse):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if name.startswith(".") or not path.is_file():
                continue
            found += 1
            if found > MOST_FILES:
                raise KeySampleError(f"the folder {named(source)} holds more than {MOST_FILES} files")
            yield path


def wrong_modality(source: object, modality: Modality, found: str) -> KeySampleError:
    """The refusal of a pool that holds nothing of the modality that the encoder takes."""
    return KeySampleError(
        f"the pool {named(source)} holds no {_NOUNS[modality]}: found {found}",
        remedy=f"this encoder takes {modality}; give files of {', '.join(sorted(SUFFIXES[modality]))} "
        "or a data set with such a column",
    )


class LocalFilePool(Pool):
    """Files of one modality under a folder, or one file.

    Args:
        source: an existing folder or file.
        modality: kind of raw sample; files of other kinds are left aside.

    Raises:
        KeySampleError: nothing of that modality, or a text file that cannot be read.
    """

    def __init__(self, source: Path, modality: Modality) -> None:
        self.name = source.resolve().name
        self.modality = modality
        self._root = source if source.is_dir() else source.parent
        counts: Counter[str] = Counter()
        paths = []
        for path in files_under(source):
            kind = modality_of_file(path)
            counts[_NOUNS[kind] if kind else "other files"] += 1
            if kind == modality:
                paths.append(path)
        if not paths:
            found = ", ".join(
                f"{count} {'files of ' * (noun == 'texts')}{noun}" for noun, count in counts.items()
            )
            raise wrong_modality(source, modality, found or "nothing")
        paths.sort(key=self._relative)
        self._entries: list[Path | str] = list(paths)
        if modality == "text":
            self._entries = [text for path in paths for text in read_texts(path, self._relative(path))]

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def __len__(self) -> int:
        return len(self._entries)

    def read(self, position: int) -> Sample:
        """The text, or the content of the file, at a position."""
        entry = self._entries[position]
        if isinstance(entry, str):
            return entry
        name = self._relative(entry)
        content = read_bytes(entry, name)
        return read_image(content, name) if self.modality == "image" else read_audio(content, name)


def read_bytes(path: Path, name: object) -> bytes:
    """Content of a file of at most 256 MiB.

    Raises:
        KeySampleError: not readable, or larger.
    """
    try:
        if path.stat().st_size > MOST_FILE_BYTES:
            raise KeySampleError(f"the file {named(name)} is larger than {MOST_FILE_BYTES >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise KeySampleError(f"the file {named(name)} cannot be read: {error.strerror}") from None
