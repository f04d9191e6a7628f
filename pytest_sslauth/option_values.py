"""What each text of an option means: read by one function, which refuses what it cannot use and says where.

Each takes the text, the folder that relative paths start at, and where the text is from. Each raises
``pytest.UsageError``.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from hf_integration.base.vocabulary import Precision

PRECISIONS: "tuple[Precision, ...]" = ("float64", "float32", "float16", "bfloat16")
"""The engine's precisions; spelled out here because reading options must import nothing of it."""

Evidence = Literal["on-failure", "always"]
"""Of which checks pictures and files are kept: of those that are no pass and of waived ones, or of all."""

EVIDENCE: tuple[Evidence, ...] = ("on-failure", "always")

Observe = Literal["report", "error"]
"""What becomes of encoders that a run loaded and never authenticated: they are listed, or fail it."""

Missing = Literal["fail", "skip"]
"""What becomes of a test whose encoder cannot be had offline, or not without an extra."""

MISSING: tuple[Missing, ...] = ("fail", "skip")

_DEVICE = r"(cpu|mps|(cuda|xpu|npu)(:[0-9]+)?)"


def precision_of(name: object) -> "Precision | None":
    """The precision of a name, if it is one."""
    return next((precision for precision in PRECISIONS if precision == name), None)


def parse_precision(value: str, base: Path, where: str) -> "Precision":  # noqa: ARG001  # no path
    """One of the engine's precisions."""
    if (precision := precision_of(value)) is None:
        raise pytest.UsageError(
            f"{where}: unknown precision {value!r}, choose one of {', '.join(PRECISIONS)}"
        )
    return precision


def parse_device(value: str, base: Path, where: str) -> str:  # noqa: ARG001  # no path
    """A device as torch names it; whether it exists is found out by the first check."""
    if not re.fullmatch(_DEVICE, value):
        raise pytest.UsageError(f"{where}: unknown device {value!r}, write for example cpu, cuda or cuda:1")
    return value


def parse_budget(value: str, base: Path, where: str) -> float:  # noqa: ARG001  # no path
    """Seconds."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise pytest.UsageError(f"{where}: {value!r} is no number of seconds, write for example 5")
    return seconds


def parse_report_dir(value: str, base: Path, where: str) -> Path:
    """A folder that can be written to; it is made."""
    if not value.strip():
        raise pytest.UsageError(f"{where}: needs the name of a folder")
    return _made(base / Path(value).expanduser(), value, where)


def parse_file(value: str, base: Path, where: str) -> Path:
    """A file that can be written; its folder is made."""
    if not value.strip():
        raise pytest.UsageError(f"{where}: needs the name of a file")
    file = base / Path(value).expanduser()
    if file.is_dir():
        raise pytest.UsageError(f"{where}: {value!r} is a folder")
    _made(file.parent, value, where)
    return file


def _made(folder: Path, value: str, where: str) -> Path:
    """A folder, made if it is not there.

    Raises:
        pytest.UsageError: it cannot be made or written to.
    """
    if folder.exists() and not folder.is_dir():
        raise pytest.UsageError(f"{where}: {value!r}: {folder.name} exists and is not a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise pytest.UsageError(f"{where}: {value!r} cannot be made: {error.strerror or error}") from None
    if not os.access(folder, os.W_OK):
        raise pytest.UsageError(f"{where}: {value!r} cannot be written to")
    return folder


def parse_folder(value: str, base: Path, where: str) -> Path:
    """A folder that need not exist yet."""
    if not value.strip():
        raise pytest.UsageError(f"{where}: needs the name of a folder, or leave it out")
    folder = base / Path(value).expanduser()
    if folder.exists() and not folder.is_dir():
        raise pytest.UsageError(f"{where}: {value!r} exists and is not a folder")
    return folder


def parse_missing(value: str, base: Path, where: str) -> Missing:  # noqa: ARG001  # no path
    """Whether tests fail or skip."""
    for known in MISSING:
        if value == known:
            return known
    raise pytest.UsageError(f"{where}: {value!r} is neither skip nor fail")


def parse_keep(value: str, base: Path, where: str) -> int:  # noqa: ARG001  # no path
    """A number of encoders."""
    if not (value.isascii() and value.isdecimal() and 0 < len(value) < 5 and int(value)):
        raise pytest.UsageError(f"{where}: {value!r} is no number of encoders, write for example 2")
    return int(value)


def parse_config(value: str, base: Path, where: str) -> Path:
    """A file like ``sslauth.toml``; it has to be there, as it says what is enforced."""
    file = base / Path(value).expanduser()
    if not value.strip() or not file.is_file():
        raise pytest.UsageError(f"{where}: there is no file {value!r}")
    return file


def parse_evidence(value: str, base: Path, where: str) -> Evidence:  # noqa: ARG001  # no path
    """Of which checks pictures and files are kept."""
    if (which := next((known for known in EVIDENCE if known == value), None)) is None:
        raise pytest.UsageError(f"{where}: {value!r} is not one of {', '.join(EVIDENCE)}")
    return which


def parse_observe(value: str, base: Path, where: str) -> Observe | None:  # noqa: ARG001  # no path
    """What becomes of what was loaded and never authenticated; ``off`` is nothing."""
    if value not in ("report", "error", "off"):
        raise pytest.UsageError(
            f"{where}: {value!r} is not report, error or off"
            + (f"; to run only a path, write {where}=report {value}" if where.startswith("-") else "")
        )
    return None if value == "off" else value  # type: ignore[return-value]  # one of the two
