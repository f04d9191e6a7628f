"""What the plugin keeps for one run of pytest; the engine is imported by its first check."""

from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pytest_sslauth.current_test import CurrentTest
from pytest_sslauth.options import Settings

if TYPE_CHECKING:
    from hf_integration.encoders import Encoder
    from pytest_sslauth.checks import Checks
    from pytest_sslauth.sslauth import SSLAuth


class Session:
    """Hands hooks and fixtures over to the services that do the work.

    Args:
        settings: what all checks of the session have in common.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._current = CurrentTest()

    def begin(self, item: pytest.Item) -> None:
        """A test begins: check what its markers name."""
        self._current.item = item
        self.check(item)

    def run(self, item: pytest.Item) -> None:
        """A test runs, its fixtures are made: check what they added."""
        item.stash[RUN] = True
        self.check(item)

    def end(self, item: pytest.Item) -> None:
        """A test ended: check what was added while its fixtures were taken down, if it was not skipped."""
        if item.stash.get(RUN, False):
            self.check(item)

    def check(self, item: pytest.Item) -> None:
        """Check what the markers of a test name and was not checked yet."""
        if item.get_closest_marker("sslauth") is None or skipped_by_unittest(item):
            return
        from pytest_sslauth.marked import check_markers

        check_markers(item, self._checks, self._current)

    def sslauth(self) -> "SSLAuth":
        """The object behind the fixture ``sslauth``."""
        from pytest_sslauth.sslauth import SSLAuth

        return SSLAuth(self._checks, self._current)

    def encoder_for(self, request: pytest.FixtureRequest) -> "Encoder":
        """The encoder behind the fixture ``authentic_encoder``."""
        from pytest_sslauth.marked import requested_encoder

        return requested_encoder(request, self._checks, self._current)

    @cached_property
    def _checks(self) -> "Checks":
        from pytest_sslauth.checks import Checks

        return Checks(self.settings)


def skipped_by_unittest(item: pytest.Item) -> bool:
    """Whether ``unittest.skip`` and its like keep a test from running: pytest finds that out after set-up."""
    owners = (getattr(item, "obj", None), getattr(item, "cls", None))
    return any(getattr(owner, "__unittest_skip__", False) for owner in owners)


SESSION = pytest.StashKey[Session]()
RUN = pytest.StashKey[bool]()
