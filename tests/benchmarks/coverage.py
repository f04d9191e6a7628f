"""Predicted smallest edits against real ones: coverage is worth what its prediction is worth.

Single scalars are drawn all over the encoder, tables that key samples look up included, and edited by just
what the prediction calls noticeable. Goal: the watermark breaks in 95 % of the cases. The prediction is
meant to be careful, so the smallest share of the prediction that still breaks it is shown as well.
"""

import statistics

import torch

from hf_integration.authentication import observe_sketches
from hf_integration.authentication.reconstruction import reconstruct
from hf_integration.authentication.references import reference_for
from hf_integration.base.progress import Silent
from hf_integration.base.vocabulary import Precision
from hf_integration.coverage.measurement import PRECISIONS, measure_sensitivities
from hf_integration.coverage.sensitivity import EDIT, Sensitivity, size_of
from tests.benchmarks.subjects import Subject

DRAWN = {"minilm": 40, "simclr": 60, "vit": 60, "whisper": 10}
GOAL = 0.95
SHARES = (1.0, 1 / 3, 0.1, 1 / 30, 0.01, 1 / 300)
"""Shares of the predicted edit that are tried one after the other until the watermark stays intact."""


def run(subject: Subject) -> list[str]:
    """Draw scalars, edit, run, restore."""
    short = []
    measured = measure_sensitivities(subject.card, subject.encoder, thorough=None, progress=Silent())
    for precision in PRECISIONS:
        smallest = [
            _smallest_share(subject, precision, name, place, 1 / reaction)
            for name, place, reaction in _drawn(subject, measured[precision], DRAWN[subject.name])
        ]
        noticed = sum(share <= 1 for share in smallest)
        median = statistics.median(smallest)
        print(
            f"{precision:10} predicted edit noticed: {noticed} of {len(smallest)}; "
            f"smallest share noticed: median {median:.3g}, largest {max(smallest):.3g}",
            flush=True,
        )
        if noticed < GOAL * len(smallest):
            short.append(f"{precision}: {noticed} of {len(smallest)} predicted edits noticed")
    return short


def _drawn(subject: Subject, measured: Sensitivity, count: int) -> list[tuple[str, int, float]]:
    """Covered scalars, evenly over tensors, so that small tensors are seen as well."""
    random = torch.Generator().manual_seed(0)
    names = [name for name, sizes in measured.sizes.items() if bool(sizes.any())]
    drawn: list[tuple[str, int, float]] = []
    while len(drawn) < count:
        name = names[int(torch.randint(len(names), (1,), generator=random))]
        flat = measured.reaction(name).flatten()
        place = int(torch.randint(len(flat), (1,), generator=random))
        if float(flat[place]) * EDIT * size_of(subject.encoder.tensors()[name]) >= 1:
            drawn.append((name, place, float(flat[place])))
    return drawn


def _smallest_share(subject: Subject, precision: Precision, name: str, place: int, edit: float) -> float:
    """Smallest share of an edit that breaks the watermark; infinite if the whole edit does not.

    Edited in float64, which holds edits that float32 weights would round away.
    """
    reference = reference_for(subject.card, "stored", precision)
    strict = subject.encoder.at_precision("float64")
    tensor = strict.tensors()[name].view(-1)
    before = tensor[place].clone()
    found = float("inf")
    for share in SHARES:
        tensor[place] = before + share * edit
        running = strict.at_precision(precision)
        sketches = observe_sketches(running, subject.card.key_samples, seed=subject.card.seed)
        if reconstruct(subject.card, reference, sketches).intact:
            break
        found = share
    return found
