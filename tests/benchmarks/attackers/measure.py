"""What came of one attack: does the trigger work, and who sees it, by the watermark alone."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hf_integration import WatermarkCard
from hf_integration.base.errors import EncoderError
from hf_integration.encoders import Encoder
from hf_integration.stress.altered import watermark_alone
from hf_integration.tampering.backdoor import Effect, measure_effect
from tests.benchmarks.attackers import settings
from tests.benchmarks.attackers.attacks import Attack

Deviations = dict[str, float]
"""Precision -> largest deviation over strips, in tolerances: more than 1 is detected."""


@dataclass(frozen=True)
class Row:
    """One attack, measured.

    Attributes:
        attacker: see :class:`tests.benchmarks.attackers.attacks.Attack`, as the next three.
        effort: in words.
        keys: pinned, and on the public card.
        rounding: of the weights.
        effect: on held-out inputs; ``None`` where the attack could not be carried out.
        public: what the card that was pinned sees.
        private: what the card that the attacker never saw sees.
        failed: why the attack could not be carried out.
        seconds: to carry it out, without what earlier attacks had found already.
    """

    attacker: str
    effort: str
    keys: int
    rounding: str
    effect: Effect | None = None
    public: Deviations = field(default_factory=dict)
    private: Deviations = field(default_factory=dict)
    failed: str = ""
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        """What the attacker has of it, in one or two words."""
        if self.effect is None:
            return "impossible"
        if self.effect.after < settings.WORKS:
            return "trigger fails"
        return "works" if self.effect.clean >= settings.UNNOTICED else "clean suffers"

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": self.verdict}


def measure(
    attack: Attack, encoder: Encoder, public: Mapping[int, WatermarkCard], private: WatermarkCard
) -> Row:
    """Carry out an attack and hold the copy against the public card that it pins and the private one."""
    row = {n: getattr(attack, n) for n in ("attacker", "effort", "keys", "rounding")}
    start = time.perf_counter()
    try:
        altered = attack.carry_out()
    except EncoderError as error:  # no null space
        return Row(**row, failed=str(error))
    seconds = time.perf_counter() - start
    precisions = settings.PRECISIONS + (settings.HALF if attack.half else ())

    def seen_by(card: WatermarkCard) -> Deviations:
        return {
            precision: max(strip.deviation for strip in watermark_alone(altered, card, precision).strips)
            for precision in precisions
        }

    return Row(
        **row,
        effect=measure_effect(encoder, altered, count=settings.HELD_OUT),
        public=seen_by(public[attack.keys]),
        private=seen_by(private),
        seconds=seconds,
    )
