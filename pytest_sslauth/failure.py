"""How a test fails whose encoder was not found authentic."""

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


def holds_not_authentic(error: BaseException) -> bool:
    """Whether a :class:`NotAuthenticError` is in an exception: in a group, or what it was raised from.

    Task groups wrap it, and a test may raise something else over it; neither is an excuse.
    """
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        found = pending.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, NotAuthenticError):
            return True
        pending += [found.__cause__, found.__context__]
        if isinstance(found, BaseExceptionGroup):
            pending += found.exceptions
    return False


class MisuseError(NotAuthenticError):
    """A marker, parameter or argument that does not say what to check; nothing was checked."""

    __module__ = "builtins"
