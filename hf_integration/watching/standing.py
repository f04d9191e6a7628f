"""How the subjects of a history stand: the newest check of each, how old it is, and what changed when."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hf_integration.base.vocabulary import ExitStatus
from hf_integration.watching.entry import OUTCOMES, Entry, Outcome, Subject, worst

MAX_AGE = timedelta(days=2)
"""Age from which the newest check says nothing any more, unless the caller says otherwise."""

AHEAD = timedelta(minutes=5)
"""How far a clock may be ahead: a check from further in the future would stay new for as long."""


@dataclass(frozen=True)
class Change:
    """Something that two checks of a subject, one after the other, say differently.

    Attributes:
        at: when the later one began.
        what: ``status``, ``recipe``, ``expected recipe``, ``trust``, ``card`` or ``revision``.
        before: what the earlier one said.
        after: what the later one says.
        reason: of the later one.
    """

    at: datetime
    what: str
    before: str
    after: str
    reason: str


@dataclass(frozen=True)
class Standing:
    """How one subject stands.

    Attributes:
        subject: who.
        entries: its checks in their order, at least one.
        now: the moment at which this is asked.
        max_age: how old the newest check may be.
    """

    subject: Subject
    entries: Sequence[Entry]
    now: datetime
    max_age: timedelta

    @property
    def newest(self) -> Entry:
        """The check that was recorded last."""
        return self.entries[-1]

    @property
    def age(self) -> timedelta:
        """How long ago it began."""
        return self.now - self.newest.began

    @property
    def stale(self) -> str | None:
        """Why the newest check says nothing any more, if it does not."""
        if self.age > self.max_age:
            return f"nothing was checked for {long(self.age)}"
        if self.age < -AHEAD:
            return f"the newest check is dated {long(-self.age)} in the future"
        return None

    @property
    def exit_status(self) -> int:
        """That of the newest check; a pass that is too old is inconclusive."""
        statuses = [self.newest.exit_status]
        return worst([*statuses, ExitStatus.INCONCLUSIVE] if self.stale else statuses)

    @property
    def last_authentic(self) -> datetime | None:
        """When the last check that ended authentic began."""
        return next((entry.began for entry in reversed(self.entries) if entry.outcome == "authentic"), None)

    @property
    def broke(self) -> Entry | None:
        """The first check after the last pass, which was none; ``None`` while the newest is a pass."""
        first = None
        for entry in reversed(self.entries):
            if entry.passed:
                break
            first = entry
        return first

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """How many checks came to which outcome."""
        found = Counter(entry.outcome for entry in self.entries)
        return {outcome: found[outcome] for outcome in OUTCOMES}

    def since(self, moment: datetime | None) -> Sequence[Entry]:
        """The checks that began at a moment or later."""
        return [entry for entry in self.entries if moment is None or entry.began >= moment]

    def changes(self, moment: datetime | None = None) -> list[Change]:
        """What changed from one check to the next, since a moment."""
        return [change for change in self._changes() if moment is None or change.at >= moment]

    def _changes(self) -> Iterator[Change]:
        known: dict[str, str] = {}
        for entry in self.entries:
            for what, value in _facets(entry):
                before = known.get(what, value)
                known[what] = value
                if value != before:
                    yield Change(entry.began, what, before, value, entry.reason)


def standings(entries: Sequence[Entry], *, now: datetime, max_age: timedelta = MAX_AGE) -> list[Standing]:
    """How every subject of a history stands, in the order of their names."""
    of: dict[Subject, list[Entry]] = {}
    for entry in entries:
        of.setdefault(entry.subject, []).append(entry)
    return [Standing(subject, of[subject], now, max_age) for subject in sorted(of)]


def _facets(entry: Entry) -> Iterator[tuple[str, str]]:
    """What of an entry is compared with those before; an error knows of nothing but itself."""
    yield "status", status_words(entry)
    if entry.outcome == "error":
        return
    if entry.found is not None:
        yield "recipe", entry.found
    if entry.expected is not None:
        yield "expected recipe", entry.expected
    if entry.trust is not None:
        yield "trust", entry.trust
    yield "card", entry.card or "none"
    yield "revision", entry.revision or "none"


def status_words(entry: Entry) -> str:
    """The outcome in words: a waived alteration says so."""
    return "altered, waived" if entry.passed and entry.outcome == "altered" else entry.outcome


def long(span: timedelta) -> str:
    """A span in its two largest units: ``3 days 4 h``, ``12 min``, ``8 s``."""
    seconds = max(int(span.total_seconds()), 0)
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [
        f"{days} day{'' if days == 1 else 's'}" if days else "",
        f"{hours} h" if hours else "",
        f"{minutes} min" if minutes and not days else "",
        f"{seconds} s" if not (days or hours or minutes) else "",
    ]
    return " ".join(part for part in parts if part)
