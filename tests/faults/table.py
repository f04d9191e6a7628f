"""Running the table: every row as a command and as a test, and again when the Hub is well."""

import contextlib
import re
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.faults.rows import Row
from tests.faults.running import Check, Ended, Tested, commands, run_pytest
from tests.faults.scene import TOKEN, Place, Scene

AT_ONCE = 4  # commands; most of them wait


@dataclass(frozen=True)
class Result:
    """What became of one row.

    Attributes:
        row: the row.
        repo: the repository of the command; the test's is another.
        command: how the command ended.
        test: how the test ended.
        command_again: how a command ended afterwards on the command's repository, with the Hub well.
        test_again: the same on the test's repository.
    """

    row: Row
    repo: str
    command: Ended
    test: Tested
    command_again: Ended
    test_again: Ended


@dataclass(frozen=True)
class Results:
    """What became of the table.

    Attributes:
        of: results by the rows' names.
        output: everything that the runs of pytest wrote.
        leaks: places besides the Hub that learned the token.
    """

    of: dict[str, Result]
    output: str
    leaks: list[str]


def run_table(scene: Scene, rows: Sequence[Row], work: Path) -> Results:
    """Run rows of the table in an empty folder."""
    by_command = {row.name: _check(row, "command") for row in rows}
    by_test = {row.name: _check(row, "test") for row in rows}
    for checks in (by_command, by_test):
        for row in rows:
            row.arrange(Place(scene, checks[row.name].repo))
    home = work / "home"
    paces = {row.pace: {r.name: by_test[r.name] for r in rows if r.pace == row.pace} for row in rows}
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(commands, scene, by_command, home=home, work=work / "commands", at_once=AT_ONCE)
        runs = [
            pool.submit(run_pytest, scene, checks, home=home, work=work / pace)
            for pace, checks in paces.items()
        ]
        ended, output = first.result(), ""
        tested: dict[str, Tested] = {}
        for run in runs:
            some, text = run.result()
            tested |= some
            output += text
    scene.hub.faults.clear()
    for text in (*(done.err for done in ended.values()), *(done.report for done in tested.values())):
        _do_as_told(text, home)
    both = {f"command-{name}": check for name, check in by_command.items()}
    both |= {f"test-{name}": check for name, check in by_test.items()}
    again = commands(scene, both, home=home, work=work / "again", at_once=2)
    results = {
        row.name: Result(
            row,
            by_command[row.name].repo,
            ended[row.name],
            tested[row.name],
            again[f"command-{row.name}"],
            again[f"test-{row.name}"],
        )
        for row in rows
    }
    return Results(results, output, [*_leaks(scene, home)])


def _check(row: Row, by: str) -> Check:
    return Check(f"{by}/{row.name}", row.revision, row.own_card)


def _do_as_told(message: str, home: Path) -> None:
    """Follow the remedy of a message that tells to delete something in the cache."""
    for path in map(Path, re.findall(r"delete (/[^\s)]+)", message)):
        assert path.is_relative_to(home)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _leaks(scene: Scene, home: Path) -> Iterator[str]:
    for request in (*scene.hub.requests, *scene.elsewhere.requests):
        stranger = request.server == "cdn" or request in scene.elsewhere.requests
        if stranger and ("authorization" in request.headers or TOKEN in f"{request.path}{request.query}"):
            yield f"{request.server}: {request.method} {request.path}"
    for path in filter(Path.is_file, home.rglob("*")):
        with contextlib.suppress(OSError):
            if TOKEN.encode() in path.read_bytes():
                yield str(path)
