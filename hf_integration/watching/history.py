"""The history of checks: one SQLite file, to which each check is added in one transaction, or not at all.

A rollback journal keeps it whole, and no write-ahead log: that needs memory which all processes share, and so
no shared disk may hold it. A check is written once in a while, so the speed of a log would gain nothing.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hf_integration.base.errors import IntegrityError, OutputError, SSLAuthError, UsageError
from hf_integration.base.output_files import ELSEWHERE, check_file
from hf_integration.base.text import quoted
from hf_integration.watching.entry import Entry, Subject
from hf_integration.watching.rows import COLUMNS, TABLE, entry_of

APPLICATION = int.from_bytes(b"SSLA", "big")
"""In the header of every file that is ours (https://sqlite.org/fileformat.html#application_id)."""

SCHEMA = 1

SECONDS = 60.0
"""How long another process that writes is waited for; each writes for milliseconds."""

MOST_BYTES = 32 << 20
"""Of one check: a verdict that names every tensor of a large encoder has a few of them."""

_HEADER, _MAGIC = 100, b"SQLite format 3\x00"

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH}
"""What SQLite says of a file whose header is ours and whose content is not, as where a table is missing."""

_GET_ANOTHER = "move it away, or restore it from a copy"


@dataclass(frozen=True)
class History:
    """A history file. It is opened anew for whatever is done, so that one that was moved away is noticed.

    Attributes:
        path: the file; it is made when the first check is recorded.
    """

    path: Path

    def record(self, entry: Entry) -> Entry:
        """Add a check.

        Returns:
            The entry with its number.

        Raises:
            OutputError: the disk is full, the file must not be written, or another process keeps it locked.
            UsageError: the file is something else than a history, and stays as it is.
            IntegrityError: the history is damaged, and stays as it is.
        """
        values = {**entry.to_dict(), "verdict": entry.verdict}
        del values["number"]
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        with self._opened(to_write=True) as connection, _transaction(connection):
            self._prepare(connection)
            self._check_whole(connection)
            done = connection.execute(f"INSERT INTO checks ({names}) VALUES ({marks})", values)  # noqa: S608
            return replace(entry, number=int(done.lastrowid or 0))

    def check(self) -> None:
        """Find out before the work that a check could be recorded after it.

        Raises:
            SSLAuthError: as :meth:`record` does.
        """
        check_file(self.path)
        if self.path.exists():
            with self._opened(to_write=True) as connection, _transaction(connection):
                if not _is_empty(connection):
                    self._check_ours(connection)
                    self._check_whole(connection)

    def entries(self) -> list[Entry]:
        """Every check in the order in which they were recorded, without their verdicts.

        Raises:
            UsageError: there is no such file, or it is something else than a history.
            IntegrityError: the history is damaged.
        """
        with self._opened(to_write=False) as connection:
            if _is_empty(connection):
                return []
            self._check_ours(connection)
            self._check_whole(connection)
            return self._entries(connection)

    @contextmanager
    def held(self) -> Iterator[list[Entry]]:
        """The entries, while nobody else adds one: so the last to write about them knows them all."""
        with self._opened(to_write=True) as connection, _transaction(connection):
            self._prepare(connection)
            yield self._entries(connection)

    def knows(self, subject: Subject) -> bool:
        """Whether there is a check of a subject."""
        if not self.path.exists():
            return False
        asked = "SELECT 1 FROM checks WHERE (encoder, endpoint, model) = (?, ?, ?)"
        with self._opened(to_write=False) as connection:
            of = (subject.encoder, subject.endpoint, subject.model)
            return not _is_empty(connection) and connection.execute(asked, of).fetchone() is not None

    def verdict(self, number: int) -> str | None:
        """The verdict of one check as JSON; ``None`` for an error, or where there is no such check."""
        with self._opened(to_write=False) as connection:
            found = connection.execute("SELECT verdict FROM checks WHERE number = ?", (number,)).fetchone()
        return None if found is None else found[0]

    def _entries(self, connection: sqlite3.Connection) -> list[Entry]:
        asked = f"SELECT {', '.join(COLUMNS)} FROM checks ORDER BY number"  # noqa: S608  # names of ours
        found = []
        for row in connection.execute(asked):
            try:
                found.append(entry_of(dict(zip(COLUMNS, row, strict=True))))
            except (ValueError, TypeError) as error:
                raise self._damaged(f"check {row[0]}: {error}") from None
        return found

    @contextmanager
    def _opened(self, *, to_write: bool) -> Iterator[sqlite3.Connection]:
        """A connection; whatever SQLite raises becomes one line."""
        self._check_kind(to_write=to_write)
        # also to read: what a process that was killed left half-written is rolled back by the next that opens
        address = f"{self.path.absolute().as_uri()}?mode={'rwc' if to_write else 'rw'}"
        try:
            with closing(
                sqlite3.connect(address, uri=True, timeout=SECONDS, isolation_level=None)
            ) as connection:
                connection.execute("PRAGMA trusted_schema = OFF")  # a hostile file runs nothing
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
                connection.execute("PRAGMA synchronous = EXTRA")  # what was recorded outlives a power cut
                yield connection
        except sqlite3.Error as error:
            raise self._explained(error, to_write=to_write) from None

    def _check_kind(self, *, to_write: bool) -> None:
        """Look at the first bytes: SQLite itself would tidy up a foreign database that it opens.

        Raises:
            UsageError: it is something else, or missing where it is to be read.
        """
        try:
            if self.path.exists() and not self.path.is_file():
                raise UsageError(f"{self.path} is no file", remedy=ELSEWHERE)
            with self.path.open("rb") as file:
                head = file.read(_HEADER)
        except FileNotFoundError:
            if to_write:
                return
            raise UsageError(
                f"there is no history {self.path}", remedy="`sslauth watch --history FILE` makes one"
            ) from None
        except OSError as error:
            raise UsageError(f"cannot read {self.path}: {error.strerror or error}") from None
        if not head:
            return
        half_written = self.path.with_name(f"{self.path.name}-journal").exists()  # SQLite is to roll it back
        if half_written and (head.startswith(_MAGIC) or not any(head)):
            return
        if not head.startswith(_MAGIC) or int.from_bytes(head[68:72], "big") != APPLICATION:
            raise self._foreign()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the table in a new file; within a transaction, so that two processes do not both do it."""
        if _is_empty(connection):
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {SCHEMA}")
            connection.execute(TABLE)
        self._check_ours(connection)

    def _check_ours(self, connection: sqlite3.Connection) -> None:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (schema,) = connection.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION:
            raise self._foreign()
        if schema != SCHEMA:
            raise UsageError(
                f"{self.path} is a history of schema {schema}, and this version reads schema {SCHEMA}",
                remedy="use the version of sslauth that wrote it, or begin another file",
            )
        held = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        if ("table", "checks", TABLE) not in held or "trigger" in {kind for kind, _, _ in held}:
            raise self._damaged("its table is not the one that sslauth makes")

    def _check_whole(self, connection: sqlite3.Connection) -> None:
        """Let SQLite look through all pages: a damaged file must not be added to.

        Raises:
            IntegrityError: it finds fault.
        """
        (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            raise self._damaged(str(said).splitlines()[-1])

    def _explained(self, error: sqlite3.Error, *, to_write: bool) -> SSLAuthError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            return OutputError(
                f"another process keeps {self.path} locked", remedy="look for a watch that hangs"
            )
        if code in _DAMAGED:
            return self._damaged(str(error))
        if to_write:
            return OutputError(f"cannot write {self.path}: {error}", remedy="make room, or " + ELSEWHERE)
        return UsageError(f"cannot read {self.path}: {error}")

    def _foreign(self) -> UsageError:
        return UsageError(
            f"{self.path} is no history of sslauth, or its beginning is damaged", remedy=ELSEWHERE
        )

    def _damaged(self, what: str) -> IntegrityError:
        return IntegrityError(f"the history {self.path} is damaged: {quoted(what)}", remedy=_GET_ANOTHER)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing, and nobody else meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _is_empty(connection: sqlite3.Connection) -> bool:
    """Whether nobody has written anything, as in a file whose writer was killed before its first check."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(tables == 0)
