"""What a stress run found, as values with a JSON form."""

from dataclasses import asdict, dataclass
from typing import Any

from hf_integration.verdict import Status

SCHEMA = 1


@dataclass(frozen=True)
class Alteration:
    """One kind of alteration.

    Attributes:
        name: what was done.
        status: verdict of the whole check, on the smallest magnitude that changes anything; ``None`` where
            the altered encoder could not even be loaded, which is no pass either.
        evidence: what gave it away: tensors, settings, or strips, at most a few.
        floor: smallest magnitude at which the watermark alone broke, digests left aside, with every seed;
            ``None`` where none did.
        strip: the first strip that broke then.
        unit: what the magnitude means; empty where there is one size only.
        smallest: smallest of those tried that changes any stored number; ``None`` beside weights.
        nothing: why there is nothing to detect: no magnitude changes a stored number, or there is no way to
            carry this alteration out. Neither detected nor missed.
    """

    name: str
    status: Status | None
    evidence: tuple[str, ...]
    floor: float | None
    strip: str | None
    unit: str = ""
    smallest: float | None = None
    nothing: str = ""

    @property
    def detected(self) -> bool | None:
        """Whether the whole check did not pass it; ``None`` where nothing was altered."""
        return None if self.nothing else self.status != "authentic"


@dataclass(frozen=True)
class BenignChange:
    """One change that leaves the encoder what it is.

    Attributes:
        name: what was done.
        precision: arithmetic of the run.
        margin: tolerance over error, above 1 is intact; ``None`` where it could not be run.
        note: why not, or what was not authentic.
        idle: it changed nothing here: the run was equal to the bit to the check as it is made.
    """

    name: str
    precision: str
    margin: float | None
    note: str = ""
    idle: bool = False

    @property
    def false_alarm(self) -> bool:
        """Whether an unaltered encoder did not pass."""
        return self.margin is not None and self.margin <= 1


@dataclass(frozen=True)
class StressReport:
    """Everything that was tried on one encoder and one card.

    Attributes:
        encoder: its name.
        card: digest of the card.
        precision: arithmetic of the checks of altered encoders.
        seeds: how many draws every alteration of weights was tried with.
        alterations: in the order of the catalogue.
        benign: in the order in which they were run.
        seconds: how long all of it took.
    """

    encoder: str
    card: str
    precision: str
    seeds: int
    alterations: tuple[Alteration, ...]
    benign: tuple[BenignChange, ...]
    seconds: float

    @property
    def missed(self) -> tuple[Alteration, ...]:
        """Alterations that the whole check passed."""
        return tuple(alteration for alteration in self.alterations if alteration.detected is False)

    @property
    def nothing_altered(self) -> tuple[Alteration, ...]:
        """Alterations that change nothing in this encoder."""
        return tuple(alteration for alteration in self.alterations if alteration.nothing)

    @property
    def not_run(self) -> tuple[BenignChange, ...]:
        """Benign changes that could not be run here."""
        return tuple(change for change in self.benign if change.margin is None)

    @property
    def idle(self) -> tuple[BenignChange, ...]:
        """Benign changes that changed nothing here, which proves nothing."""
        return tuple(change for change in self.benign if change.idle)

    @property
    def false_alarms(self) -> tuple[BenignChange, ...]:
        """Benign changes that did not pass."""
        return tuple(change for change in self.benign if change.false_alarm)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "schema": SCHEMA,
            **asdict(self),
            "alterations": [{**asdict(a), "detected": a.detected} for a in self.alterations],
            "benign": [{**asdict(change), "false_alarm": change.false_alarm} for change in self.benign],
        }
