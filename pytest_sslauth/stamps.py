"""What embeds texts, held against a stamp: that of an index, or a snapshot of the project's own."""

import os
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.errors import OutputError, UsageError, in_one_line
from hf_integration.base.output_files import check_own, write_whole
from hf_integration.base.text import harmless
from hf_integration.stamps.checking import check_stamp
from hf_integration.stamps.from_answers import stamp_function
from hf_integration.stamps.stamp import Stamp, is_line
from pytest_sslauth.options import Settings
from pytest_sslauth.outcome import Outcome, compared, not_checked

if TYPE_CHECKING:
    from hf_integration.stamps.likeness import Likeness

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
"""What a snapshot may be called: a file in one folder on every system."""

PENDING = ".new.json"
"""How the file ends that a failing test leaves."""


class Stamps:
    """Holds what embeds texts against stamps. Nothing is remembered: it may embed otherwise the next time.

    Args:
        settings: what all checks of the session have in common.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def of_file(
        self, stamp: "str | os.PathLike[str] | Stamp", embed: object, accept: float
    ) -> "tuple[Outcome, Likeness | None]":
        """Hold what embeds texts against the stamp of an index.

        Args:
            stamp: a file, relative to rootdir, or what is in it.
            embed: what embeds texts.
            accept: distance up to which embeddings are taken for the same.

        Returns:
            The outcome, and what was found if the question could be answered.
        """
        try:
            if isinstance(stamp, str | os.PathLike) and not is_line(stamp):
                stamp = self._settings.rootdir / stamp
            likeness = check_stamp(stamp, embed, accept=accept)
            return compared(likeness), likeness
        except Exception as error:
            return not_checked("stamp", error), None

    def of_snapshot(self, name: str, embed: object, accept: float) -> "tuple[Outcome, Likeness | None]":
        """Hold what embeds texts against a snapshot; if it differs, leave another one to be accepted.

        Args:
            name: of the snapshot, safe as the name of a file.
            embed: what embeds texts.
            accept: distance up to which embeddings are taken for the same.

        Returns:
            The outcome, and what was found if the question could be answered.
        """
        file = self._settings.stamps / f"{name}.json"
        kept, found = None, None
        try:
            if not file.is_file():
                raise UsageError(f"there is no snapshot {self._shown(file)}")
            kept = Stamp.load(file)
            found = check_stamp(kept, embed, accept=accept)
            outcome = compared(found)
        except Exception as error:
            outcome = not_checked(name, error)
        if not outcome.failure:
            return outcome, found
        return replace(outcome, failure=f"{outcome.failure}\n{self._pending(file, kept, name, embed)}"), found

    def _pending(self, file: Path, kept: Stamp | None, name: str, embed: object) -> str:
        """Leave what is embedded now beside a snapshot, and say by which command it becomes the snapshot."""
        pending = file.with_name(f"{name}{PENDING}")
        try:
            made = stamp_function(embed, name=name, texts=None if kept is None else kept.texts)
            file.parent.mkdir(parents=True, exist_ok=True)
            check_own(pending)
            write_whole(pending, f"{made}\n".encode())
        except (OutputError, OSError) as error:
            return f"what is embedded now was not left to be accepted: {harmless(error)}"
        except Exception as error:
            return f"there is nothing to accept: {harmless(in_one_line(error))}"
        arguments = ["sslauth", "stamp", "--accept", self._shown(pending), "--out", self._shown(file)]
        command = shlex.join([*arguments, *(["--force"] if file.exists() else [])])
        where = harmless(self._settings.rootdir)
        return f"to accept what is embedded now, run in {where}: {harmless(command)}"

    def _shown(self, file: Path) -> str:
        rootdir = self._settings.rootdir
        return str(file.relative_to(rootdir) if file.is_relative_to(rootdir) else file)
