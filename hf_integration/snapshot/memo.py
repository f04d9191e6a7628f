"""Which cached files were hashed before, so that gigabytes are not hashed again at every check.

A file counts as untouched while size, modification time, change time, inode and device are those that were
noted. An edit in place that sets the modification time back still moves the change time, which nobody can
set but whoever sets the clock. The notes are only as safe as the cache beside them: who may write to either
is trusted with both, and the tensors that are loaded are compared with the card in any case.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path

MOST_BYTES = 4096


class Memo:
    """Notes of hashed files, one small file each, so that many processes can write them at once.

    Args:
        folder: where they lie; where it cannot be written nothing is noted, and files are hashed every time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def knows(self, path: Path, state: os.stat_result, digest: str) -> bool:
        """Whether a file had this digest when it was in this state."""
        note = self._place(path)
        try:
            if note.stat().st_size > MOST_BYTES:
                return False
            known = json.loads(note.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return False
        return bool(known == self._content(path, state, digest))

    def note(self, path: Path, state: os.stat_result, digest: str) -> None:
        """Note a digest, unless the file was touched since it was in that state."""
        if not _same(path.stat(), state):
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as stream:
                    json.dump(self._content(path, state, digest), stream)
                Path(name).replace(self._place(path))
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise

    def _place(self, path: Path) -> Path:
        return self._folder / f"{hashlib.sha256(os.fsencode(path)).hexdigest()}.json"

    @staticmethod
    def _content(path: Path, state: os.stat_result, digest: str) -> dict[str, str | int]:
        return {
            "path": str(path),
            "digest": digest,
            "size": state.st_size,
            "mtime_ns": state.st_mtime_ns,
            "ctime_ns": state.st_ctime_ns,
            "inode": state.st_ino,
            "device": state.st_dev,
        }


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    fields = ("st_size", "st_mtime_ns", "st_ctime_ns", "st_ino", "st_dev")
    return all(getattr(one, field) == getattr(other, field) for field in fields)
