"""``--sslauth-observe``: encoders that the run loaded or asked, and never authenticated.

Every process looks at its own loads; the controller gets plain values from its workers and says what came of
them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hf_integration.loading.advice import is_authenticated
from hf_integration.loading.calls import Place
from hf_integration.loading.observing import Load, Observer, merged
from pytest_sslauth.options import Settings
from pytest_sslauth.session import Session

if TYPE_CHECKING:
    from hf_integration.loading.adopting import Adopted

_BEGUN = pytest.StashKey[Observer]()

_SENT = "sslauth_observed"
"""Key of what a worker of pytest-xdist hands over when it ends."""

MOST = 20
"""Encoders that the summary shows; the report has all of them."""


def begin(config: pytest.Config) -> None:
    """Look at loads from now on, before anything is known about the run."""
    observer = config.stash[_BEGUN] = Observer()
    observer.start()
    config.add_cleanup(observer.stop)


class Observed:
    """Looks at loads from now on, and says in the end which of them nobody authenticated.

    Args:
        config: of the run.
        settings: of the session.
        session: whose checks count.
    """

    def __init__(self, config: pytest.Config, settings: Settings, session: Session) -> None:
        self._settings = settings
        self._session = session
        if _BEGUN not in config.stash:  # where another plugin switched it on
            begin(config)
        self._observer = session.observer = config.stash[_BEGUN]
        self._observer.test = lambda: session.test
        self._others: list[Mapping[str, Any]] = []
        self._workers: set[str] = set()
        self._said = ""
        self.unchecked: tuple[Load, ...] = ()
        self.loose: tuple[Load, ...] = ()

    @property
    def unknown(self) -> tuple[str, ...]:
        """Workers that ended before they said what they loaded."""
        return tuple(sorted(self._workers))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Spec of pytest-xdist: a worker begins."""
        self._workers.add(node.gateway.id)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Spec of pytest-xdist: a worker ended; one that crashed handed nothing over."""
        found = getattr(node, "workeroutput", {}).get(_SENT)
        if found is not None:
            self._workers.discard(node.gateway.id)
            self._others.append(found)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Spec ``pytest_sessionfinish``: a worker hands over, the controller judges."""
        own = {
            "loads": [load.to_dict() for load in self._observer.loads],
            "authenticated": [vars(place) for place in self._session.authenticated],
        }
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_SENT] = own
        elif not session.config.getoption("collectonly"):
            self._judge([own, *self._others])
            failed = self.unchecked or self.unknown
            if failed and self._settings.observe == "error" and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _judge(self, sides: Sequence[Mapping[str, Any]]) -> None:
        loads = merged([Load.from_dict(load) for side in sides for load in side["loads"]])
        authenticated = [Place(**place) for side in sides for place in side["authenticated"]]
        self.unchecked = tuple(load for load in loads if not is_authenticated(load, authenticated))
        self.loose = tuple(
            load for load in loads if load not in self.unchecked and load.place.repo and not load.is_pinned
        )
        if (file := self._settings.observe_report) is not None:
            self._write(file)

    def _write(self, file: Path) -> None:
        import warnings

        from hf_integration.base.errors import OutputError
        from hf_integration.base.output_files import write_whole
        from hf_integration.loading.report import report_text

        try:
            text = report_text(self.unchecked, self.unknown, self._settings.config.parent)
            write_whole(file, text.encode() + b"\n")
            self._said = f"sslauth: report of what was loaded: {file}"
        except (OutputError, OSError) as error:
            self._said = f"sslauth: no report of what was loaded: {error}"
            warnings.warn(pytest.PytestWarning(self._said), stacklevel=2)

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Spec ``pytest_terminal_summary``: list them."""
        lines = [*self._lines(), *([(self._said, {})] if self._said else [])]
        if self.unchecked or self.unknown or self.loose:
            terminalreporter.section("sslauth: loaded and never authenticated")
        for line, style in lines:
            terminalreporter.line(line, **style)

    def _lines(self) -> list[tuple[str, dict[str, bool]]]:
        from hf_integration.base.text import harmless

        style = {"red": True} if self._settings.observe == "error" else {"yellow": True}
        lines: list[tuple[str, dict[str, bool]]] = []
        shown = self.unchecked[:MOST]
        for load, adopted in zip(shown, self._adopted(shown), strict=True):
            lines.append((_headline(load), style))
            lines.append((f"  {self._where(load)}", {}))
            lines += [(f"  {line}", {}) for line in _advice_lines(adopted)]
        if len(self.unchecked) > MOST:
            lines.append(
                (f"and {len(self.unchecked) - MOST} more: --sslauth-observe-report FILE has all", style)
            )
        for load in self.loose:
            name = harmless(load.place.repo)
            said = f"{name}  authenticated at {load.place.commit}, and loaded without a revision that pins it"
            lines.append((said, {"yellow": True}))
            lines.append((f"  {self._where(load)}", {}))
            lines.append((f'  load it with revision="{load.place.commit}"', {}))
        if self.unknown:
            names = ", ".join(self.unknown)
            lines.append((f"what {names} loaded is not known: it ended before it could say", style))
        if (count := len(self.unchecked)) and self._settings.observe == "error":
            what = "1 encoder was" if count == 1 else f"{count} encoders were"
            lines.append((f"ERROR: {what} never authenticated, and --sslauth-observe=error is set", style))
        return lines

    def _where(self, load: Load) -> str:
        from hf_integration.base.text import harmless

        file, _, line = load.where.rpartition(":")
        root = self._settings.rootdir
        if file and Path(file).is_relative_to(root):
            file = Path(file).relative_to(root).as_posix()
        place = f"{harmless(file)}:{line}" if file else "no line of the project's own code"
        during = f", in {harmless(load.test)}" if load.test else ""
        times = f" ({load.count} times)" if load.count > 1 else ""
        return f"{place}{during}{times}"

    def _adopted(self, loads: Sequence[Load]) -> "tuple[Adopted, ...]":
        """What becomes of loads if somebody adopts them, as far as that is known without the Hub."""
        from hf_integration.base.errors import SSLAuthError
        from hf_integration.checking.finding import Project
        from hf_integration.loading.adopting import Adopted, adopt

        settings = self._settings
        project = Project(settings.rootdir, settings.cards, settings.config)
        try:
            return adopt(loads, project.pins(), project, None)[0] if loads else ()
        except SSLAuthError:  # of the file, whose items said so already
            return tuple(Adopted(load, needs=(f"{settings.config.name} cannot be read",)) for load in loads)


def _headline(load: Load) -> str:
    from hf_integration.base.text import harmless

    place = load.place
    name = harmless(place.repo or load.reference)
    if place.url is not None:
        return f"{name}  at {harmless(place.url)}, by {load.api}"
    at = f" @{place.commit[:12]}" if place.commit else ""
    loose = "" if load.is_pinned else ", revision not pinned"
    return f"{name}{at}  by {load.api}{loose}"


def _advice_lines(adopted: "Adopted") -> list[str]:
    from hf_integration.base.text import harmless
    from hf_integration.checking.pins.editing import entry_lines

    lines = []
    if adopted.entry is not None:
        text = entry_lines(adopted.name, adopted.entry)
        lines += ["add to sslauth.toml:", *(f"  {harmless(line)}" for line in text)]
    return [*lines, *(harmless(line, longest=1000) for line in adopted.needs)]
