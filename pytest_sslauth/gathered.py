"""What a run found: workers put it on reports of tests, as plain values, and the controller gathers it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sslauth.collected import Configured
from pytest_sslauth.options import Settings

if TYPE_CHECKING:
    from hf_integration.report import Place, Shown, WithoutVerdict

_CARRIED = "sslauth_outcomes"
"""Attribute of a report; pytest-xdist sends all of them from worker to controller."""


def put_on(report: pytest.TestReport, outcome: Mapping[str, Any]) -> None:
    """Let a report carry an outcome: whole, or one of before by its key."""
    setattr(report, _CARRIED, [*getattr(report, _CARRIED, ()), outcome])


class Gathered:
    """Gathers outcomes from reports, for whatever the controller writes.

    Args:
        settings: of the session.
        configured: what is known of ``sslauth.toml``.
    """

    def __init__(self, settings: Settings, configured: Configured) -> None:
        self._settings, self._configured = settings, configured
        self._outcomes: dict[str, Mapping[str, Any]] = {}
        self._tests: dict[str, dict[str, tuple[str, int]]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Spec ``pytest_runtest_logreport``: keep what the report of a test carries, before anybody asks."""
        for carried in getattr(report, _CARRIED, ()):
            self._outcomes.setdefault(carried["key"], carried)
            tests = self._tests.setdefault(carried["key"], {})
            tests.setdefault(carried["test"], (report.location[0], (report.location[1] or 0) + 1))

    def on(self, report: pytest.TestReport) -> list[Mapping[str, Any]]:
        """The outcomes that the report of a test refers to, whole; each as ``Outcome.to_dict`` gives it."""
        return [self._outcomes[carried["key"]] for carried in getattr(report, _CARRIED, ())]

    def checks(self) -> "tuple[list[Shown], list[WithoutVerdict]]":
        """All checks of the run for a report, and what is configured and nobody checked."""
        from hf_integration.report import Shown, StripImages, WithoutVerdict
        from hf_integration.report.results import NOT_SELECTED
        from hf_integration.verdict import Verdict

        shown, others = [], []
        for outcome, tests in self._merged():
            place = self._place(outcome, tests)
            if outcome["verdict"] is None:
                encoder, reason, status, passed = outcome["short"]
                others.append(WithoutVerdict(encoder, reason, status, passed, tuple(tests), place))
            else:
                images = outcome["images"] and StripImages.from_dict(outcome["images"])
                shown.append(Shown(Verdict.from_dict(outcome["verdict"]), images, tuple(tests), place))
        for name in self._configured.left_out:
            reason = f"configured in {self._settings.config.name}, and not checked in this run"
            place = self._placed(self._configured.places.get(name))
            others.append(WithoutVerdict(name, reason, NOT_SELECTED, False, (), place))
        return shown, others

    def _merged(self) -> Iterator[tuple[Mapping[str, Any], dict[str, tuple[str, int]]]]:
        """Outcomes with their tests; two workers may have made one check each."""
        alike: dict[str, tuple[Mapping[str, Any], dict[str, tuple[str, int]]]] = {}
        for key, outcome in self._outcomes.items():
            alike.setdefault(outcome["finding"], (outcome, {}))[1].update(self._tests[key])
        yield from alike.values()

    def _place(self, outcome: Mapping[str, Any], tests: Mapping[str, tuple[str, int]]) -> "Place | None":
        """The entry of ``sslauth.toml``, or else a test: the same one, whichever ran first."""
        places = self._configured.places
        names = (outcome["entry"], outcome["short"][0])
        entry = next((places[name] for name in names if name in places), None)
        return self._placed(entry or min(tests.values(), default=None))

    def _placed(self, place: tuple[str, int] | None) -> "Place | None":
        from hf_integration.report import Place

        root = self._settings.rootdir
        return place and Place.of(Path(root, place[0]), place[1], root)
