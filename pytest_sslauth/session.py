"""What the plugin keeps for one run of pytest, and what the markers and parameters of a test ask for.

The engine is imported by the first check.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sslauth.current_test import CurrentTest
from pytest_sslauth.failure import MisuseError, Refusal
from pytest_sslauth.layers import first_in_set_up, layered
from pytest_sslauth.marked import MarkerWatch
from pytest_sslauth.marker import EXAMPLE, CheckRequest, read_marker, read_parameter
from pytest_sslauth.options import Settings

if TYPE_CHECKING:
    from hf_integration.encoders import Encoder
    from hf_integration.loading.calls import Place
    from hf_integration.loading.observing import Observer
    from pytest_sslauth.checks import Checks, Common
    from pytest_sslauth.endpoints import AuthenticEndpoint
    from pytest_sslauth.shared import SharedResults
    from pytest_sslauth.sslauth import AuthenticEncoders, SSLAuth


ENCODER_FIXTURE, ENDPOINT_FIXTURE = "authentic_encoder", "authentic_endpoint"
OURS = frozenset({ENCODER_FIXTURE, ENDPOINT_FIXTURE, "authentic_encoders", "sslauth"})


class Session:
    """Hands hooks and fixtures over to the services that do the work.

    Args:
        settings: what all checks of the session have in common.
        shared: results of all workers of the run, if it has workers.

    Attributes:
        observer: looks at what tests load, if that is wanted.
    """

    def __init__(self, settings: Settings, shared: "SharedResults | None" = None) -> None:
        self.settings = settings
        self._shared = shared
        self._current = CurrentTest(lambda: self._layered.missing)
        self._watch = MarkerWatch()
        self._sent: set[str] = set()
        self.observer: Observer | None = None
        self._of_test: Settings | None = None
        self._checks_by_settings: dict[Settings, Checks] = {}

    @property
    def test(self) -> str:
        """Id of the test that runs; empty before the first one."""
        return "" if self._current.item is None else self._current.name

    @property
    def authenticated(self) -> "Collection[Place]":
        """What checks of this process found authentic, or waived."""
        return self._common.authenticated if self._checks_by_settings else ()

    def begin(self, item: pytest.Item) -> None:
        """Another test begins; what is known of the one before is nothing to it."""
        self._current.begin(item)
        self._watch.begin()
        self._of_test = None

    def set_up(self, item: pytest.Item) -> None:
        """The test is set up: check what its markers name, before any other fixture than its settings."""
        self.begin(item)  # once more, as a plugin may run a test again that failed
        fixtures = OURS.intersection(getattr(item, "fixturenames", ()))
        if not fixtures and item.get_closest_marker("sslauth") is None:
            self._check_markers(item)
            return

        def check() -> None:
            if fixtures:
                with self._current.noting():
                    _ = self._layered  # now, as fixtures of wide scopes do not come by every test
            self._check_markers(item)

        first_in_set_up(item, check)

    @contextmanager
    def running(self, item: pytest.Item) -> Iterator[None]:
        """The test itself runs: before it, check markers that fixtures added; after it, none may be new."""
        self._check_markers(item)
        with self._current.noting():
            for encoder in self._current.held_by_fixtures(item):
                if outcome := self._common.lending.compare_again(encoder, item.nodeid):
                    self._current.demand(outcome, None)
        self._watch.test_runs()
        with self.ending(item):
            yield

    @contextmanager
    def ending(self, item: pytest.Item) -> Iterator[None]:
        """Code of the test runs which no check can precede any more."""
        try:
            with self._current.heeding_threads():
                yield
        finally:
            with self._current.noting():
                self._watch.refuse_late(item)

    @contextmanager
    def setting_up(self, fixture: pytest.FixtureDef[Any]) -> Iterator[None]:
        """A fixture is set up, whose value or failure other tests get as well."""
        with self._current.setting_up(fixture):
            yield

    def torn_down(self, fixture: pytest.FixtureDef[Any]) -> None:
        """Nothing of a fixture is kept any more."""
        self._current.torn_down(fixture)

    def failures_of(self, item: pytest.Item, raised: BaseException | None) -> tuple[Refusal, ...]:
        """The checks that failed in the test that runs, or in the set-up of a fixture that it uses."""
        return (*self._current.failures, *self._current.failures_of_fixtures(item, raised))

    def put_on(self, report: pytest.TestReport) -> None:
        """Put what the controller makes files of on a report, which travels from worker to controller."""
        if self.settings.gathers:
            from pytest_sslauth.gathered import put_on

            for outcome, test in self._current.unsent:
                whole = {} if outcome.key in self._sent else outcome.to_dict()
                self._sent.add(outcome.key)
                put_on(report, {"key": outcome.key, "test": test, **whole})
        self._current.unsent = []

    def explained(self, operator: str, left: object, right: object) -> list[str] | None:
        """Why ``assert verdict.status == "authentic"`` failed; ``None`` for all other comparisons."""
        return self._current.explained(left, right) if operator == "==" else None

    def sslauth(self) -> "SSLAuth":
        """The object behind the fixture ``sslauth``."""
        from pytest_sslauth.sslauth import SSLAuth

        return SSLAuth(lambda: self._checks, self._current)

    def encoders(self) -> "AuthenticEncoders":
        """The factory behind the fixture ``authentic_encoders``."""
        from pytest_sslauth.sslauth import AuthenticEncoders

        return AuthenticEncoders(self.sslauth())

    def encoder_for(self, request: pytest.FixtureRequest) -> "Encoder":
        """The encoder behind the fixture ``authentic_encoder``."""
        with self._current.noting():
            return requested_encoder(request, self._checks, self._current)

    def endpoint_for(self, request: pytest.FixtureRequest) -> "AuthenticEndpoint":
        """The endpoint behind the fixture ``authentic_endpoint``."""
        with self._current.noting():
            return requested_endpoint(request, self._checks, self._current)

    def _check_markers(self, item: pytest.Item) -> None:
        with self._current.noting():
            if requests := self._watch.unchecked(item):
                check_requests(requests, item, self._checks, self._current)

    @property
    def _layered(self) -> Settings:
        """The settings of the test that runs."""
        if self._of_test is None:
            self._of_test = layered(self._current.item, self.settings)
        return self._of_test

    @property
    def _checks(self) -> "Checks":
        """The checks of all tests with the settings of the one that runs."""
        from pytest_sslauth.checks import Checks

        settings = self._layered
        if settings not in self._checks_by_settings:
            self._checks_by_settings[settings] = Checks(settings, self._common)
        return self._checks_by_settings[settings]

    @cached_property
    def _common(self) -> "Common":
        from pytest_sslauth.checks import Common
        from pytest_sslauth.lending import Lending

        return Common(Lending(self.settings.keep), self._shared, self.observer)


def check_requests(
    requests: Iterable[CheckRequest], item: pytest.Item, checks: "Checks", current: CurrentTest
) -> None:
    """Check every encoder that the markers of a test, its class and its module name.

    They make no subtests: plugins such as pytest-rerunfailures 16.7 raise where a subtest is reported before
    the set-up of its test is over, and an altered encoder has to end the set-up.

    Raises:
        NotAuthenticError: one of them is not authentic; the message reports on all that are not.
        OutOfReachError: all that are not are out of reach, and tests may skip for that.
    """
    refused = []
    for request in requests:
        outcome = checks.of_name(request, keep=ENCODER_FIXTURE in getattr(item, "fixturenames", ()))
        current.record(outcome)
        if outcome.failure:
            refused.append(outcome)
    if refused:
        raise current.refusal(refused)


def requested_encoder(request: pytest.FixtureRequest, checks: "Checks", current: CurrentTest) -> "Encoder":
    """The encoder that a test is handed: that of its parameter, else of its marker.

    Raises:
        NotAuthenticError: it is not authentic.
        MisuseError: the test does not say which encoder.
    """
    return current.demand(*checks.hand_over(_requested(request, ENCODER_FIXTURE), request.node.nodeid))


def requested_endpoint(
    request: pytest.FixtureRequest, checks: "Checks", current: CurrentTest
) -> "AuthenticEndpoint":
    """The endpoint that a test is handed: that of its parameter, else of its marker.

    Raises:
        NotAuthenticError: the encoder behind it is not authentic.
        MisuseError: the test does not say which endpoint.
    """
    return current.demand(*checks.of_endpoint(_requested(request, ENDPOINT_FIXTURE)))


def _requested(request: pytest.FixtureRequest, fixture: str) -> CheckRequest:
    nodeid = request.node.nodeid
    wanted = (
        read_parameter(request.param, nodeid, fixture)
        if hasattr(request, "param")
        else _closest(request.node, fixture)
    )
    if fixture == ENDPOINT_FIXTURE and wanted.endpoint is None:
        return replace(wanted, endpoint=())
    if fixture == ENCODER_FIXTURE and wanted.endpoint is not None:
        raise MisuseError(f"{nodeid}: {fixture} hands out encoders; {ENDPOINT_FIXTURE} is for endpoints")
    return wanted


def _closest(item: pytest.Item, fixture: str) -> CheckRequest:
    """The marker nearest to the test: on the function, else its class, else its module."""
    found = [
        (node, request)
        for node, mark in item.iter_markers_with_node("sslauth")
        if ((request := read_marker(mark, item.nodeid)).endpoint is None) == (fixture == ENCODER_FIXTURE)
    ]
    example, one = (
        (EXAMPLE, '"org/encoder"')
        if fixture == ENCODER_FIXTURE
        else ('@pytest.mark.sslauth("name", endpoint=True)', '"name"')
    )
    if not found:
        raise MisuseError(
            f"{item.nodeid}: {fixture} does not know which {fixture.partition('_')[2]}: mark the test with "
            f'{example} or write @pytest.mark.parametrize("{fixture}", [{one}], indirect=True)'
        )
    nearest = {request for node, request in found if node is found[0][0]}
    if len(nearest) > 1:
        names = ", ".join(sorted(repr(request.encoder) for request in nearest))
        raise MisuseError(
            f"{item.nodeid}: {fixture} does not know which of {names}: "
            f'write @pytest.mark.parametrize("{fixture}", [...], indirect=True)'
        )
    return nearest.pop()


SESSION = pytest.StashKey[Session]()
