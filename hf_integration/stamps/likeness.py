"""Whether answers are of a stamp's space: the same, of another recipe of the encoder, near, or another space.

| directions | lengths, width, rounding | status |
|---|---|---|
| within the tolerance | as in the stamp | same |
| within the tolerance | others | recipe |
| those of another recipe of the stamp's encoder, or much nearer to them | | recipe |
| as near as half precision is, and as near to that as to the stamp | | near |
| within what the caller accepts | width and lengths as in the stamp | same |
| typical cosine of 0.9 or more, each text nearest to itself | | near |
| all others | | other |
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NoReturn

import numpy as np

from hf_integration.base.vocabulary import ExitStatus
from hf_integration.stamps.forms import Array, form_of
from hf_integration.stamps.held import Held
from hf_integration.stamps.stamp import MOST_TOLERATED, WITNESSES, Other, Stamp, projected, unit

Space = Literal["same", "recipe", "near", "other"]

NEAR = 0.9
"""Typical cosine from which answers are of a near encoder: one in 4 bits was measured at 0.94, and encoders
that share nothing at 0.0."""

FAR = 0.02
"""Relative distance from which pooling or prompt must be another: half precision moves less."""

CHANCE = 1.6
"""Times that a distance may seem larger by the few numbers that are kept of another recipe: 32 numbers are
within 1.6 in all but one of 10,000 cases."""

NEARER = 3.0
"""Times that answers must be nearer to another recipe than to the stamp's for it to be named."""

WIDE = 10.0
"""Times the tolerance of the stamp from which that of another recipe is wide: half precision is so, and
answers within it may as well be those of an altered encoder."""

_STATUS: Mapping[Space, ExitStatus] = {
    "same": ExitStatus.DONE,
    "recipe": ExitStatus.INCONCLUSIVE,
    "near": ExitStatus.INCONCLUSIVE,
    "other": ExitStatus.ALTERED,
}
_HEADLINES: Mapping[Space, str] = {
    "same": "SAME SPACE",
    "recipe": "ANOTHER RECIPE of the same encoder",
    "near": "NOT THE SAME SPACE, but near",
    "other": "ANOTHER SPACE",
}


@dataclass(frozen=True)
class Likeness:
    """What the answers to a stamp's texts say.

    Attributes:
        status: ``same`` space, another ``recipe`` of the encoder, ``near`` and not the same, or ``other``.
        reason: one sentence for people.
        advice: what to do, or an empty string.
        differences: how the recipe differs, in words, as far as it could be named.
        distance: largest distance of an answer's direction from the stamp's; 1.4 is a right angle.
        cosine: typical cosine similarity to the stamp's embeddings.
        tolerated: largest distance that other runtimes of the same encoder have.
        answered: how many texts were answered.
        encoder: what the stamp is of.
    """

    status: Space
    reason: str
    advice: str
    differences: tuple[str, ...]
    distance: float
    cosine: float
    tolerated: float
    answered: int
    encoder: str

    def __bool__(self) -> NoReturn:
        """Refuse: three of four answers are no pass."""
        raise TypeError("an answer is neither true nor false: look at its status, or use assert_stamp")

    @property
    def exit_status(self) -> int:
        """What a command ends with."""
        return int(_STATUS[self.status])

    def __str__(self) -> str:
        """A few lines for people."""
        lines = [f"{_HEADLINES[self.status]}: the stamp is of {self.encoder}", self.reason]
        return "\n".join([*lines, *([f"what to do: {self.advice}"] if self.advice else [])])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"schema": 1, **asdict(self)}


def likeness(stamp: Stamp, answers: Array, *, refused: bool = False, accept: float = 0.0) -> Likeness:
    """Hold answers against a stamp.

    Args:
        stamp: the stamp.
        answers: float64 ``(n, dim)``: embeddings of all of its texts, or of its short ones.
        refused: whether the long texts were not answered.
        accept: distance of directions that the caller accepts.

    Raises:
        InconclusiveError: they are rounded so coarsely that those of another encoder would look the same.
    """
    if refused:
        stamp = _without_long(stamp)
    held = Held(stamp, answers, form_of(answers))
    distances, shown = held.distances, held.differences()
    fits, short = distances <= held.tolerances, slice(0, stamp.short)
    more = (*shown, *(["it refuses long texts, which the stamped encoder took"] if refused else []))
    held.check_fine(accept)
    if fits.all():
        if not more:
            reason = f"all {len(answers)} texts are embedded within {distances.max():.1e} of the stamp"
            return _said("same", f"{reason}; {held.tolerances.max():.1e} is tolerated", held)
        if distances.max() <= accept and more == (held.written(),):
            return _accepted(held, more)
        return _said("recipe", _list(more), held, more)
    if distances.max() <= accept and not more:
        return _accepted(held, more)
    if fits[short].all():
        return _said("recipe", _list(named := (*more, _where_cut(held))), held, named)
    found = _nearest(held)
    if found is not None and found.fits:
        named = (*more, found.other.says, *_also_cut(held))
        if distances.max() <= accept and named == (found.other.says,):
            return _accepted(held, named)
        if found.other.tolerance > WIDE * stamp.tolerance and found.distance > found.base / NEARER:
            reason = (
                f"as near as it would be {_list(named)}, and an alteration that moves embeddings by less "
                f"than {found.other.tolerance:.1e} cannot be told from that; {_moved(held)}"
            )
            return _said("near", reason, held, named)
        return _said("recipe", _list(named), held, named)
    cosines = 1 - distances[short] ** 2 / 2
    if found is not None and found.distance**2 / 2 <= 1 - NEAR and found.distance < found.base / NEARER:
        named = (*more, found.other.says)
        return _said(
            "recipe", f"{_list(named)}; and besides, {found.distance:.1e} away from that", held, named
        )
    if np.median(cosines) >= NEAR and _each_nearest_to_itself(held):
        return _said("near", _moved(held), held, more)
    if held.width < max(answers.shape[1], stamp.dimensions):
        reason = f"embeddings have {answers.shape[1]} dimensions, and those of the stamp {stamp.dimensions}"
        return _said("other", reason, held)
    return _said("other", f"the typical cosine to the stamp's embeddings is {np.median(cosines):.2f}", held)


@dataclass(frozen=True)
class _Found:
    """The recipe of the stamp that comes nearest for short texts.

    Attributes:
        other: the recipe.
        distance: of the answers from it.
        base: of the answers from the stamp's own recipe, over the same texts.
        fits: whether the answers are of it.
    """

    other: Other
    distance: float
    base: float
    fits: bool


def _nearest(held: Held) -> _Found | None:
    texts = slice(0, min(WITNESSES, held.stamp.short))
    some = projected(held.answers[texts])
    rounding = float(held.rounding[texts].max())
    base = _mean_square(held.distances[texts])
    found = []
    for other in held.stamp.others:
        if not other.long and other.width == held.answers.shape[1]:
            distance = _mean_square(np.linalg.norm(some - other.numbers, axis=1))
            fits = distance <= CHANCE * (other.tolerance + rounding) and rounding <= MOST_TOLERATED
            found.append(_Found(other, distance, base, fits))
    # half precision is as wide as an alteration, so that whatever fits as well says more
    found.sort(key=lambda one: (not one.fits, one.other.tolerance if one.fits else 0.0, one.distance))
    return found[0] if found else None


def _where_cut(held: Held) -> str:
    """At how many tokens long texts are cut, where it is another number than in the stamp."""
    texts = slice(held.stamp.short, len(held.answers))
    some, away = projected(held.answers[texts]), _mean_square(held.distances[texts])
    found = [
        (_mean_square(np.linalg.norm(some - other.numbers, axis=1)), other.says)
        for other in held.stamp.others
        if other.long and other.width == held.answers.shape[1]
    ]
    distance, says = min(found, default=(np.inf, ""))
    return says if distance < away / 2 else "long texts are cut elsewhere"


def _also_cut(held: Held) -> tuple[str, ...]:
    """Whether long texts are cut elsewhere besides: they are then much further away than short ones."""
    short, long = held.distances[: held.stamp.short], held.distances[held.stamp.short :]
    if len(long) and short.max() < FAR and long.max() > max(FAR, 10 * short.max()):
        return (_where_cut(held),)
    return ()


def _each_nearest_to_itself(held: Held) -> bool:
    rows = slice(0, held.stamp.short)
    cosines = unit(held.answers[rows, : held.width]) @ unit(held.stamp.embeddings[rows, : held.width]).T
    return bool((cosines.argmax(axis=1) == np.arange(len(cosines))).all())


def _moved(held: Held) -> str:
    """What a distance means to neighbours in an index."""
    return (
        f"cosine similarities to the vectors of the index move by up to {held.distances.max():.1e}: "
        "neighbours that are less apart than that may change places"
    )


def _accepted(held: Held, differences: tuple[str, ...]) -> Likeness:
    also = f" ({_list(differences)})" if differences else ""
    reason = f"texts are embedded up to {held.distances.max():.1e} from the stamp{also}, which you accept"
    return _said("same", reason, held, differences)


def _said(status: Space, reason: str, held: Held, differences: tuple[str, ...] = ()) -> Likeness:
    stamp, distances = held.stamp, held.distances
    if status == "recipe":
        recipe = "" if stamp.recipe == "as the encoder itself" else f" ({stamp.recipe})"
        advice = f"embed as the index was{recipe}, or embed the index again and stamp it anew"
        if stamp.tolerance < distances.max() < FAR:
            reason = f"{reason}; {_moved(held)}"
    else:
        accept = ", or accept the distance" if status == "near" else ""
        advice = "" if status == "same" else f"go back to {stamp.name}, or embed the index again{accept}"
    return Likeness(
        status=status,
        reason=reason,
        advice=advice,
        differences=differences,
        distance=float(distances.max()),
        cosine=float(np.median(1 - distances[: stamp.short] ** 2 / 2)),
        tolerated=float(held.tolerances.max()),
        answered=len(held.answers),
        encoder=stamp.name,
    )


def _without_long(stamp: Stamp) -> Stamp:
    """A stamp of the short texts alone."""
    return replace(
        stamp, texts=stamp.texts[: stamp.short], embeddings=stamp.embeddings[: stamp.short], long=0
    )


def _mean_square(distances: Array) -> float:
    return float(np.sqrt((distances**2).mean()))


def _list(said: tuple[str, ...]) -> str:
    return "; ".join(said)
