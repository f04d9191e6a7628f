"""Rivals on the same answers: a cosine canary, a permutation test of MMD, and the comparison of TOPLOC.

Sources: "Model Equality Testing" (arXiv 2410.20247), a two-sample test of the maximum mean discrepancy whose
p-value comes from permutations, and TOPLOC (arXiv 2501.16007), which compares the 128 largest activations in
bfloat16. Both were made for language models; each docstring says what is adapted.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

CANARY = 0.999
"""Cosine similarity below which home-made canaries and tests of servers raise an alarm."""

PERMUTATIONS = 999
LEVEL = 0.05

LARGEST, MOST_EXPONENTS, MOST_MEAN, MOST_MEDIAN = 128, 38, 10.0, 8.0
"""Of TOPLOC: activations that are compared, and above how many other exponents, and above which mean and
median difference of the other mantissas a proof fails. As published, for bfloat16."""

Alarm = Callable[[Tensor, Tensor], bool]
"""From the trusted copy's answers and a deployment's, float64 ``(runs, n, dim)`` each, to an alarm."""


@dataclass(frozen=True)
class Seen:
    """What a rival says of one table row.

    Attributes:
        false_alarms: of the benign runs.
        rate: the smallest learning rate from which on every one is seen; ``None`` if none is.
    """

    false_alarms: int
    rate: float | None


def canary(known: Tensor, asked: Tensor) -> bool:
    """Whether any text's embedding is less similar to the known one than 0.999."""
    return bool((F.cosine_similarity(asked[0], known[0], dim=1) < CANARY).any())


def toploc(known: Tensor, asked: Tensor) -> bool:
    """Whether the proof of any text fails.

    Adapted: the activations are a text's final embedding, as an API gives nothing else, so that each text is
    a proof; and the numbers themselves are compared, where TOPLOC has a polynomial through them. One that
    is not among the largest of both sides counts as another exponent: a polynomial gives nonsense there.
    """
    return any(
        exponents > MOST_EXPONENTS or mean > MOST_MEAN or median > MOST_MEDIAN
        for exponents, mean, median in map(_differences, known[0], asked[0])
    )


def _differences(known: Tensor, asked: Tensor) -> tuple[int, float, float]:
    """Other exponents, and mean and median difference of the other mantissas, of the largest numbers."""
    count = min(LARGEST, len(known))
    one, other = (row.bfloat16() for row in (known, asked))
    places = one.abs().topk(count).indices
    bits, others = (row[places].view(torch.int16).int() & 0x7FFF for row in (one, other))
    kept = torch.isin(places, other.abs().topk(count).indices) & (bits >> 7 == others >> 7)
    if not kept.any():
        return count, float("inf"), float("inf")
    mantissas = ((bits & 0x7F) - (others & 0x7F)).abs()[kept].double()
    return count - int(kept.sum()), float(mantissas.mean()), float(mantissas.median())


def _mmd(kernel: Callable[[Tensor], Tensor], *, by_text: bool) -> Alarm:
    def alarm(known: Tensor, asked: Tensor) -> bool:
        return p_value(known, asked, kernel, by_text=by_text) < LEVEL

    return alarm


def p_value(
    known: Tensor, asked: Tensor, kernel: Callable[[Tensor], Tensor], *, by_text: bool, seed: int = 0
) -> float:
    """Of the hypothesis that both are answers of one model.

    Args:
        known: float64 ``(runs, n, dim)``.
        asked: the same.
        kernel: from embeddings ``(m, k, dim)`` to the kernel of each group, ``(m, k, k)``.
        by_text: whether answers to different texts have the kernel 0, as in the paper, and are permuted
            within a text; else all answers are two samples, whatever they answer.
        seed: of the permutations.
    """
    runs, count = known.shape[0], known.shape[1]
    pooled = torch.cat([known, asked]).transpose(0, 1)  # (n, 2 runs, dim)
    if not by_text:
        pooled = pooled.transpose(0, 1).reshape(1, 2 * runs * count, -1)
    groups, size = pooled.shape[:2]
    matrices = kernel(pooled)
    matrices = matrices - torch.diag_embed(matrices.diagonal(dim1=1, dim2=2))  # none with itself
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(PERMUTATIONS, groups, size, generator=generator, dtype=torch.float64)
    first = (drawn.argsort(dim=2) < size // 2).double()
    own = (torch.arange(size) < size // 2).double().expand(1, groups, size)
    statistics = torch.cat([_statistic(matrices, labels) for labels in (own, first)])
    least = statistics[0] - 1e-12 * statistics.abs().max()
    return float((statistics >= least).double().mean())


def _statistic(matrices: Tensor, first: Tensor) -> Tensor:
    """The unbiased estimate of the squared MMD, for each row of labels ``(permutations, groups, size)``."""
    half = first.shape[2] // 2
    signed = 2 * first - 1
    # same side: +1 / (half (half - 1)); other side: -1 / half^2, and each such pair is met twice
    same = torch.einsum("pgi,gij,pgj->p", signed, matrices, signed)
    everything = matrices.sum()
    within, across = (everything + same) / 2, (everything - same) / 2
    return (within / (half * max(half - 1, 1)) - across / half**2) / len(matrices)


def gaussian(pooled: Tensor) -> Tensor:
    """With the median of the distances in each group as its width."""
    distances = torch.cdist(pooled, pooled, compute_mode="donot_use_mm_for_euclid_dist")
    upper = distances[:, *torch.triu_indices(pooled.shape[1], pooled.shape[1], 1)]
    width = upper.median(dim=1).values[:, None, None]
    return torch.exp(-((distances / width.clamp(min=1e-30)) ** 2) / 2)


def cosine(pooled: Tensor) -> Tensor:
    """Cosine similarity."""
    scaled = F.normalize(pooled, dim=2)
    return scaled @ scaled.transpose(1, 2)


def hamming(pooled: Tensor) -> Tensor:
    """Share of dimensions with the same number: the paper's kernel, which counts equal tokens."""
    rows = [(group[:, None] == group[None]).double().mean(dim=2) for group in pooled]
    return torch.stack(rows)


RIVALS: Mapping[str, Sequence[Alarm]] = {
    "canary": (canary,),
    "MMD, all texts": tuple(_mmd(kernel, by_text=False) for kernel in (gaussian, cosine)),
    "MMD, each text": tuple(_mmd(kernel, by_text=True) for kernel in (gaussian, cosine, hamming)),
    "TOPLOC": (toploc,),
}
"""Each with the kernels that are tried, of which the best counts."""


def seen_by(
    rival: str, benign: Sequence[Tensor], altered: Mapping[float, Sequence[Tensor]], known: Tensor
) -> Seen:
    """What a rival sees, with that kernel that raises fewest false alarms and sees the smallest step.

    Args:
        rival: one of :data:`RIVALS`.
        benign: runs of the trusted copy, an even number, ``(n, dim)`` each; the first two are what a test of
            samples knows.
        altered: by learning rate, two runs of an altered copy.
        known: what a canary has stored, ``(n, dim)``.
    """
    found = [_seen(alarm, benign, altered, known) for alarm in RIVALS[rival]]
    return min(found, key=lambda seen: (seen.false_alarms, seen.rate or float("inf")))


def _seen(
    alarm: Alarm, benign: Sequence[Tensor], altered: Mapping[float, Sequence[Tensor]], known: Tensor
) -> Seen:
    if alarm in (canary, toploc):
        reference = known[None]
        calm = [alarm(reference, run[None]) for run in benign]
    else:
        pairs = [torch.stack(list(benign[place : place + 2])) for place in range(0, len(benign), 2)]
        reference = pairs[0]
        calm = [alarm(reference, pair) for pair in pairs[1:]]
    rates = sorted(altered, reverse=True)
    seen = itertools.takewhile(lambda rate: alarm(reference, torch.stack(list(altered[rate]))), rates)
    return Seen(sum(calm), min(seen, default=None))
