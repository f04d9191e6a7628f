"""What the workers of one run share, so that each encoder is checked once in all of them.

The controller makes a folder for the run and draws a key; both reach the workers by the channel that starts
them. Only a result that bears the key's seal is believed: anybody may write to ``/tmp``. Whatever is wrong
with the folder, a worker checks for itself.
"""

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_INPUT = "sslauth_shared"
"""What the controller tells its workers."""

MOST_BYTES = 64 << 20
"""Of a result; what is larger is not shared. The pictures of a page are the largest part."""


class RunFolder:
    """The folder of a run: made when the first worker starts, and gone when the run ends."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._secret = ""

    def tell(self, workerinput: dict[str, Any]) -> None:
        """Tell a worker the place and the key.

        Args:
            workerinput: what pytest-xdist starts the worker with.
        """
        if self._folder is None:
            try:
                self._folder = Path(tempfile.mkdtemp(prefix="sslauth-"))  # for its owner only
            except OSError:
                return
            self._secret = os.urandom(32).hex()
        workerinput[_INPUT] = {"folder": str(self._folder), "secret": self._secret}

    def remove(self) -> None:
        """Nothing of a run is left to the next one."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


_RUN_FOLDER = pytest.StashKey[RunFolder]()


def run_folder(config: pytest.Config) -> RunFolder:
    """The folder of the run that a controller's configuration belongs to."""
    if _RUN_FOLDER not in config.stash:
        config.stash[_RUN_FOLDER] = RunFolder()
        config.add_cleanup(config.stash[_RUN_FOLDER].remove)
    return config.stash[_RUN_FOLDER]


@dataclass(frozen=True)
class SharedResults:
    """Results of this run's workers.

    Attributes:
        folder: holds one file for each result, and one for each lock.
        secret: key of the run.
    """

    folder: Path
    secret: bytes

    @classmethod
    def of(cls, config: pytest.Config) -> "SharedResults | None":
        """What this worker shares with others; ``None`` if it is none, or may not trust the folder."""
        said = getattr(config, "workerinput", {}).get(_INPUT)
        if said is None:
            return None
        folder = Path(said["folder"])
        return cls(folder, bytes.fromhex(said["secret"])) if _is_private(folder) else None

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Wait until no other worker works out the result of this name; one that dies makes way.

        Args:
            name: of the result.
        """
        from filelock import FileLock

        with ExitStack() as held:
            # on a file system without locks two workers may make the same check
            with suppress(OSError, NotImplementedError):
                held.enter_context(FileLock(self.folder / f"{name}.lock"))
            yield

    def read(self, name: str) -> Any:
        """The result of this name; ``None`` if there is none, or none that a worker of this run wrote."""
        import hmac

        try:
            descriptor = os.open(self._file(name), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
            with os.fdopen(descriptor, "rb") as stream:
                seal, _, text = stream.read(MOST_BYTES).partition(b"\n")
        except OSError:
            return None
        return json.loads(text) if hmac.compare_digest(seal, self._seal(name, text)) else None

    def write(self, name: str, result: Any) -> None:
        """Leave a result to other workers. Nothing depends on it, so a full disk is no failure.

        Args:
            name: of the result, safe in a file's name.
            result: plain JSON values.
        """
        from hf_integration.base.errors import OutputError
        from hf_integration.base.output_files import write_whole

        text = json.dumps(result).encode()
        if len(text) < MOST_BYTES // 2:
            with suppress(OutputError):
                write_whole(self._file(name), self._seal(name, text) + b"\n" + text, secret=True)

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _seal(self, name: str, text: bytes) -> bytes:
        import hmac

        return hmac.digest(self.secret, name.encode() + b"\n" + text, hashlib.sha256).hex().encode()


def _is_private(folder: Path) -> bool:
    """Whether only this user can have put anything into a folder."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    mine = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
    return stat.S_ISDIR(found.st_mode) and mine and not found.st_mode & 0o077
