"""The mean over all key samples, extrapolated from a run on the first of them, over the one that was run.

Minting cuts slow benign runs down to fewer samples. Goal: never less than half of the truth, which leaves a
safety factor of 4 of the 8.
"""

from torch import Tensor

from hf_integration.authentication import observe_sketches
from hf_integration.authentication.references import reference_for
from hf_integration.base.vocabulary import PRECISIONS
from hf_integration.minting.instruction_sets import INSTRUCTION_SETS, Run, run_under
from hf_integration.watermark.calibration import as_mean_over, evened
from tests.benchmarks.subjects import Subject

GOAL = 0.5


def run(subject: Subject) -> list[str]:
    """Print the least and the largest ratio over strips, and what taking samples for independent gives."""
    short = []
    samples = subject.card.key_samples
    head = "".join(f"{column:>24}" for column in ("extrapolated / true", "as if independent"))
    print(f"{'precision':>9}  {'instruction set':16}{'samples':>8}{head}")
    for precision in PRECISIONS:
        reference = reference_for(subject.card, "stored", precision)
        work = Run(reference.weights, precision, 5, len(samples))
        running = subject.encoder.at_precision(precision, weights=reference.weights)
        runs = {"this one": observe_sketches(running, samples, seed=subject.card.seed, batch_size=1)}
        for name in INSTRUCTION_SETS:
            found = run_under(name, subject.encoder, samples, [work], seed=subject.card.seed)
            runs[name] = found[reference.weights, precision]
        for name, sketches in runs.items():
            residuals = [
                evened(sketches[strip] - recorded, recorded)
                for strip, recorded in zip(subject.card.strips, reference.sketches, strict=True)
            ]
            moved = [of_strip for of_strip in residuals if of_strip.any()]
            for count in (count for count in (8, 16, 32) if moved and count < len(samples)):
                ratios = [_ratios(of_strip, count) for of_strip in moved]
                extrapolated, independent = zip(*ratios, strict=True)
                spread = f"{min(extrapolated):.2f} to {max(extrapolated):.2f}"
                naive = f"{min(independent):.2f} to {max(independent):.2f}"
                print(f"{precision:>9}  {name:16}{count:8}{spread:>24}{naive:>24}", flush=True)
                if min(extrapolated) < GOAL:
                    short.append(
                        f"{precision} under {name} from {count}: {min(extrapolated):.2f}, goal {GOAL}"
                    )
    return short


def _ratios(residuals: Tensor, count: int) -> tuple[float, float]:
    """Extrapolated over true norm of the mean: as calibration does it, and by the root of the numbers."""
    true = float(residuals.mean(0).norm())
    if not true:
        return 1.0, 1.0
    first = residuals[:count]
    extrapolated = float(as_mean_over(first, len(residuals)).mean(0).norm())
    independent = float(first.mean(0).norm()) * (count / len(residuals)) ** 0.5
    return extrapolated / true, independent / true
