"""Detection by the watermark alone: digests are left aside. Goal: everything in ``GOALS`` is detected."""

from hf_integration.authentication import observe_sketches, reconstruct
from hf_integration.authentication.references import reference_for
from hf_integration.base.vocabulary import Precision
from hf_integration.tampering.families import Family
from hf_integration.tampering.weights.fine_tuning import ONE_STEP, TEN_STEPS
from hf_integration.tampering.weights.matrices import INT8
from hf_integration.tampering.weights.pruning import PRUNING
from hf_integration.tampering.weights.values import LAST_BIT, NOISE, ONE_WEIGHT
from tests.benchmarks.subjects import Subject

SEEDS = range(3)

Alteration = tuple[Family, float]
"""A family and a magnitude."""

STRICT: dict[str, Alteration] = {
    "last bit of one weight": (LAST_BIT, 1.0),
    "one weight by 0.1 sigma": (ONE_WEIGHT, 0.1),
    "noise on all weights, 1e-5 sigma": (NOISE, 1e-5),
    "one AdamW step, lr 1e-8": (ONE_STEP, 1e-8),
    "one AdamW step, lr 1e-7": (ONE_STEP, 1e-7),
    "one AdamW step, lr 1e-6": (ONE_STEP, 1e-6),
    "ten AdamW steps, lr 1e-5": (TEN_STEPS, 1e-5),
    "pruning 0.01 %": (PRUNING, 1e-4),
    "pruning 0.1 %": (PRUNING, 1e-3),
    "pruning 1 %": (PRUNING, 1e-2),
    "int8 round trip": (INT8, 1.0),
}
HALF: dict[str, Alteration] = {
    "one AdamW step, lr 1e-5": (ONE_STEP, 1e-5),
    "pruning 5 %": (PRUNING, 5e-2),
}
GOALS: dict[Precision, dict[str, Alteration]] = {
    "float64": STRICT,
    "float32": {
        name: STRICT[name] for name in ("one weight by 0.1 sigma", "one AdamW step, lr 1e-7", "pruning 0.1 %")
    },
    "float16": HALF,
    "bfloat16": HALF,
}


def run(subject: Subject) -> list[str]:
    """Alter, run, reconstruct; print how far outside the tolerance the least noticed seed lies."""
    short = []
    columns = ("precision", "detected", "margin", "times tolerance")
    print(f"{'alteration':36}" + "".join(f"{column:>16}" for column in columns))
    for precision, alterations in GOALS.items():
        for name, alteration in alterations.items():
            results = [_check(subject, precision, alteration, seed) for seed in SEEDS]
            detected = sum(margin < 1 for margin, _ in results)
            print(
                f"{name:36}{precision:>16}{detected:>14}/{len(results)}{max(m for m, _ in results):16.2f}"
                f"{min(d for _, d in results):16.3g}",
                flush=True,
            )
            if detected < len(results):
                short.append(f"{name} in {precision}: detected {detected} of {len(results)}")
    return short


def _check(subject: Subject, precision: Precision, alteration: Alteration, seed: int) -> tuple[float, float]:
    """Margin and largest deviation of one altered copy, the watermark's alone."""
    reference = reference_for(subject.card, "stored", precision)
    family, magnitude = alteration
    altered = family.at(magnitude, seed=seed)(subject.encoder)
    running = altered.at_precision(precision, weights=reference.weights)
    sketches = observe_sketches(running, subject.card.key_samples, seed=subject.card.seed)
    found = reconstruct(subject.card, reference, sketches)
    return found.margin, max(strip.deviation for strip in found.strips)
