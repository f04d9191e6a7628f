"""Options, each for the command line (``--sslauth-device``) and for pytest's file (``sslauth_device``).

What the command line says comes first. Relative paths of the command line start where pytest was started,
those of the file at rootdir.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        config: the ``sslauth.toml`` that is enforced, and whose encoders are collected; it need not exist.
        require: whether the run fails if an encoder of that file was not checked.
        precision: arithmetic of checks that do not name one; ``None`` is the engine's choice.
        device: where encoders are loaded; ``None`` is the engine's choice.
        report_dir: folder for the verdict and the picture of each check, if wanted.
        html: file for a page with all checks, if wanted.
        accept_self_asserted: accept a card that only the checked repository itself vouches for.
        budget: seconds that running key samples may take in one check; ``None`` runs all of them.
        worker: id of the pytest-xdist worker, or an empty string.
        verbose: whether failures are reported with every strip and digest (``-v``).
    """

    rootdir: Path
    cards: Path
    config: Path
    require: bool = False
    precision: "Precision | None" = None
    device: str | None = None
    report_dir: Path | None = None
    html: Path | None = None
    accept_self_asserted: bool = False
    budget: float | None = None
    worker: str = ""
    verbose: bool = False


@dataclass(frozen=True)
class Option:
    """One option, under both its names.

    Attributes:
        name: without prefix, as :class:`Settings` calls it.
        help: what it does, and its default in parentheses.
        metavar: what is given; empty for a switch.
        read: text, the folder that relative paths start at, and where the text is from -> the value. Raises
            ``pytest.UsageError``.
    """

    name: str
    help: str
    metavar: str = ""
    read: "Callable[[str, Path, str], Any] | None" = None

    @property
    def flag(self) -> str:
        """On the command line."""
        return f"--sslauth-{self.name.replace('_', '-')}"

    @property
    def key(self) -> str:
        """In the configuration file."""
        return f"sslauth_{self.name}"

    def declare(self, parser: pytest.Parser, group: "pytest.OptionGroup") -> None:
        """Declare both."""
        same, read = f"the same as {self.flag}", self.read
        if read is None:
            group.addoption(self.flag, action="store_true", default=False, help=self.help)
            parser.addini(self.key, type="bool", default=False, help=same)
            return

        def usable(text: str) -> str:
            read(text, Path.cwd(), self.flag)
            return text  # workers are given texts

        group.addoption(self.flag, type=usable, metavar=self.metavar, help=self.help)
        parser.addini(self.key, type="string", default=None, help=same)

    def value(self, config: pytest.Config) -> Any:
        """What the command line says, or else the file; ``None`` if neither says anything.

        Raises:
            pytest.UsageError: what the file says cannot be used.
        """
        given = config.getoption(self.flag)
        if self.read is None:
            return given or config.getini(self.key)
        if given is not None:
            return self.read(given, config.invocation_params.dir, self.flag)
        said = config.getini(self.key)
        return None if said is None else self.read(said, config.rootpath, self.key)


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
    if not _DEVICE.fullmatch(value):
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


def parse_html(value: str, base: Path, where: str) -> Path:
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


def parse_cards(value: str, base: Path, where: str) -> Path:
    """The folder of cards; it need not exist yet."""
    if not value.strip():
        raise pytest.UsageError(f"{where}: needs the name of a folder, or leave it out for 'cards'")
    folder = base / Path(value).expanduser()
    if folder.exists() and not folder.is_dir():
        raise pytest.UsageError(f"{where}: {value!r} exists and is not a folder")
    return folder


def parse_config(value: str, base: Path, where: str) -> Path:
    """A file like ``sslauth.toml``; it has to be there, as it says what is enforced."""
    file = base / Path(value).expanduser()
    if not value.strip() or not file.is_file():
        raise pytest.UsageError(f"{where}: there is no file {value!r}")
    return file


OPTIONS = (
    Option(
        "precision",
        f"arithmetic of checks whose marker or call names none: {', '.join(PRECISIONS)} "
        "(default: float64 where the device has it, else float32)",
        "PRECISION",
        parse_precision,
    ),
    Option(
        "device",
        "where encoders are loaded, e.g. cpu or cuda:1 (default: the accelerator if there is one)",
        "DEVICE",
        parse_device,
    ),
    Option(
        "report_dir",
        "write the verdict (JSON) and the reconstructed watermarks (PNG) of each check to this folder",
        "DIR",
        parse_report_dir,
    ),
    Option(
        "html",
        "write one page with all checks of the run, their watermarks among them, to this file",
        "FILE",
        parse_html,
    ),
    Option(
        "accept_self_asserted",
        "accept cards that only the checked repository itself vouches for "
        "(worth nothing against whoever can alter that repository)",
    ),
    Option(
        "budget",
        "run only as many key samples in each check as this allows; verdicts say how many (default: all)",
        "SECONDS",
        parse_budget,
    ),
    Option(
        "cards",
        "folder of watermark cards; a card is found there by the last part of its encoder's name "
        "(default: cards)",
        "DIR",
        parse_cards,
    ),
    Option(
        "config",
        "the file whose pins are enforced and whose encoders are collected as tests "
        "(default: sslauth.toml in rootdir)",
        "FILE",
        parse_config,
    ),
    Option(
        "require",
        "fail the run if an encoder or endpoint of sslauth.toml was not checked, whatever was selected",
    ),
)


def add_options(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("sslauth", "authentication of pre-trained encoders")
    for option in OPTIONS:
        option.declare(parser, group)


def settings_of(config: pytest.Config) -> Settings:
    """The settings of a session.

    Raises:
        pytest.UsageError: a value in the configuration file is not usable.
    """
    values: dict[str, Any] = {"cards": config.rootpath / "cards", "config": config.rootpath / "sslauth.toml"}
    for option in OPTIONS:
        if (value := option.value(config)) is not None:
            values[option.name] = value
    if values.get("require") and not values["config"].is_file():
        raise pytest.UsageError(f"--sslauth-require: there is no {values['config']}")
    return Settings(
        **values,
        rootdir=config.rootpath,
        worker=getattr(config, "workerinput", {}).get("workerid", ""),
        verbose=config.get_verbosity() > 0,
    )


def header_line(settings: Settings) -> str | None:
    """The line of the report header, if any setting differs from its default."""
    parts = [
        "" if settings.cards == settings.rootdir / "cards" else f"cards {settings.cards}",
        "" if settings.config == settings.rootdir / "sslauth.toml" else f"config {settings.config}",
        "every configured encoder is required" if settings.require else "",
        f"precision {settings.precision}" if settings.precision else "",
        f"device {settings.device}" if settings.device else "",
        f"page {settings.html}" if settings.html else "",
        f"reports {settings.report_dir}" if settings.report_dir else "",
        "" if settings.budget is None else f"budget {settings.budget:g} s",
        "self-asserted cards accepted" if settings.accept_self_asserted else "",
    ]
    shown = ", ".join(part for part in parts if part)
    return f"sslauth: {shown}" if shown else None
