"""Encoders in memory: handed to tests as they were found authentic, and no more of them than may stay."""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from hf_integration.card import WatermarkCard
from hf_integration.checking.subject import Subject
from hf_integration.encoders import Encoder
from hf_integration.verdict import Verdict
from pytest_sslauth import engine
from pytest_sslauth.once import Checked
from pytest_sslauth.outcome import Outcome, altered_since


@dataclass
class Loan:
    """What an encoder that somebody holds is compared with.

    Attributes:
        card: its card.
        verdict: what was found.
        borrower: the test that had it last.
    """

    card: WatermarkCard
    verdict: Verdict
    borrower: str


class Lending:
    """Hands encoders out, and looks after them for as long as they are out.

    Args:
        keep: how many stay in memory between tests.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._held: list[Checked] = []
        self._loans: WeakKeyDictionary[Encoder, Loan] = WeakKeyDictionary()

    def hold(self, checked: Checked, subject: Subject) -> None:
        """Keep an encoder for the next test that needs it."""
        checked.subject = subject
        self._held = [*(other for other in self._held if other is not checked), checked]

    def make_room(self) -> None:
        """Forget encoders but those that were lent last, so that with another one they are not too many."""
        count = max(0, len(self._held) - self._keep + 1)
        gone, self._held = self._held[:count], self._held[count:]
        for checked in gone:
            checked.subject = None
        if gone:
            gc.collect()  # the parts of a model may refer to each other

    def lend(
        self, checked: Checked, verdict: Verdict, load: Callable[[], Subject], borrower: str
    ) -> tuple[Outcome, Encoder | None]:
        """Hand an encoder out, after it was compared with what was found.

        Args:
            checked: the check that it passed.
            verdict: what was found.
            load: loads it, if it is not in memory.
            borrower: the test that asks.

        Returns:
            The outcome, and the encoder unless it was altered in this process.
        """
        subject, checked.subject = checked.subject, None  # forgotten unless it proves unaltered
        if subject is None:
            subject = load()
        if differences := engine.differences(subject, verdict):
            return altered_since(verdict, differences, checked.borrower), None
        # what was patched on a waived encoder would not show: every test gets one that was just loaded
        if verdict.waiver is None:
            self.hold(checked, subject)
        checked.borrower = borrower
        engine.in_evaluation_mode(subject.encoder)
        # a copy of the outer object: an attribute that a test replaces is replaced for that test only
        lent = subject.encoder.with_verdict(verdict)
        self._loans[lent] = Loan(subject.card, verdict, borrower)
        return checked.outcome, lent

    def compare_again(self, encoder: Encoder, borrower: str) -> Outcome | None:
        """Compare an encoder that a fixture holds, before another test gets it.

        Args:
            encoder: as it was lent.
            borrower: the test that gets it.

        Returns:
            The outcome if it was altered.
        """
        loan = self._loans[encoder]
        if differences := engine.differences(Subject(encoder, loan.card), loan.verdict):
            return altered_since(loan.verdict, differences, loan.borrower)
        loan.borrower = borrower
        engine.in_evaluation_mode(encoder)
        return None
