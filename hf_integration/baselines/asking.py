"""Asking an endpoint the same texts several times: alone and among others, in other orders, over time."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from hf_integration.base.errors import EndpointError, InconclusiveError
from hf_integration.base.progress import Progress
from hf_integration.baselines.baseline import MODES, MOST_NOISE, Answered, Baseline, Mode
from hf_integration.endpoints import Address, Endpoint
from hf_integration.stamps.forms import Array, form_of
from hf_integration.stamps.texts import LONG, key_texts

TEXTS = 24
"""By default, the long ones included."""

MATES = 7
"""Texts that share a request with the one that counts. Each request counts once: what decides about a
request, such as the machine that answers it, decides about all of its texts."""

FEWEST_TEXTS = 8
"""With fewer, and two rounds, no change could be told from chance."""

OpenEndpoint = Callable[[], Endpoint]


def default_texts() -> tuple[str, ...]:
    """Short texts and long ones, that nobody knows."""
    return key_texts(TEXTS - len(LONG))


def make_baseline(
    address: Address,
    opened: OpenEndpoint,
    texts: Sequence[str],
    *,
    rounds: int,
    spread: float,
    progress: Progress,
) -> Baseline:
    """Ask an endpoint for the first time.

    Args:
        address: of the endpoint.
        opened: connects to it.
        texts: that are asked; those that it refuses in the first round are left out.
        rounds: how often each text is asked in each mode, at least 2.
        spread: seconds over which the rounds are spread.
        progress: told how far it is.

    Raises:
        EndpointError: it did not answer.
        InconclusiveError: it refused too many texts, or its answers to one text differ so much that nothing
            can be told.
    """
    begun = _now()
    with opened() as endpoint:
        refused = endpoint.embed(texts, may_refuse=range(len(texts))).refused
    kept = [text for place, text in enumerate(texts) if place not in refused]
    if len(kept) < FEWEST_TEXTS:
        raise InconclusiveError(
            f"the endpoint refused {len(refused)} of {len(texts)} texts, and {len(kept)} are too few",
            remedy=f"give at least {FEWEST_TEXTS} that it takes with --texts",
        )
    answers = ask(opened, kept, rounds=rounds, spread=spread, progress=progress)
    baseline = Baseline(
        url=address.url,
        api=address.api,
        model=address.model,
        begun=begun,
        created=_now(),
        form=form_of(answers["alone"][0]),
        texts=tuple(kept),
        answered={mode: Answered.of(rows) for mode, rows in answers.items()},
    )
    if not baseline.noise <= MOST_NOISE:
        raise InconclusiveError(
            f"answers to one text are {baseline.noise:.1e} apart, so that nothing can be told of later ones",
            remedy="ask an endpoint that has one encoder",
        )
    return baseline


def ask(
    opened: OpenEndpoint, texts: Sequence[str], *, rounds: int, spread: float, progress: Progress
) -> Mapping[Mode, Array]:
    """Ask every text so many times in each mode, in random order, each round on a connection of its own.

    Returns:
        By mode, float64 ``(rounds, n, dim)``.

    Raises:
        EndpointError: the server did not answer, or not with equally wide embeddings.
    """
    answers: dict[Mode, list[Array]] = {mode: [] for mode in MODES}
    passes = [(place, mode) for place in range(rounds) for mode in MODES]
    begin = time.monotonic()
    progress.start("asking the endpoint", len(passes))
    for number, (_, mode) in enumerate(passes):
        # the last round ends the spread
        due = begin + spread * number / max(len(passes) - 1, 1)
        time.sleep(max(due - time.monotonic(), 0.0))
        with opened() as endpoint:
            answers[mode].append(_round(endpoint, texts, mode))
        progress.advance()
    widths = {rows.shape[1] for found in answers.values() for rows in found}
    if len(widths) > 1:
        raise EndpointError(
            f"the endpoint answered with {min(widths)} and with {max(widths)} dimensions",
            remedy="ask for a fixed number with --dimensions, if its API allows that",
        )
    return {mode: np.stack(found) for mode, found in answers.items()}


def _round(endpoint: Endpoint, texts: Sequence[str], mode: Mode) -> Array:
    """One answer to each text, float64 ``(n, dim)``."""
    chance = random.SystemRandom()
    order = list(range(len(texts)))
    chance.shuffle(order)
    mates = min(MATES, len(texts) - 1, endpoint.address.dialect.most_texts - 1) if mode == "together" else 0
    asked: list[str] = []
    counted: list[int] = []
    for place in order:
        others = [text for other, text in enumerate(texts) if other != place]
        request = chance.sample(others, mates)
        at = chance.randint(0, mates)
        counted.append(len(asked) + at)
        asked += [*request[:at], texts[place], *request[at:]]
    rows = endpoint.embed(asked, per_request=1 + mates).embeddings[counted]
    answers = np.empty_like(rows)
    answers[order] = rows
    return answers


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
