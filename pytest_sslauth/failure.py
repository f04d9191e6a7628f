"""How a test fails whose encoder was not found authentic."""

import os
from collections.abc import Sequence

import pytest


class NotAuthenticError(pytest.fail.Exception):  # type: ignore[misc,name-defined]
    """An encoder that a test depends on was altered, or could not be checked.

    What ``pytest.fail`` raises, not an ``AssertionError``: a test's ``except Exception`` does not swallow it.
    The message is the whole report; a traceback into the plugin would tell nobody anything.
    """

    # as pytest's own outcomes do, so that summaries show the short name
    __module__ = "builtins"

    def __init__(self, message: str) -> None:
        super().__init__(message, pytrace=False)


class OutOfReachError(pytest.skip.Exception):  # type: ignore[misc,name-defined]
    """An encoder that a test depends on is out of reach, and ``--sslauth-missing=skip`` allows that."""

    __module__ = "builtins"

    def __init__(self, message: str) -> None:
        super().__init__(message, _use_item_location=True)


Refusal = NotAuthenticError | OutOfReachError
"""What ends a test that has no encoder to depend on."""


class MisuseError(NotAuthenticError):
    """A marker, parameter or argument that does not say what to check; nothing was checked."""

    __module__ = "builtins"


XFAILED = "sslauth_xfailed"
"""Attribute of a report: its test was expected to fail, which excuses no check."""


def unexcused(
    report: pytest.TestReport, item: pytest.Item, call: pytest.CallInfo[None], refusals: Sequence[Refusal]
) -> None:
    """Let a report say that the test failed, where a failing check would be excused or called an error.

    Whatever a test is expected to do or skips for, an encoder that did not pass is not it. And checks run
    before a test and in its fixtures too, where pytest reports an error of the set-up: to a reader and to
    JUnit that says that the test suite is broken.

    A test that caught what was to skip it has nothing that it may depend on either: it never passes.
    """
    failure = next((refusal for refusal in refusals if isinstance(refusal, NotAuthenticError)), None)
    if failure is None:
        if report.passed and call.when != "teardown":
            path, line, _ = item.reportinfo()
            report.outcome = "skipped"
            report.longrepr = (os.fspath(path), (line or 0) + 1, f"Skipped: {refusals[0].msg}")
        return
    if report.skipped:  # by xfail as well
        report.outcome = "failed"
        setattr(report, XFAILED, report.__dict__.pop("wasxfail", None) is not None)
        report.longrepr = item.repr_failure(pytest.ExceptionInfo.from_exception(failure))
    if report.failed and call.when == "setup":
        report.when = "call"
