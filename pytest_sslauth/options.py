"""Options of the command line and of pytest's configuration file, each read by a function of its own."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hf_integration.base.vocabulary import Precision

PRECISIONS: "tuple[Precision, ...]" = ("float64", "float32", "float16", "bfloat16")
"""The engine's precisions; spelled out here because reading options must import nothing of it."""

_DEVICE = re.compile(r"(cpu|mps|(cuda|xpu|npu)(:\d+)?)", re.ASCII)


@dataclass(frozen=True)
class Settings:
    """What all checks of a session have in common.

    Attributes:
        rootdir: relative paths in markers, parameters and the configuration file start here.
        cards: folder in which cards are looked up by the last part of the encoder's name.
        precision: arithmetic of checks that do not name one; ``None`` is the engine's choice.
        device: where encoders are loaded; ``None`` is the engine's choice.
        report_dir: folder for the verdict and the picture of each check, if wanted.
        accept_self_asserted: accept a card that only the checked repository itself vouches for.
        budget: seconds that running key samples may take in one check; ``None`` runs all of them.
        worker: id of the pytest-xdist worker, or an empty string.
        verbose: whether failures are reported with every strip and digest (``-v``).
    """

    rootdir: Path
    cards: Path
    precision: "Precision | None" = None
    device: str | None = None
    report_dir: Path | None = None
    accept_self_asserted: bool = False
    budget: float | None = None
    worker: str = ""
    verbose: bool = False


def add_options(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("sslauth", "authentication of pre-trained encoders")
    group.addoption(
        "--sslauth-precision",
        type=parse_precision,
        metavar="PRECISION",
        help=f"arithmetic of checks whose marker or call names none: {', '.join(PRECISIONS)} "
        "(default: float64 where the device has it, else float32)",
    )
    group.addoption(
        "--sslauth-device",
        type=parse_device,
        metavar="DEVICE",
        help="where encoders are loaded, e.g. cpu or cuda:1 (default: the accelerator if there is one)",
    )
    group.addoption(
        "--sslauth-report-dir",
        type=parse_report_dir,
        metavar="DIR",
        help="write the verdict (JSON) and the reconstructed watermarks (PNG) of each check to this folder",
    )
    group.addoption(
        "--sslauth-accept-self-asserted",
        action="store_true",
        default=False,
        help="accept cards that only the checked repository itself vouches for "
        "(worth nothing against whoever can alter that repository)",
    )
    group.addoption(
        "--sslauth-budget",
        type=parse_budget,
        metavar="SECONDS",
        help="run only as many key samples in each check as this allows; verdicts say how many "
        "(default: all)",
    )
    parser.addini(
        "sslauth_cards",
        type="string",
        default="cards",
        help="folder of watermark cards, relative to rootdir; a card is found there by the last part of its "
        "encoder's name (default: cards)",
    )


def precision_of(name: object) -> "Precision | None":
    """The precision of a name, if it is one."""
    return next((precision for precision in PRECISIONS if precision == name), None)


def parse_precision(value: str) -> "Precision":
    """``--sslauth-precision``: one of the engine's precisions."""
    if (precision := precision_of(value)) is None:
        raise pytest.UsageError(
            f"--sslauth-precision: unknown precision {value!r}, choose one of {', '.join(PRECISIONS)}"
        )
    return precision


def parse_device(value: str) -> str:
    """``--sslauth-device``: a device as torch names it; whether it exists is found out by the first check."""
    if not _DEVICE.fullmatch(value):
        raise pytest.UsageError(
            f"--sslauth-device: unknown device {value!r}, write for example cpu, cuda or cuda:1"
        )
    return value


def parse_budget(value: str) -> float:
    """``--sslauth-budget``: seconds."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise pytest.UsageError(f"--sslauth-budget: {value!r} is no number of seconds, write for example 5")
    return seconds


def parse_report_dir(value: str) -> str:
    """``--sslauth-report-dir``: a folder, made absolute so that workers write to the same one.

    Like the other outputs of the command line it is relative to where pytest was started.
    """
    if not value:
        raise pytest.UsageError("--sslauth-report-dir: needs the name of a folder")
    folder = Path(value).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise pytest.UsageError(f"--sslauth-report-dir: {value!r} exists and is not a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise pytest.UsageError(
            f"--sslauth-report-dir: {value!r} cannot be made: {error.strerror or error}"
        ) from None
    if not os.access(folder, os.W_OK):
        raise pytest.UsageError(f"--sslauth-report-dir: {value!r} cannot be written to")
    return str(folder)


def parse_cards(value: str, rootdir: Path) -> Path:
    """``sslauth_cards``: the folder of cards, relative to rootdir; it need not exist yet."""
    if not value.strip():
        raise pytest.UsageError("sslauth_cards: needs the name of a folder, or leave it out for 'cards'")
    folder = rootdir / Path(value).expanduser()
    if folder.exists() and not folder.is_dir():
        raise pytest.UsageError(f"sslauth_cards: {value!r} exists and is not a folder")
    return folder


def settings_of(config: pytest.Config) -> Settings:
    """The settings of a session.

    Raises:
        pytest.UsageError: a value in the configuration file is not usable.
    """
    report_dir: str | None = config.getoption("--sslauth-report-dir")
    return Settings(
        rootdir=config.rootpath,
        cards=parse_cards(config.getini("sslauth_cards"), config.rootpath),
        precision=config.getoption("--sslauth-precision"),
        device=config.getoption("--sslauth-device"),
        report_dir=None if report_dir is None else Path(report_dir),
        accept_self_asserted=config.getoption("--sslauth-accept-self-asserted"),
        budget=config.getoption("--sslauth-budget"),
        worker=getattr(config, "workerinput", {}).get("workerid", ""),
        verbose=config.get_verbosity() > 0,
    )


def header_line(settings: Settings) -> str | None:
    """The line of the report header, if any setting differs from its default."""
    parts = [
        "" if settings.cards == settings.rootdir / "cards" else f"cards {settings.cards}",
        f"precision {settings.precision}" if settings.precision else "",
        f"device {settings.device}" if settings.device else "",
        f"reports {settings.report_dir}" if settings.report_dir else "",
        "" if settings.budget is None else f"budget {settings.budget:g} s",
        "self-asserted cards accepted" if settings.accept_self_asserted else "",
    ]
    shown = ", ".join(part for part in parts if part)
    return f"sslauth: {shown}" if shown else None
