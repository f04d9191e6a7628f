"""The files that an encoder is loaded from, and their digests as OpenSSF Model Signing counts them."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from hf_integration.base.errors import EncoderError, FlawError
from hf_integration.base.files import sha256_of
from hf_integration.base.text import quoted
from hf_integration.snapshot.resolving import Snapshot
from hf_integration.snapshot.selection import MODULES, encoder_files, local_names, module_folders


def needed_files(snapshot: Snapshot) -> tuple[str, ...]:
    """Names of the files that an encoder is loaded from: safetensors and settings; no code, no pickle."""
    if snapshot.repo is not None:
        return snapshot.files

    def content(name: str) -> bytes | None:
        path = snapshot.path / name
        return path.read_bytes() if path.is_file() else None

    names = encoder_files(local_names(snapshot.path), module_folders(content(MODULES), content))
    # an encoder needs nothing hidden; credentials and drafts are
    return tuple(name for name in names if not PurePosixPath(name).name.startswith("."))


def digests_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 in hexadecimal of files, by name, in the order of :func:`in_order`.

    Raises:
        EncoderError: a file cannot be read.
    """
    found: dict[str, str] = {}
    for name in in_order(names):
        try:
            found[name] = sha256_of(folder / name)
        except FlawError as flaw:
            raise EncoderError(f"{quoted(name)}: {flaw.reason}", remedy="check the folder") from None
    return found


def in_order(names: Iterable[str]) -> list[str]:
    """Names of files as model-signing sorts them: part by part, so that ``a/b`` comes before ``a-b``."""
    return sorted(names, key=PurePosixPath)


def digest_of_all(digests: Mapping[str, str]) -> str:
    """One SHA-256 in hexadecimal for all files, as model-signing names a model by it.

    It is the digest of the files' digests in the order of :func:`in_order`. Names are not part of it.
    """
    return hashlib.sha256(b"".join(bytes.fromhex(digests[name]) for name in in_order(digests))).hexdigest()
