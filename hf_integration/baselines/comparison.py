"""Whether an endpoint changed: a test with a stated rate of false alarms, whatever its noise is like.

Both tests compare how far answers are from the mean of the baseline, and assume one thing: had nothing
changed, the new answers to a text could as well have been in the baseline, request by request. Then, of a
text that was asked ``k`` times before and ``m`` times now, every order of the distances is equally likely.

- *Shift*: the number of pairs of a new answer and one of the baseline, to the same text in the same mode, in
  which the new one is further away (Mann and Whitney's U). Its distribution is counted, and not approximated.
- *Strays*: answers further away than every one of the baseline. That the ``s`` furthest of all are new has at
  most the probability ``(m / (k + m)) ** s``.

Each may raise a false alarm in half of :data:`FALSE_ALARMS`. Ties, and distances that float32 does not tell
apart, count for no change.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, Literal

import numpy as np

from hf_integration.base.errors import InconclusiveError
from hf_integration.base.vocabulary import ExitStatus
from hf_integration.baselines.baseline import Baseline, Mode, relative
from hf_integration.stamps.forms import Array
from hf_integration.stamps.likeness import likeness
from hf_integration.stamps.stamp import Stamp

FALSE_ALARMS = 1e-3
"""Rate at which an endpoint that did not change is said to have changed, at most."""

FLOOR = 4e-6
"""Relative distance below which answers count as equal: float32 runtimes are up to 2.2e-6 from each other."""

CONFIDENCE = 0.99
"""With which it is stated what share of requests may be answered otherwise and go unnoticed."""


@dataclass(frozen=True)
class Change:
    """What came of asking again.

    Attributes:
        status: ``unchanged`` or ``changed``; never more than that.
        reason: one sentence for people.
        since: when the baseline was completed.
        p_value: how likely this or more would be had nothing changed, at most.
        false_alarms: the rate that was allowed.
        requests: that counted.
        strays: answers that are further away than every one of the baseline.
        unnoticed: share of requests that another encoder may answer and go unnoticed.
        typical: median relative distance of the new answers from the baseline's mean.
        noise: largest such distance within the baseline.
        differences: what the numbers show, in words, if it changed.
        url: of the endpoint that was asked.
    """

    status: Literal["unchanged", "changed"]
    reason: str
    since: str
    p_value: float
    false_alarms: float
    requests: int
    strays: int
    unnoticed: float
    typical: float
    noise: float
    differences: tuple[str, ...]
    url: str

    @property
    def exit_status(self) -> int:
        """What a command ends with."""
        return int(ExitStatus.ALTERED if self.status == "changed" else ExitStatus.DONE)

    def __str__(self) -> str:
        """A few lines for people."""
        return f"{self.status.upper()} since {self.since}: {self.url}\n{self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"schema": 1, **asdict(self)}


def compare(baseline: Baseline, answers: Mapping[Mode, Array], *, url: str | None = None) -> Change:
    """Hold new answers against a baseline.

    Args:
        baseline: the baseline.
        answers: by mode, float64 ``(rounds, n, dim)``.
        url: of the endpoint that was asked, if it is another one than the baseline's.

    Raises:
        InconclusiveError: there are so few answers that not even another encoder's would be told from chance.
    """
    if url is not None:
        return replace(compare(baseline, answers), url=url)
    rounds, count, width = answers["alone"].shape
    requests = sum(rows.shape[0] * rows.shape[1] for rows in answers.values())
    if width != baseline.dimensions:
        said = _differences(baseline, answers["alone"][0])
        reason = "; ".join((f"answers have {width} dimensions, and had {baseline.dimensions}", *said))
        return _change(baseline, "changed", reason, 0.0, requests, requests, 0.0, np.inf, said)
    before, strata = baseline.rounds, count * len(answers)
    if _chance(before * rounds * strata, requests, before, rounds, strata) > FALSE_ALARMS:
        raise InconclusiveError(
            f"{requests} answers are so few that no change could be told from chance",
            remedy="ask more often with --rounds, or make a baseline of more texts",
        )
    pairs, strays, distances = 0, 0, []
    most = max(FLOOR, baseline.noise)
    for mode, rows in answers.items():
        known = baseline.answered[mode]
        away = relative(rows, known.mean).T
        old, new = np.maximum(known.distances, FLOOR), np.maximum(away, FLOOR)
        pairs += int((new[:, :, None] > old[:, None, :]).sum())
        strays += int((new > most).sum())
        distances.append(away)
    p_value = _chance(pairs, strays, before, rounds, strata)
    typical = float(np.median(np.concatenate(distances)))
    unnoticed = _unnoticed(requests, before, rounds)
    if p_value > FALSE_ALARMS:
        reason = (
            f"{requests} answers are as far from the baseline as its own were from each other (typically "
            f"{typical:.1e}, p = {p_value:.2g}); whose encoder answers is not known, and another one may "
            f"answer {unnoticed:.0%} of requests unnoticed"
        )
        return _change(baseline, "unchanged", reason, p_value, requests, strays, unnoticed, typical, ())
    said = _differences(baseline, answers["alone"][0])
    shift = _at_least(pairs, before, rounds, strata=strata)
    some = strays < requests / 2 and shift > FALSE_ALARMS / 2
    what = (
        f"{strays} of {requests} answers are further from the baseline than any was"
        if some
        else f"answers are typically {typical:.1e} from the baseline, and its own were up to "
        f"{baseline.noise:.1e} from each other"
    )
    reason = f"{what} (p = {p_value:.1e}; {FALSE_ALARMS:g} of checks are false alarms)"
    if said:
        reason = f"{reason}; {'; '.join(said)}"
    return _change(baseline, "changed", reason, p_value, requests, strays, unnoticed, typical, said)


def _change(
    baseline: Baseline,
    status: Literal["unchanged", "changed"],
    reason: str,
    p_value: float,
    requests: int,
    strays: int,
    unnoticed: float,
    typical: float,
    differences: tuple[str, ...],
) -> Change:
    return Change(
        status=status,
        reason=reason,
        since=baseline.created,
        p_value=p_value,
        false_alarms=FALSE_ALARMS,
        requests=requests,
        strays=strays,
        unnoticed=unnoticed,
        typical=typical,
        noise=baseline.noise,
        differences=differences,
        url=baseline.url,
    )


def _differences(baseline: Baseline, rows: Array) -> tuple[str, ...]:
    """What the numbers of one round show by themselves, as for a stamp."""
    stamp = Stamp(
        encoder=baseline.url,
        commit=None,
        card=None,
        created=baseline.created,
        recipe="as the endpoint answered",
        form=baseline.form,
        tolerance=max(FLOOR, baseline.noise),
        texts=baseline.texts,
        long=0,
        embeddings=baseline.answered["alone"].mean,
    )
    return likeness(stamp, rows).differences


def _chance(pairs: int, strays: int, before: int, now: int, strata: int) -> float:
    """Probability, at most, of so many pairs or so many strays where nothing changed."""
    stray = (now / (before + now)) ** strays
    return min(2 * min(_at_least(pairs, before, now, strata=strata), stray), 1.0)


@cache
def _orders(before: int, now: int) -> Array:
    """Distribution of U for one text: probability of each number of pairs, of 0 to ``before * now``."""
    counts = np.ones(1)
    # the generating function of U is a Gaussian binomial coefficient
    for step in range(1, now + 1):
        up = np.zeros(before + step + 1)
        up[[0, -1]] = 1, -1
        counts = np.convolve(counts, up)
        down = np.zeros(step + 1)
        down[[0, -1]] = 1, -1
        counts = np.round(_quotient(counts, down))
    return np.asarray(counts / counts.sum())


def _quotient(counts: Array, divisor: Array) -> Array:
    """Exact quotient of two polynomials, lowest power first."""
    step = len(divisor) - 1
    quotient = np.zeros(len(counts) - step)
    for place in range(len(quotient)):
        quotient[place] = counts[place] + (quotient[place - step] if place >= step else 0.0)
    return quotient


@cache
def _of_all(before: int, now: int, strata: int) -> Array:
    """Distribution of the sum of so many independent U."""
    one, found = _orders(before, now), np.ones(1)
    while strata:  # by squares
        found = np.convolve(found, one) if strata % 2 else found
        one, strata = np.convolve(one, one), strata // 2
    return found


def _at_least(pairs: int, before: int, now: int, *, strata: int) -> float:
    """Probability of so many pairs or more."""
    return float(min(_of_all(before, now, strata)[pairs:].sum(), 1.0))


@cache
def _unnoticed(requests: int, before: int, now: int) -> float:
    """Largest share of requests that another encoder may answer without an alarm, with a confidence."""
    needed = int(np.ceil(np.log(FALSE_ALARMS / 2) / np.log(now / (before + now))))
    low, high = 0.0, 1.0
    for _ in range(30):
        share = (low + high) / 2
        missed = _fewer(needed, requests, share)
        low, high = (share, high) if missed > 1 - CONFIDENCE else (low, share)
    return high


def _fewer(needed: int, requests: int, share: float) -> float:
    """Probability that fewer than so many requests are of a share."""
    if share >= 1:
        return 0.0 if requests >= needed else 1.0
    terms, term = 0.0, (1 - share) ** requests
    for count in range(min(needed, requests + 1)):
        terms += term
        term *= (requests - count) / (count + 1) * share / (1 - share)
    return terms
