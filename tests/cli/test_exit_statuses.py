"""Every end of the command has its status, and 1 is an altered encoder and nothing else."""

import errno
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from hf_integration.base import errors
from hf_integration.base.vocabulary import ExitStatus
from hf_integration.cli import application
from hf_integration.cli.entry import main
from tests.cli.conftest import Ended

Run = Callable[..., Ended]


def commands() -> dict[str, tuple[str, ...]]:
    """Every command that the application has, with something for whatever it cannot be parsed without."""

    def required(parameter: Any) -> tuple[str, ...]:
        return ("something",) if parameter.param_type_name == "argument" else (parameter.opts[0], "something")

    return {
        name: (name, *(part for p in command.params if p.required for part in required(p)))
        for name, command in application.command().commands.items()
    }


COMMANDS = commands()


def end_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let every command fail this way as soon as it does something."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("hf_integration.cli.streams.Streams.chosen", fail)


class Foreign(Exception):  # noqa: N818  # somebody else's name
    """An exception that nobody expected."""


@pytest.mark.parametrize("command", COMMANDS)
class TestEveryCommand:
    def test_a_crash_ends_with_70_and_a_hint(
        self, sslauth: Run, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        end_with(monkeypatch, Foreign("boom\x1b[2J"))
        ended = sslauth(*COMMANDS[command])
        assert (ended.status, ended.out) == (70, "")
        crash, hint = ended.err.splitlines()
        assert crash == r"sslauth: internal error: Foreign: boom\x1b[2J"
        assert "SSLAUTH_TRACEBACK=1" in hint

    def test_a_name_that_no_file_can_have_ends_with_2(
        self, sslauth: Run, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        end_with(monkeypatch, OSError(errno.ENAMETOOLONG, "File name too long", "n" * 5000))
        ended = sslauth(*COMMANDS[command])
        assert (ended.status, ended.out) == (2, "")
        assert ended.err.startswith("sslauth: error: File name too long: nnn")
        assert len(ended.err) < 400

    def test_an_interruption_ends_with_130(
        self, sslauth: Run, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        end_with(monkeypatch, KeyboardInterrupt())
        assert sslauth(*COMMANDS[command]) == Ended(130, "", "sslauth: interrupted\n")

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EPIPE])
    def test_no_room_ends_with_2(
        self, sslauth: Run, monkeypatch: pytest.MonkeyPatch, command: str, number: int
    ) -> None:
        end_with(monkeypatch, OSError(number, "no room", "file"))
        assert sslauth(*COMMANDS[command]) == Ended(2, "", "sslauth: error: no room: file\n")

    @pytest.mark.parametrize("error", [SystemExit(1), SystemExit(0), MemoryError(), RecursionError("deep")])
    def test_nothing_else_gets_through_as_0_or_1(
        self, sslauth: Run, monkeypatch: pytest.MonkeyPatch, command: str, error: BaseException
    ) -> None:
        end_with(monkeypatch, error)
        assert sslauth(*COMMANDS[command]).status == 70


KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.SSLAuthError) and kind is not errors.CardError
]


class TestErrors:
    @pytest.mark.parametrize("kind", KINDS)
    def test_an_error_raised_on_purpose_has_its_own_status_and_one_line(
        self, sslauth: Run, monkeypatch: pytest.MonkeyPatch, kind: type[errors.SSLAuthError]
    ) -> None:
        end_with(monkeypatch, kind("what is wrong", remedy="what to do"))
        expected = Ended(kind.exit_status, "", "sslauth: error: what is wrong (what to do)\n")
        assert sslauth("verify", "tiny") == expected
        assert kind.exit_status in (2, 3, 4, 70)

    @pytest.mark.parametrize("status", [ExitStatus.DONE, ExitStatus.ALTERED])
    def test_an_error_that_claims_a_verdicts_status_is_a_defect(
        self, sslauth: Run, monkeypatch: pytest.MonkeyPatch, status: ExitStatus
    ) -> None:
        class LyingError(errors.SSLAuthError):
            exit_status = status

        end_with(monkeypatch, LyingError("wrong"))
        assert sslauth("verify", "tiny").status == 70

    def test_the_traceback_is_shown_when_asked_for(
        self, sslauth: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        end_with(monkeypatch, Foreign("boom"))
        monkeypatch.setenv("SSLAUTH_TRACEBACK", "1")
        assert "Traceback (most recent call last)" in sslauth("verify", "tiny").err


class TestParsing:
    @pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("--version",), ("mint", "--help")])
    def test_help_and_version_end_with_0(self, sslauth: Run, arguments: tuple[str, ...]) -> None:
        ended = sslauth(*arguments)
        assert ended.status == 0
        assert ended.out
        assert ended.err == ""

    def test_without_arguments_the_help_is_shown_as_an_error(self, sslauth: Run) -> None:
        ended = sslauth()
        assert (ended.status, ended.out) == (2, "")
        assert "Exit statuses:" in ended.err

    @pytest.mark.parametrize("arguments", [("frobnicate",), ("--frobnicate",), ("inspect",)])
    def test_wrong_usage_ends_with_2_and_says_where_help_is(
        self, sslauth: Run, arguments: tuple[str, ...]
    ) -> None:
        ended = sslauth(*arguments)
        assert (ended.status, ended.out) == (2, "")
        assert ended.err.startswith("sslauth: error: ")
        assert "--help'" in ended.err

    def test_a_crash_while_parsing_ends_with_70(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail() -> None:
            raise Foreign

        monkeypatch.setattr("hf_integration.cli.application.command", fail)
        assert main(["--help"]) == 70

    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_documents_its_json_and_an_example(self, sslauth: Run, command: str) -> None:
        text = sslauth(command, "--help").out
        assert "JSON:" in text
        assert f"sslauth {command}" in text
        for option in ("--format", "--output", "-q", "--token", "--cache-dir"):
            assert option in text

    def test_the_help_names_every_status(self, sslauth: Run) -> None:
        text = sslauth("--help").out
        for status in ("0 ", "1 ", "2 ", "3 ", "4 ", "70 ", "130 "):
            assert f"\n    {status}" in text
