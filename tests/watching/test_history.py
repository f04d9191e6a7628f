"""The file of a history: recorded and read by real processes, several at once, on full disks, and damaged."""

import hashlib
import json
import resource
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hf_integration.base.errors import IntegrityError, OutputError, SSLAuthError, UsageError
from hf_integration.verdict import Verdict
from hf_integration.watching.entry import Entry, Subject
from hf_integration.watching.history import APPLICATION, SCHEMA, History
from tests.watching.histories import KINDS, SUBJECT, VERDICTS, deployment, entry


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "checks.db")


class TestRecording:
    @pytest.mark.parametrize("kind", KINDS)
    def test_what_is_read_is_what_was_recorded(self, history: History, kind: str) -> None:
        made = entry(kind)
        assert history.record(made) == replace(made, number=1)
        assert history.entries() == [replace(made, number=1, verdict=None)]

    @pytest.mark.parametrize("kind", VERDICTS)
    def test_the_whole_verdict_is_kept(self, history: History, kind: str) -> None:
        history.record(entry(kind, deployment=deployment("tei")))
        kept = history.verdict(1)
        assert kept is not None
        assert Verdict.from_dict(json.loads(kept)) == replace(VERDICTS[kind], deployment=deployment("tei"))

    def test_columns_answer_queries_without_reading_json(self, history: History) -> None:
        history.record(entry("altered", deployment=deployment(None)))
        with sqlite3.connect(history.path) as connection:
            row = connection.execute("SELECT encoder, endpoint, margin, found FROM checks").fetchone()
        assert row == ("search", SUBJECT.endpoint, 0.29, "no recipe that is known")

    def test_a_subject_is_known_once_it_was_checked(self, history: History) -> None:
        assert not history.knows(SUBJECT)
        history.record(entry("error"))
        assert history.knows(SUBJECT)
        assert not history.knows(Subject("search"))

    @pytest.mark.parametrize("name", ["a b.db", "ä?#%41.db", "x;y'\".db", "-rf"])
    def test_a_file_may_have_any_name(self, tmp_path: Path, name: str) -> None:
        History(tmp_path / name).record(entry("authentic"))
        assert [file.name for file in tmp_path.iterdir()] == [name]

    def test_nothing_is_left_beside_the_file(self, history: History) -> None:
        history.record(entry("authentic"))
        history.entries()
        assert [file.name for file in history.path.parent.iterdir()] == ["checks.db"]


WRITER = """
import sys
from pathlib import Path
from hf_integration.watching.history import History
from tests.watching.histories import entry
for number in range(int(sys.argv[2])):
    History(Path(sys.argv[1])).record(entry("authentic", hours=number))
"""


def start(code: str, *arguments: object, before: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    program = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(program, stderr=subprocess.PIPE, text=True, preexec_fn=before)  # noqa: PLW1509


def test_processes_that_record_at_once_lose_nothing(history: History) -> None:
    writers = [start(WRITER, history.path, 15) for _ in range(4)]  # they make the file at once as well
    assert [(writer.communicate()[1], writer.returncode) for writer in writers] == 4 * [("", 0)]
    entries = history.entries()
    assert [one.number for one in entries] == list(range(1, 61))
    assert set(Counter(one.began for one in entries).values()) == {4}


class TestAFullDisk:
    """The size of files is limited, as a quota does it: at every block, in journal and file."""

    @staticmethod
    def limited(size: int) -> Callable[[], None]:
        def before() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        return before

    @pytest.mark.parametrize("there", [False, True])
    def test_is_an_error_and_changes_nothing(self, history: History, there: bool) -> None:
        if there:
            history.record(entry("altered"))
        before = [one.number for one in history.entries()] if there else []
        full = 0
        for size in (0, 1, *range(512, 16_384, 2048)):
            writer = start(WRITER, history.path, 1, before=self.limited(size))
            said = writer.communicate()[1]
            assert (writer.returncode == 0) == (said == "")
            if said == "":
                break
            full += 1
            assert "OutputError: cannot write" in said.splitlines()[-1], said
            assert [one.number for one in history.entries()] == before if history.path.exists() else not there
        assert full >= 2
        assert [one.number for one in history.entries()] == [*before, len(before) + 1]


def content(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def refused(history: History, kind: type[SSLAuthError]) -> str:
    """Neither reading nor writing does anything but say why, in one line, and nothing is changed."""
    before = content(history.path.parent)
    said = []
    for act in (history.check, lambda: history.record(entry("authentic")), history.entries):
        with pytest.raises(kind) as raised:
            act()
        said.append(str(raised.value))
    assert content(history.path.parent) == before
    assert [line for line in said if "\n" in line or str(history.path) not in line] == []
    return said[0]


def other_database(path: Path, *, wal: bool = False) -> None:
    with sqlite3.connect(path) as connection:
        if wal:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE checks (number INTEGER)")
    connection.close()


class TestForeignFiles:
    @pytest.mark.parametrize("wal", [False, True])
    def test_another_database_stays_as_it_is(self, history: History, wal: bool) -> None:
        other_database(history.path, wal=wal)
        assert "is no history of sslauth" in refused(history, UsageError)

    def test_another_database_that_somebody_writes_stays_as_it_is(self, history: History) -> None:
        connection = sqlite3.connect(history.path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE checks (number INTEGER)")
        connection.commit()
        assert (history.path.parent / "checks.db-wal").exists()
        refused(history, UsageError)
        connection.close()

    @pytest.mark.parametrize(
        "written", [b"\n", b"notes\n", b"SQLite format 3\x00", b"\x00" * 8192, b"version = 1\n" * 999]
    )
    def test_another_file_stays_as_it_is(self, history: History, written: bytes) -> None:
        history.path.write_bytes(written)
        refused(history, UsageError)

    def test_another_database_with_a_journal_stays_as_it_is(self, history: History) -> None:
        other_database(history.path)
        (history.path.parent / "checks.db-journal").write_bytes(b"")
        with pytest.raises(UsageError):
            history.record(entry("authentic"))
        with sqlite3.connect(history.path) as connection:
            assert connection.execute("SELECT * FROM checks").fetchall() == []

    @pytest.mark.parametrize("written", [b"\n", b"notes\n", b"version = 1\n" * 999])
    def test_another_file_with_a_journal_stays_as_it_is(self, history: History, written: bytes) -> None:
        history.path.write_bytes(written)
        journal = history.path.parent / "checks.db-journal"
        journal.write_bytes(b"mine")
        refused(history, UsageError)
        assert journal.read_bytes() == b"mine"

    def test_a_history_of_another_schema_is_not_touched(self, history: History) -> None:
        history.record(entry("authentic"))
        with sqlite3.connect(history.path) as connection:
            connection.execute(f"PRAGMA user_version = {SCHEMA + 1}")
        assert f"schema {SCHEMA + 1}" in refused(history, UsageError)

    @pytest.mark.parametrize(
        "statement",
        [
            "CREATE TRIGGER t AFTER INSERT ON checks BEGIN DELETE FROM checks WHERE number > 0; END",
            "ALTER TABLE checks ADD COLUMN more TEXT",
            "ALTER TABLE checks RENAME TO others",
        ],
    )
    def test_a_history_with_other_tables_is_damaged(self, history: History, statement: str) -> None:
        history.record(entry("authentic"))
        with sqlite3.connect(history.path) as connection:
            connection.execute(statement)
        refused(history, IntegrityError)

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("began", "yesterday"),
            ("began", "2026-11-3T09:00:00Z"),
            ("began", b"2026-11-03T09:00:00Z"),
            ("seconds", "long"),
            ("seconds", float("inf")),
            ("margin", "wide"),
            ("margin", float("-inf")),
            ("exit_status", 0),
            ("exit_status", "1"),
            ("exit_status", 1.5),
            ("trust", b"\xff"),
            ("found", 7.5),
            ("number", 0),
            ("number", -1),
            ("number", 2**53 + 1),
            ("number", 2**63 - 1),  # the next check would get any number, and this stay the newest
        ],
    )
    def test_a_value_that_no_check_has_is_damage(self, history: History, column: str, value: object) -> None:
        history.record(entry("inconclusive"))
        with sqlite3.connect(history.path) as connection:
            connection.execute(f"UPDATE checks SET {column} = ?", (value,))  # noqa: S608
        if (column, value) == ("found", 7.5):
            assert history.entries()[0].found == "7.5"  # a text column makes text of numbers
            return
        with pytest.raises(IntegrityError, match=r"check -?\d+: |CHECK constraint"):
            history.entries()

    def test_an_outcome_cannot_be_turned_into_a_pass(self, history: History) -> None:
        history.record(entry("error"))
        with sqlite3.connect(history.path) as connection, pytest.raises(sqlite3.IntegrityError):
            connection.execute("UPDATE checks SET outcome = 'authentic', exit_status = 0")

    def test_a_folder_or_a_device_is_refused(self, tmp_path: Path) -> None:
        for path in (tmp_path, Path("/dev/null")):
            with pytest.raises(SSLAuthError):
                History(path).record(entry("authentic"))
            with pytest.raises(UsageError):
                History(path).entries()

    def test_a_missing_file_is_named_and_not_made_by_reading(self, history: History) -> None:
        with pytest.raises(UsageError, match="there is no history"):
            history.entries()
        assert not history.path.exists()

    def test_an_empty_file_is_an_empty_history(self, history: History) -> None:
        history.path.write_bytes(b"")
        assert history.entries() == []
        assert history.record(entry("authentic")).number == 1


def what_decides(one: Entry) -> tuple[object, ...]:
    return one.number, one.outcome, one.exit_status


class TestDamagedFiles:
    @pytest.fixture
    def whole(self, history: History) -> bytes:
        for hour in range(12):
            history.record(entry(KINDS[hour % len(KINDS)], hours=hour))
        return history.path.read_bytes()

    def test_a_cut_or_zeros_anywhere_are_noticed_or_in_what_decides_nothing(
        self, history: History, whole: bytes
    ) -> None:
        expected = history.entries()
        blocks = range(0, len(whole), 512)
        damaged = [whole[: begin + 1] for begin in blocks]
        damaged += [whole[:begin] + bytes(512) + whole[begin + 512 :] for begin in blocks]
        noticed = 0
        for content_now in damaged:
            history.path.write_bytes(content_now)
            try:
                found = history.entries()
            except SSLAuthError:
                noticed += 1
                refused(history, SSLAuthError)
            else:  # within one text, or where nothing is
                decides = [
                    [(one.number, one.outcome, one.exit_status) for one in of] for of in (found, expected)
                ]
                assert decides[0] == decides[1]
        assert noticed > len(blocks)


def test_a_history_that_somebody_keeps_locked_is_named(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hf_integration.watching.history.SECONDS", 0.05)
    history.record(entry("authentic"))
    other = sqlite3.connect(history.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(OutputError, match="another process keeps"):
            history.record(entry("authentic"))
    finally:
        other.close()


def test_the_header_says_whose_file_it_is(history: History) -> None:
    history.record(entry("authentic"))
    head = history.path.read_bytes()[:100]
    assert head[68:72] == b"SSLA" == APPLICATION.to_bytes(4, "big")
    assert head[18:20] == b"\x01\x01"  # a rollback journal, and no log that a shared disk could not hold


def test_a_process_that_is_killed_while_others_record_does_not_stop_them(history: History) -> None:
    victim, other = start(WRITER, history.path, 10_000), start(WRITER, history.path, 30)
    other.communicate()
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    assert other.returncode == 0
    entries = history.entries()
    assert [one.number for one in entries] == list(range(1, len(entries) + 1))
    assert history.record(entry("altered")).number == len(entries) + 1
