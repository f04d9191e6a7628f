"""One check as a history remembers it, and whom it was about."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.base.vocabulary import ExitStatus
from hf_integration.verdict import Verdict

Outcome = Literal["authentic", "altered", "inconclusive", "error"]
"""The status of a verdict, or ``error`` where there was none: a server that did not answer, for instance."""

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

WORST_FIRST = (
    ExitStatus.ALTERED,
    ExitStatus.INTEGRITY,
    ExitStatus.INTERNAL,
    ExitStatus.INCONCLUSIVE,
    ExitStatus.USAGE,
    ExitStatus.DONE,
)
"""Which of several exit statuses counts: what was found altered is hidden by no error."""

LONGEST_REASON = 1000

NO_RECIPE = "no recipe that is known"


def worst(statuses: "list[int]") -> int:
    """The exit status that counts, of at least one; one that is unknown is worse than none."""
    known = [ExitStatus(status) for status in statuses if status in set(WORST_FIRST)]
    return min(known, key=WORST_FIRST.index) if len(known) == len(statuses) else ExitStatus.INTERNAL


@dataclass(frozen=True, order=True)
class Subject:
    """Who is watched: checks of one subject follow each other in time.

    Attributes:
        encoder: as the caller names it.
        endpoint: URL of the server, or an empty string for an encoder that is read itself.
        model: the model that the server is asked for, or an empty string.
    """

    encoder: str
    endpoint: str = ""
    model: str = ""

    def __str__(self) -> str:
        """On one line, whatever the names hold."""
        at = f" at {harmless(self.endpoint)}" if self.endpoint else ""
        return f"{harmless(self.encoder)}{at}{f' (model {harmless(self.model)})' if self.model else ''}"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What came of one check.

    Attributes:
        number: its place in the history, from 1; 0 before it is recorded.
        began: when, in UTC.
        seconds: how long it took, loading included.
        subject: who was checked.
        outcome: the verdict's status, or ``error``.
        exit_status: what ``sslauth verify`` would have ended with: 0 for a waived alteration as well.
        reason: one sentence for people: the verdict's, or the error.
        margin: the verdict's, if it has one.
        trust: why card or copy are believed.
        card: digest of the card, if one was used.
        revision: commit of the encoder or of the trusted copy, if there is one.
        expected: the recipe that a server was expected to follow.
        found: the recipe that its answers fit.
        unnoticed: share of its requests that another encoder may answer and go unnoticed.
        verdict: the whole verdict as JSON; ``None`` for an error.
    """

    number: int = 0
    began: datetime
    seconds: float
    subject: Subject
    outcome: Outcome
    exit_status: int
    reason: str
    margin: float | None = None
    trust: str | None = None
    card: str | None = None
    revision: str | None = None
    expected: str | None = None
    found: str | None = None
    unnoticed: float | None = None
    verdict: str | None = None

    @property
    def passed(self) -> bool:
        """Whether it was a pass: authentic, or an alteration that is waived."""
        return self.exit_status == ExitStatus.DONE and self.outcome in ("authentic", "altered")

    def to_dict(self) -> Mapping[str, Any]:
        """Plain JSON values, without the verdict."""
        return {
            "number": self.number,
            "began": written(self.began),
            "seconds": self.seconds,
            "encoder": self.subject.encoder,
            "endpoint": self.subject.endpoint,
            "model": self.subject.model,
            "outcome": self.outcome,
            "exit_status": int(self.exit_status),
            "reason": self.reason,
            "margin": self.margin,
            "trust": self.trust,
            "card": self.card,
            "revision": self.revision,
            "expected": self.expected,
            "found": self.found,
            "unnoticed": self.unnoticed,
        }


def of_verdict(verdict: Verdict, subject: Subject, *, began: datetime, seconds: float) -> Entry:
    """The entry of a check that came to a verdict."""
    deployment = verdict.deployment
    return Entry(
        began=began,
        seconds=seconds,
        subject=subject,
        outcome=verdict.status,
        exit_status=verdict.exit_status,
        reason=harmless(verdict.reason, longest=LONGEST_REASON),
        margin=verdict.margin,
        trust=verdict.trust,
        card=verdict.card.digest or None,
        revision=verdict.revision,
        expected=None if deployment is None else deployment.expected,
        found=None if deployment is None else deployment.found or NO_RECIPE,
        unnoticed=None if deployment is None else deployment.unnoticed,
        verdict=strict_json(verdict.to_dict()),
    )


def of_error(reason: str, status: int, subject: Subject, *, began: datetime, seconds: float) -> Entry:
    """The entry of a check that came to none.

    Args:
        reason: what happened, without secrets.
        status: what the command would end with; never one of a verdict.
        subject: who was to be checked.
        began: when.
        seconds: how long it took to fail.
    """
    never = (ExitStatus.DONE, ExitStatus.ALTERED)
    return Entry(
        began=began,
        seconds=seconds,
        subject=subject,
        outcome="error",
        exit_status=ExitStatus.INTERNAL if status in never else status,
        reason=harmless(reason, longest=LONGEST_REASON),
    )


def written(moment: datetime) -> str:
    """A moment as it is recorded: ``2026-11-03T09:00:12Z``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
