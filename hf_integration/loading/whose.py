"""Whose call it is: a line of the user's code, or one of sslauth's own loads."""

import sys
import sysconfig
from dataclasses import dataclass
from types import FrameType

from hf_integration.loading.calls import POINTS

_LIBRARIES = tuple({sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")})
_NAMES = frozenset({point.module.partition(".")[0] for point in POINTS})
"""The libraries that are looked at, wherever they are installed."""

_OWN = "hf_integration"
_BETWEEN = ("hf_integration.loading", "hf_integration.stamps", "hf_integration.baselines", "pytest_sslauth")
"""What is only between a caller and a library: it loads nothing by itself, and calls functions of users."""


@dataclass(frozen=True)
class Caller:
    """The nearest code on the stack that belongs to no library.

    Attributes:
        file: its path; ``None`` where there is none, as in a thread that a library started.
        line: from 1.
        through: the function of a library that it called, ``module.name``.
        is_own: whether sslauth itself comes before it: it loads what it checks.
    """

    file: str | None = None
    line: int = 0
    through: str = ""
    is_own: bool = False


def caller() -> Caller:
    """Who calls, found on the stack of this thread.

    Code that is installed beside the libraries counts as one of them: what a test calls there is found by the
    line of the test.
    """
    frame: FrameType | None = sys._getframe(1)
    through = ""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        top = module.partition(".")[0]
        if not any(module == name or module.startswith(f"{name}.") for name in _BETWEEN):
            if top == _OWN:
                return Caller(is_own=True)
            file = frame.f_code.co_filename
            if top not in _NAMES and not file.startswith((*_LIBRARIES, "<frozen ")):
                return Caller(file, frame.f_lineno, through)
            through = f"{module}.{frame.f_code.co_name}"
        frame = frame.f_back
    return Caller()
