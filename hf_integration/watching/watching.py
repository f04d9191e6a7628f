"""Checking once, and remembering what came of it, whatever that was."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from hf_integration.base.errors import ENDING, SSLAuthError
from hf_integration.base.output_files import write_whole
from hf_integration.base.vocabulary import ExitStatus
from hf_integration.verdict import Verdict
from hf_integration.watching.entry import Entry, Subject, of_error, of_verdict
from hf_integration.watching.history import History
from hf_integration.watching.prometheus import metrics
from hf_integration.watching.standing import standings


@dataclass(frozen=True)
class Watch:
    """One subject that is checked again and again.

    Attributes:
        subject: who.
        history: where every check is recorded.
        check: checks once; raises what a command would end with.
        explained: what an error says in one line without secrets, and the exit status that it stands for.
    """

    subject: Subject
    history: History
    check: Callable[[], Verdict]
    explained: Callable[[BaseException], tuple[str, int]]

    def once(self) -> tuple[Entry, SSLAuthError | None]:
        """Check once and record it. A check that is interrupted leaves nothing: its absence has an age.

        Returns:
            The entry; and why it could not be recorded, if so.

        Raises:
            BaseException: the first check of a subject was wrong usage. That is recorded of nobody, so that a
                name that was misspelt does not stay in a history for ever.
        """
        began, clock = datetime.now(UTC).replace(microsecond=0), time.monotonic()
        try:
            verdict = self.check()
        except ENDING:
            raise
        except BaseException as error:
            reason, status = self.explained(error)
            if status == ExitStatus.USAGE and not self.history.knows(self.subject):
                raise
            seconds = time.monotonic() - clock
            entry = of_error(reason, status, self.subject, began=began, seconds=seconds)
        else:
            seconds, subject = time.monotonic() - clock, self.subject
            if verdict.deployment is not None:  # an entry may name another server by now
                subject = replace(subject, endpoint=verdict.deployment.address)
            entry = of_verdict(verdict, subject, began=began, seconds=seconds)
        try:
            return self.history.record(entry), None
        except SSLAuthError as error:
            return entry, error


def write_metrics(path: Path, history: History) -> None:
    """Write how every subject of a history stands, whole, for the textfile collector of node_exporter.

    The history is held meanwhile: of two watches that write one file, the last to write knows both checks.

    Raises:
        SSLAuthError: the history cannot be read, or the file cannot be written.
    """
    with history.held() as entries:
        said = metrics(standings(entries, now=datetime.now(UTC)))
        write_whole(path, f"{said}\n".encode(errors="backslashreplace"))
