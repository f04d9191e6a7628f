"""Every fault of the table ends as it should: as a command, as a test, and again once the Hub is well."""

import pytest

from tests.faults.rows import ROWS, Row
from tests.faults.scene import TOKEN, Scene
from tests.faults.table import Result, Results, run_table

ELSEWHERE = [row for row in ROWS if row.fault.startswith("another host")]

by_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@pytest.fixture(scope="module")
def results(
    request: pytest.FixtureRequest, scene: Scene, tmp_path_factory: pytest.TempPathFactory
) -> Results:
    """Results of the rows that were chosen, or of all of them."""
    chosen = [
        item.callspec.params["row"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and "row" in item.callspec.params
    ]
    rows = [row for row in ROWS if row in chosen] or ROWS
    return run_table(scene, rows, tmp_path_factory.mktemp("table"))


@pytest.fixture
def result(results: Results, row: Row) -> Result:
    return results.of[row.name]


@by_row
def test_the_command_ends_with_the_right_status_and_says_why(row: Row, result: Result) -> None:
    ended = result.command
    said = ended.out if ended.out else "\n".join(ended.lines)
    assert ended.status == row.status, said
    for words in row.says:
        assert words.replace("REPO", result.repo) in said
    if row.status in (0, 1) or ended.out:
        assert ended.lines == []
    else:
        assert len(ended.lines) == 1, ended.lines
        assert ended.lines[0].startswith("sslauth: error: ")
        assert ended.lines[0].endswith(")"), "no remedy"


@by_row
def test_the_test_passes_only_where_the_command_found_it_authentic(row: Row, result: Result) -> None:
    tested = result.test
    assert tested.outcome == ("passed" if row.status == 0 else "failed"), tested.report
    for words in row.says if row.status else ():
        assert words.replace("REPO", result.repo.replace("command/", "test/")) in tested.report


@by_row
def test_nothing_stays_broken(row: Row, result: Result) -> None:
    for again in (result.command_again, result.test_again):
        assert again.status == row.after, again.err


@by_row
def test_nobody_sees_a_traceback(row: Row, result: Result) -> None:
    for text in (result.command.out, result.command.err, result.test.report, result.command_again.err):
        assert "Traceback" not in text
        assert "internal error" not in text


def test_nobody_but_the_hub_sees_the_token(results: Results) -> None:
    assert results.leaks == []
    assert TOKEN not in results.output
    for result in results.of.values():
        for ended in (result.command, result.command_again, result.test_again):
            assert TOKEN not in ended.out + ended.err
        assert TOKEN not in result.test.report


@pytest.mark.parametrize("row", ELSEWHERE, ids=lambda row: row.name)
def test_the_client_was_sent_to_the_other_host(row: Row, result: Result, scene: Scene) -> None:
    """Otherwise these rows would end well because nobody was led astray."""
    for repo in (result.repo, result.repo.replace("command/", "test/")):
        sent = [request for request in scene.hub.requests if repo in request.path]
        asked = [request for request in scene.elsewhere.requests if repo in request.path]
        if row.name == "another-host-for-files":  # the client asks for their sizes, and does not follow
            assert any("/resolve/" in request.path for request in sent), repo
            assert not asked, repo
        else:
            assert asked, repo


def test_there_are_rows_of_another_host() -> None:
    assert [row.name for row in ELSEWHERE] == [
        "another-host-for-files",
        "another-host-for-the-page",
        "another-host-for-everything",
    ]
