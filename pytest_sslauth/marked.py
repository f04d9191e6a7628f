"""What the markers and parameters of one test ask for."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

from pytest_sslauth.checks import Checks
from pytest_sslauth.current_test import CurrentTest
from pytest_sslauth.failure import MisuseError, NotAuthenticError
from pytest_sslauth.marker import EXAMPLE, CheckRequest, read_marker, read_parameter

if TYPE_CHECKING:
    from hf_integration.encoders import Encoder

FIXTURE = "authentic_encoder"


def check_requests(
    requests: Iterable[CheckRequest], item: pytest.Item, checks: Checks, current: CurrentTest
) -> None:
    """Check every encoder that the markers of a test, its class and its module name.

    Raises:
        NotAuthenticError: one of them is not authentic; the message reports on all that are not.
    """
    failures = []
    for request in requests:
        outcome = checks.of_name(request, keep=FIXTURE in getattr(item, "fixturenames", ()))
        current.record(outcome.evidence)
        if outcome.failure:
            failures.append(outcome.failure)
    if failures:
        raise NotAuthenticError("\n\n".join(failures))


def requested_encoder(request: pytest.FixtureRequest, checks: Checks, current: CurrentTest) -> "Encoder":
    """The encoder that a test is handed: that of its parameter, else of its marker.

    Raises:
        NotAuthenticError: it is not authentic.
        MisuseError: the test does not say which encoder.
    """
    nodeid = request.node.nodeid
    named = hasattr(request, "param")
    wanted = read_parameter(request.param, nodeid) if named else _closest(request.node)
    outcome, encoder = checks.hand_over(wanted, nodeid)
    current.record(outcome.evidence)
    if outcome.failure or encoder is None:
        raise NotAuthenticError(outcome.failure or "no encoder was checked")
    return encoder


def _closest(item: pytest.Item) -> CheckRequest:
    """The marker nearest to the test: on the function, else its class, else its module."""
    found = list(item.iter_markers_with_node("sslauth"))
    if not found:
        raise MisuseError(
            f"{item.nodeid}: {FIXTURE} does not know which encoder: mark the test with {EXAMPLE} "
            f'or write @pytest.mark.parametrize("{FIXTURE}", ["org/encoder"], indirect=True)'
        )
    nearest = {read_marker(mark, item.nodeid) for node, mark in found if node is found[0][0]}
    if len(nearest) > 1:
        names = ", ".join(sorted(repr(request.encoder) for request in nearest))
        raise MisuseError(
            f"{item.nodeid}: {FIXTURE} does not know which of {names}: "
            f'write @pytest.mark.parametrize("{FIXTURE}", [...], indirect=True)'
        )
    return nearest.pop()
