"""Options, each for the command line (``--sslauth-device``) and for pytest's file (``sslauth_device``).

What the command line says comes first. Relative paths of the command line start where pytest was started,
those of the file at rootdir.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sslauth.option_values import (
    PRECISIONS,
    Evidence,
    Missing,
    Observe,
    parse_budget,
    parse_config,
    parse_device,
    parse_evidence,
    parse_file,
    parse_folder,
    parse_keep,
    parse_missing,
    parse_observe,
    parse_precision,
    parse_report_dir,
)

if TYPE_CHECKING:
    from hf_integration.base.vocabulary import Precision


@dataclass(frozen=True)
class Settings:
    """What all checks of a session have in common.

    Attributes:
        rootdir: relative paths in markers, parameters and the configuration file start here.
        cards: folder in which cards are looked up by the last part of the encoder's name.
        stamps: folder of the snapshots that ``assert_same_embeddings`` compares with.
        config: the ``sslauth.toml`` that is enforced, and whose encoders are collected; it need not exist.
        require: whether the run fails if an encoder of that file was not checked.
        precision: arithmetic of checks that do not name one; ``None`` is the engine's choice.
        device: where encoders are loaded; ``None`` is the engine's choice.
        cache_dir: cache of the Hub, if not the usual one.
        report_dir: folder for the verdict and the picture of each check, if wanted.
        html: file for a page with all checks, if wanted.
        sarif: file for all checks as SARIF, if wanted.
        gitlab: file for what is no pass as GitLab reads it, if wanted.
        evidence: of which checks pictures and files are kept.
        pytest_html: whether the plugin pytest-html writes a report, which shows pictures too.
        accept_self_asserted: accept a card that only the checked repository itself vouches for.
        budget: seconds that running key samples may take in one check; ``None`` runs all of them.
        missing: what becomes of a test whose encoder is only out of reach.
        keep: how many encoders stay in memory between tests, at least 1.
        workers: how many processes run the tests.
        observe: whether encoders that the run loaded and never authenticated are listed, or fail it; ``None``
            looks at none.
        observe_report: file for what ``sslauth adopt`` makes entries of, if wanted.
        verbose: whether failures are reported with every strip and digest (``-v``).
    """

    rootdir: Path
    cards: Path
    config: Path
    stamps: Path = Path("sslauth_stamps")
    require: bool = False
    precision: "Precision | None" = None
    device: str | None = None
    cache_dir: Path | None = None
    report_dir: Path | None = None
    html: Path | None = None
    sarif: Path | None = None
    gitlab: Path | None = None
    evidence: Evidence = "always"
    pytest_html: bool = False
    accept_self_asserted: bool = False
    budget: float | None = None
    missing: Missing = "fail"
    keep: int = 1
    workers: int = 1
    observe: Observe | None = None
    observe_report: Path | None = None
    verbose: bool = False

    @property
    def files(self) -> dict[str, Path]:
        """Wanted report files of the whole run, by the name of their format."""
        wanted = {name: getattr(self, name) for name in REPORT_FILES}
        return {name: file for name, file in wanted.items() if file is not None}

    @property
    def gathers(self) -> bool:
        """Whether outcomes travel to the controller, which makes something of them."""
        return bool(self.files) or self.report_dir is not None or self.pytest_html

    def keeps(self, *, authentic: bool) -> bool:
        """Whether pictures and files of a check are kept."""
        return self.evidence == "always" or not authentic


SETTINGS = pytest.StashKey[Settings]()
"""Those that the options say."""


@dataclass(frozen=True, eq=False, repr=False)
class Option:
    """One option, under both its names.

    Attributes:
        name: without prefix, as :class:`Settings` calls it.
        help: what it does, and its default in parentheses.
        metavar: what is given; empty for a switch.
        read: text, the folder that relative paths start at, and where the text is from -> the value. Raises
            ``pytest.UsageError``.
        bare: what the flag alone says; ``None`` where it needs a value.
    """

    name: str
    help: str
    metavar: str = ""
    read: "Callable[[str, Path, str], Any] | None" = None
    bare: str | None = None

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

        optional: dict[str, Any] = {} if self.bare is None else {"nargs": "?", "const": self.bare}
        group.addoption(self.flag, type=usable, metavar=self.metavar, help=self.help, **optional)
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


REPORT_FILES = {
    "html": "one page with all checks of the run, their watermarks among them,",
    "sarif": "all checks of the run as SARIF 2.1.0, for GitHub code scanning and others,",
    "gitlab": "what is no pass as a code quality report of GitLab",
}
"""What each file about a run is, by format: a name of ``hf_integration.report.REPORTERS`` and an option."""

OPTIONS = (
    Option(
        "precision",
        f"arithmetic of checks whose marker or call names none: {', '.join(PRECISIONS)} "
        "(default: float64, else float32 where weights cannot be read)",
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
        "cache_dir",
        "cache of encoders and cards from the Hub (default: the Hub client's own)",
        "DIR",
        parse_folder,
    ),
    Option(
        "report_dir",
        "write the verdict (JSON) and the reconstructed watermarks (PNG) of each check to this folder",
        "DIR",
        parse_report_dir,
    ),
    *(Option(name, f"write {what} to this file", "FILE", parse_file) for name, what in REPORT_FILES.items()),
    Option(
        "evidence",
        "of which checks pictures (in the page and in pytest-html) and files (in the folder of reports) are "
        "kept: always, or on-failure, which leaves out authentic encoders (default: always)",
        "WHICH",
        parse_evidence,
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
        "missing",
        "skip or fail tests whose encoder is out of reach because this machine is offline or an extra is not "
        "installed; whatever is missing, foreign or altered fails (default: fail)",
        "skip|fail",
        parse_missing,
    ),
    Option(
        "keep",
        "how many encoders stay in memory between the tests that are handed them; others are loaded again "
        "when a test needs them (default: 1)",
        "NUMBER",
        parse_keep,
    ),
    Option(
        "cards",
        "folder of watermark cards; a card is found there by the last part of its encoder's name "
        "(default: cards)",
        "DIR",
        parse_folder,
    ),
    Option(
        "stamps",
        "folder of the snapshots that assert_same_embeddings compares with (default: sslauth_stamps)",
        "DIR",
        parse_folder,
    ),
    Option(
        "config",
        "the file whose pins are enforced and whose encoders are collected as tests "
        "(default: sslauth.toml in rootdir)",
        "FILE",
        parse_config,
    ),
    Option(
        "observe",
        "list every encoder that the run loaded or asked and never authenticated, with the entry to add to "
        "sslauth.toml; with =error such an encoder fails the run (default: off)",
        "error",
        parse_observe,
        bare="report",
    ),
    Option(
        "observe_report",
        "write that list to this file, for `sslauth adopt`; switches --sslauth-observe on",
        "FILE",
        parse_file,
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


def may_observe(config: pytest.Config) -> bool:
    """Whether loads may have to be looked at, as far as it is known before any ``conftest.py`` is read."""
    given = vars(config.known_args_namespace)
    names = ("sslauth_observe", "sslauth_observe_report")
    return any((given.get(name) or config.getini(name) or "off") != "off" for name in names)


def settings_of(config: pytest.Config) -> Settings:
    """The settings of a session.

    Raises:
        pytest.UsageError: a value in the configuration file is not usable.
    """
    usual = {"cards": "cards", "config": "sslauth.toml", "stamps": "sslauth_stamps"}
    values: dict[str, Any] = {name: config.rootpath / place for name, place in usual.items()}
    for option in OPTIONS:
        if (value := option.value(config)) is not None:
            values[option.name] = value
    if values.get("require") and not values["config"].is_file():
        raise pytest.UsageError(f"--sslauth-require: there is no {values['config']}")
    if values.get("observe_report") and not config.getoption("--sslauth-observe"):
        values["observe"] = values.get("observe") or "report"
    settings = Settings(
        **values,
        rootdir=config.rootpath,
        workers=getattr(config, "workerinput", {}).get("workercount", 1),
        pytest_html=bool(config.getoption("htmlpath", None)),
        verbose=config.get_verbosity() > 0,
    )
    _refuse_one_file_for_two(settings)
    return settings


def _refuse_one_file_for_two(settings: Settings) -> None:
    taken: dict[Path, str] = {}
    report = {} if settings.observe_report is None else {"observe-report": settings.observe_report}
    for name, file in {**settings.files, **report}.items():
        flag = f"--sslauth-{name}"
        if (other := taken.setdefault(file.resolve(), flag)) != flag:
            raise pytest.UsageError(f"{other} and {flag} name the same file: {file}")


def header_line(settings: Settings) -> str | None:
    """The line of the report header, if any setting differs from its default."""
    parts = [
        "" if settings.cards == settings.rootdir / "cards" else f"cards {settings.cards}",
        "" if settings.config == settings.rootdir / "sslauth.toml" else f"config {settings.config}",
        "every configured encoder is required" if settings.require else "",
        f"precision {settings.precision}" if settings.precision else "",
        f"device {settings.device}" if settings.device else "",
        {"report": "loads observed", "error": "unchecked loads fail the run"}.get(settings.observe or "", ""),
        f"Hub cache {settings.cache_dir}" if settings.cache_dir else "",
        *(f"{name} {file}" for name, file in settings.files.items()),
        f"reports {settings.report_dir}" if settings.report_dir else "",
        "" if settings.evidence == "always" else f"evidence {settings.evidence}",
        "" if settings.budget is None else f"budget {settings.budget:g} s",
        "tests skip if their encoder is out of reach" if settings.missing == "skip" else "",
        "" if settings.keep == 1 else f"{settings.keep} encoders stay in memory",
        "self-asserted cards accepted" if settings.accept_self_asserted else "",
    ]
    shown = ", ".join(part for part in parts if part)
    return f"sslauth: {shown}" if shown else None
