"""What is asked in which request: one new text in each, and in a few of them texts that are asked elsewhere.

Whoever answers some requests with another encoder does not know which are compared, and a batch is only one
request. Texts that are asked alone and in several batches show servers whose answers depend on the batch, or
on the moment, as behind a router between replicas that differ.
"""

import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hf_integration.coverage.lengths import CUTS
from hf_integration.endpoints import Endpoint
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.probes import texts_of

BATCHES = 3
REPEATED = 5
"""Texts of each batch beside the new one; the same ones in all batches."""

KEYS_PER_BATCH = 8
"""Most requests are for one text: with fewer key samples, there are fewer batches."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Requests in the order in which they are sent.

    Attributes:
        groups: indices of texts, one or several for each request. Every text is new in exactly one of them.
        long: places of requests with one text that is so long that a server may refuse it.
        batches: places of requests with several texts, which a server may refuse as well.
    """

    groups: tuple[tuple[int, ...], ...]
    long: frozenset[int]
    batches: frozenset[int]


@dataclass(frozen=True, eq=False)
class Asked:
    """Key samples that were answered, and what it took.

    Attributes:
        samples: those that were answered.
        embeddings: float64 ``(n, dim)`` in their order: the first answer, or that of the text alone.
        again: for each batch, the same with the answers of that batch in place of those of the texts alone.
        repeated: for each text that was asked several times, its answers: float64 ``(times, dim)``, the first
            the one of the text alone.
        sent: requests that were sent.
        compared: requests whose answers are compared.
        refused: how many key samples the server refused, all of them long.
        batches_refused: how many requests with several texts it refused.
        longest: tokens of the longest that was answered.
    """

    samples: KeySamples
    embeddings: Tensor
    again: tuple[Tensor, ...]
    repeated: tuple[Tensor, ...]
    sent: int
    compared: int
    refused: int
    batches_refused: int
    longest: int


def planned(tokens: Sequence[int], *, batches: int) -> Plan:
    """One request for each text, in random order, a few of them together with texts of other requests.

    Args:
        tokens: of each text; long texts are asked alone.
        batches: most requests with several texts.
    """
    chance = random.SystemRandom()
    short = [index for index, count in enumerate(tokens) if count < min(CUTS)]
    chance.shuffle(short)
    most = min(batches, len(tokens) // KEYS_PER_BATCH, max(len(short) - REPEATED, 0))
    new, repeated = set(short[:most]), short[most : most + REPEATED]
    groups = [(index, *repeated) if index in new else (index,) for index in range(len(tokens))]
    groups = [tuple(chance.sample(group, len(group))) for group in groups]
    chance.shuffle(groups)
    alone = {place: group[0] for place, group in enumerate(groups) if len(group) == 1}
    return Plan(
        tuple(groups),
        frozenset(place for place, index in alone.items() if tokens[index] >= min(CUTS)),
        frozenset(range(len(groups))).difference(alone),
    )


def moments(requests: int, spread: float) -> list[float]:
    """Seconds after the beginning at which requests are sent, at random within a time."""
    return sorted(random.SystemRandom().uniform(0, spread) for _ in range(requests))


def ask(
    endpoint: Endpoint,
    samples: KeySamples,
    tokens: Sequence[int],
    *,
    batches: int,
    spread: float,
    told: Callable[[], object],
) -> Asked:
    """Ask key samples as planned.

    Args:
        endpoint: the server.
        samples: texts.
        tokens: of each, wherever it would be cut.
        batches: most requests with several texts.
        spread: seconds over which the requests are spread at random.
        told: called before each request.

    Raises:
        EndpointError: the server did not answer a text that is not long.
    """
    texts = texts_of(samples)
    plan = planned(tokens, batches=batches)
    begin, when = time.monotonic(), moments(len(plan.groups), spread)

    def wait(place: int) -> None:
        told()
        time.sleep(max(begin + when[place] - time.monotonic(), 0))

    answers = endpoint.embed_groups(
        [[texts[index] for index in group] for group in plan.groups],
        may_refuse=plan.long | plan.batches,
        before=wait,
    )
    refused = set(answers.refused)
    answered = [place for place in range(len(plan.groups)) if place not in refused]
    parts = iter(torch.from_numpy(answers.embeddings))
    rows = {place: {index: next(parts) for index in plan.groups[place]} for place in answered}
    return _asked(texts, samples.origin, plan, rows, tokens, sent=answers.requests, refused=refused)


def _asked(
    texts: Sequence[str],
    origin: str,
    plan: Plan,
    rows: dict[int, dict[int, Tensor]],
    tokens: Sequence[int],
    *,
    sent: int,
    refused: Collection[int],
) -> Asked:
    together = [rows[place] for place in sorted(plan.batches) if place in rows]
    first: dict[int, Tensor] = {}
    for found in together:
        first |= found
    for place, found in rows.items():
        if place not in plan.batches:
            first |= found
    kept = sorted(first)
    times: dict[int, list[Tensor]] = {index: [first[index]] for index in kept}
    for found in together:
        for index, row in found.items():
            if row is not first[index]:
                times[index].append(row)
    return Asked(
        KeySamples([texts[index] for index in kept], origin=origin),
        torch.stack([first[index] for index in kept]),
        tuple(torch.stack([found.get(index, first[index]) for index in kept]) for found in together),
        tuple(torch.stack(rows_of) for rows_of in times.values() if len(rows_of) > 1),
        sent=sent,
        compared=len(rows),
        refused=len(plan.long.intersection(refused)),
        batches_refused=len(plan.batches.intersection(refused)),
        longest=max(tokens[index] for index in kept),
    )


def different_answers(repeated: Sequence[Tensor], tolerated: float) -> str | None:
    """What is said of texts whose answers differ from one request to another; ``None`` if none does.

    Args:
        repeated: see :class:`Asked`.
        tolerated: relative distance up to which answers count as the same.
    """
    counts = [_different(answers, tolerated) for answers in repeated]
    if max(counts, default=1) == 1:
        return None
    together = [answers[1:] for answers in repeated]
    if all(_different(answers, tolerated) == 1 for answers in together) and min(counts) > 1:
        return (
            "the server answers otherwise if a text is not alone in its request: its answers depend on what "
            "else is asked"
        )
    return (
        f"the same text gave {max(counts)} different answers in {max(map(len, repeated))} requests: replicas "
        "that differ, or answers that depend on the batch"
    )


def _different(answers: Tensor, tolerated: float) -> int:
    """How many of these answers are apart, each from all others that are counted."""
    kinds: list[Tensor] = []
    for answer in answers:
        size = float(answer.norm()) or 1.0
        if all(float((answer - kind).norm()) > tolerated * size for kind in kinds):
            kinds.append(answer)
    return len(kinds)
