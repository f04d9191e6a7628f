"""The test that runs now: a session-wide fixture does not know for which test it is used."""

import pytest

from pytest_sslauth.evidence import Evidence


class CurrentTest:
    """Holds the test whose report the evidence of a check goes on."""

    def __init__(self) -> None:
        self.item: pytest.Item | None = None

    @property
    def name(self) -> str:
        """Id of the test, for messages."""
        return "no test" if self.item is None else self.item.nodeid

    def record(self, evidence: Evidence) -> None:
        """Put evidence on the test's report."""
        if self.item is not None:
            evidence.attach_to(self.item)
