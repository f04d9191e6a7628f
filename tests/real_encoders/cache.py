"""A folder for what takes long to build: built once, whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock


def cache_root() -> Path:
    """Where built encoders are kept: ``SSLAUTH_TEST_CACHE``, else a folder in the user's cache."""
    chosen = os.environ.get("SSLAUTH_TEST_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "sslauth-tests"


def cached_folder(name: str, build: Callable[[Path], None]) -> Path:
    """The cached folder of that name, built first where there is none.

    A second process waits for the first, since two trainings at once would take both twice as long.

    Args:
        name: of the folder, with a version that changes with the recipe.
        build: fills the empty folder that it is given.
    """
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    folder = root / name
    with FileLock(root / f".{name}.lock"):
        if not folder.is_dir():
            unfinished = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
            try:
                build(unfinished)
                unfinished.rename(folder)  # atomic: a killed build leaves no half encoder under the name
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
    return folder
