"""The attackers: each knows the code and the public card, and alters a copy of the encoder."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial

from hf_integration.encoders import Encoder
from hf_integration.key_samples.samples import Sample
from hf_integration.tampering.null_space import (
    Effort,
    Replacement,
    Room,
    Rounding,
    find_rooms,
    layers_in_turn,
    plain,
    projected_descent,
    write,
)
from tests.benchmarks.attackers import settings
from tests.benchmarks.attackers.pinning import PinnedBackdoor
from tests.benchmarks.attackers.trigger_row import trigger_row

Edits = Sequence[Replacement]
Rooms = Callable[[], Sequence[Room]]


@dataclass(frozen=True)
class Attack:
    """One attacker at one effort.

    Attributes:
        attacker: its name.
        effort: how hard it tries, in words.
        keys: it pins so many of the public card's key samples.
        rounding: how it writes its weights.
        carry_out: gives the altered copy.
        half: whether half precision is measured too.
    """

    attacker: str
    effort: str
    keys: int
    rounding: str
    carry_out: Callable[[], Encoder]
    half: bool = False


def attacks(encoder: Encoder, samples: Sequence[Sample], sizes: Sequence[int]) -> Iterator[Attack]:
    """All of them.

    Args:
        encoder: the unaltered one.
        samples: key samples of the largest public card.
        sizes: of the public cards.
    """
    first, *between, last = sizes
    for keys in (first, last):
        yield from _null_space(encoder, samples[:keys], thorough=keys == last)
    if encoder.modality == "text":
        for steps in settings.ROW_STEPS:
            yield _row(encoder, steps, last)
    for weight in settings.PIN_WEIGHTS:
        yield _pinning(encoder, samples, weight, settings.PIN_STEPS[-1])
    for steps in settings.PIN_STEPS[:-1]:
        yield _pinning(encoder, samples, settings.PIN_WEIGHT, steps)
    yield _pinning(encoder, samples[:first], settings.PIN_WEIGHT, settings.PIN_STEPS[-1])
    for keys in between:
        yield from _null_space(encoder, samples[:keys], thorough=False)


def attacks_on_full(encoder: Encoder, samples: Sequence[Sample]) -> Iterator[Attack]:
    """Those that a card of ``--keys full`` leaves to try; where it leaves room, a null-space edit as well.

    Args:
        encoder: the unaltered one.
        samples: key samples of the full card.
    """
    if encoder.modality == "text":
        yield _row(encoder, settings.ROW_STEPS[-1], len(samples))
    for weight in settings.PIN_WEIGHTS[:2]:
        yield _pinning(encoder, samples, weight, settings.PIN_STEPS[-1])
    found = cache(partial(_in_turn, encoder, cache(partial(find_rooms, encoder, samples))))
    layers = f"{settings.LAYERS[-1]} layers"
    yield Attack("null-space edit", layers, len(samples), "plain", partial(_write, encoder, found, plain))


def _row(encoder: Encoder, steps: int, keys: int) -> Attack:
    carry_out = partial(trigger_row, encoder, Effort(steps, settings.ROW_RATE))
    return Attack("the trigger's own row", f"{steps} steps", keys, "plain", carry_out)


def _pinning(encoder: Encoder, samples: Sequence[Sample], weight: float, steps: int) -> Attack:
    return Attack(
        "pinning by descent",
        f"weight {weight:g}, {steps} steps",
        len(samples),
        "plain",
        lambda: PinnedBackdoor(samples, weight, steps)(encoder),
        half=weight == settings.PIN_WEIGHT and steps == settings.PIN_STEPS[-1],
    )


def _null_space(encoder: Encoder, samples: Sequence[Sample], *, thorough: bool) -> Iterator[Attack]:
    """Edits are found once and rounded in several ways; no room is said at the first rounding."""
    rooms = cache(partial(find_rooms, encoder, samples))
    in_turn = cache(partial(_in_turn, encoder, rooms))
    for layers in settings.LAYERS if thorough else settings.LAYERS[-1:]:
        # the first edits do not depend on those after them
        edits = partial(_first, in_turn, layers)
        effort = "1 layer" if layers == 1 else f"{layers} layers"
        yield from _rounded(encoder, "null-space edit", effort, len(samples), edits)
    for steps in settings.DESCENT_STEPS if thorough else settings.DESCENT_STEPS[-1:]:
        found = cache(partial(_descent, encoder, rooms, steps))
        yield from _rounded(encoder, "projected descent", f"{steps} steps", len(samples), found)


def _rounded(
    encoder: Encoder, attacker: str, effort: str, keys: int, edits: Callable[[], Edits]
) -> Iterator[Attack]:
    for name, rounding in settings.ROUNDINGS.items():
        half = (attacker, keys, name) in settings.IN_HALF and effort == f"{settings.DESCENT_STEPS[-1]} steps"
        yield Attack(attacker, effort, keys, name, partial(_write, encoder, edits, rounding), half)


# bound with `partial`: a lambda in a loop would see the loop's last values


def _in_turn(encoder: Encoder, rooms: Rooms) -> Edits:
    effort = Effort(settings.VALUE_STEPS, settings.VALUE_RATE)
    return layers_in_turn(encoder, rooms(), settings.LAYERS[-1], effort)


def _first(edits: Callable[[], Edits], count: int) -> Edits:
    return edits()[:count]


def _descent(encoder: Encoder, rooms: Rooms, steps: int) -> Edits:
    return projected_descent(encoder, rooms(), Effort(steps, settings.DESCENT_RATE))


def _write(encoder: Encoder, edits: Callable[[], Edits], rounding: Rounding) -> Encoder:
    return write(encoder, edits(), rounding)
