"""Running the references of a card, and calibrating them on benign runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from hf_integration.authentication import observe_sketches
from hf_integration.base.errors import UsageError
from hf_integration.base.progress import Progress
from hf_integration.base.vocabulary import HEAD_STRIP, PRECISIONS, Precision, Weights
from hf_integration.benign.noise import PROCESSOR_UNIT, ROUNDING_UNIT
from hf_integration.benign.variants import Variant
from hf_integration.card import Reference
from hf_integration.encoders.interface import Encoder
from hf_integration.key_samples.samples import Sample
from hf_integration.minting.effort import CHEAP, benign_keys, verifying_keys
from hf_integration.serving.yardstick import Known
from hf_integration.watermark import Calibration, calibrate
from hf_integration.watermark.calibration import SAFETY

OF_A_HEAD = 4.0
"""Tolerance of the strip of a head over that of others: a classifier gives two numbers where a layer gives
some hundred, so that the largest of its benign deviations says less about the next one. With that of others,
a compiled BERT of two classes strayed to 0.66 of it in float16, and a RoBERTa to 0.79 in bfloat16; their
layers to 0.26."""

Pair = tuple[Weights, Precision]
Sketches = Mapping[str, Tensor]

EXACT: Pair = ("stored", "float64")
"""The run that the answers of deployments are held against."""

SERVED: Pair = ("stored", "float32")
"""What most deployments compute."""


def pairs_for(stored_dtype: str, precisions: Sequence[str] = PRECISIONS) -> tuple[Pair, ...]:
    """Pairs of weights and precision that a card refers to, for weights stored in ``stored_dtype``.

    A run in half precision rounds the weights first, so it belongs to the weights of that cast.

    Args:
        stored_dtype: e.g. ``float32``.
        precisions: float64 and float32, and the half precisions that somebody will run the encoder in or
            round its weights to.

    Raises:
        UsageError: without float64 or float32, in which the weights as stored are checked; or another name.
    """
    if unknown := [name for name in precisions if name not in PRECISIONS]:
        raise UsageError(f"unknown precision {unknown[0]!r}", remedy=f"choose from {', '.join(PRECISIONS)}")
    if lacking := [name for name in CHEAP if name not in precisions]:
        raise UsageError(
            f"a card needs float64 and float32, and {lacking[0]} is left out", remedy=f"add {lacking[0]}"
        )
    pairs: list[Pair] = [("stored", "float64"), ("stored", "float32")]
    for half in ("float16", "bfloat16"):
        if half not in precisions:
            continue
        weights: Weights = "stored" if stored_dtype == half else half
        if weights != "stored":
            pairs += [(weights, "float64"), (weights, "float32")]
        pairs.append((weights, half))
    return tuple(pairs)


@dataclass
class BenignRuns:
    """Everything that was run on the unaltered encoder.

    Attributes:
        operations: floating-point operations that one key sample takes.
        references: the plain run of each pair, on as many key samples as ``effort.reference_keys`` says.
        calibration: residuals of benign variants to it, pair -> runs -> strip -> ``(keys, SKETCH_DIM)``.
        held_out: the same for variants that calibration does not see, with their names.
        exact: embeddings of the plain run of stored weights in float64, float64 ``(keys, dim)``.
        answered: those of its benign variants in float32, of the first key samples.
    """

    operations: float
    references: dict[Pair, Sketches] = field(default_factory=dict)
    calibration: dict[Pair, list[Sketches]] = field(default_factory=dict)
    held_out: dict[Pair, list[tuple[str, Sketches]]] = field(default_factory=dict)
    exact: Tensor | None = None
    answered: list[Tensor] = field(default_factory=list)

    def keys(self, pair: Pair) -> int:
        """On how many key samples, from the first on, benign variants of a pair run."""
        return benign_keys(len(next(iter(self.references[pair].values()))), self.operations, pair[1])

    def held_out_keys(self, pair: Pair) -> int:
        """The same for variants that only verify."""
        return verifying_keys(len(next(iter(self.references[pair].values()))), self.operations, pair[1])

    def known(self) -> Known | None:
        """What these runs say of a deployment that does nothing but embed."""
        return Known(self.exact, tuple(self.answered)) if self.exact is not None and self.answered else None

    def residuals(self, pair: Pair, sketches: Sketches) -> Sketches:
        """Difference of a benign run on the first key samples to the reference."""
        reference = self.references[pair]
        return {strip: sketched - reference[strip][: len(sketched)] for strip, sketched in sketches.items()}


def run_variant(
    encoder: Encoder,
    pair: Pair,
    samples: Sequence[Sample],
    variant: Variant,
    *,
    seed: int,
    embeddings: bool,
    progress: Progress,
) -> dict[str, Tensor]:
    """One benign run of a pair, from the encoder as it was loaded; see :func:`observe_sketches`."""
    weights, precision = pair
    # set before the copy is made, as a caller's settings are: a check may replace some of them
    with variant.setting(encoder):
        sketches = observe_sketches(
            encoder.at_precision(precision, weights=weights, run_only=True),
            samples,
            seed=seed,
            batch_size=variant.batch_size,
            order=variant.order(len(samples)),
            embeddings=embeddings,
        )
    progress.advance()
    return sketches


def finite(sketches: Sketches) -> bool:
    """Whether a run gave numbers throughout; float16 overflows in some encoders."""
    return all(bool(sketched.isfinite().all()) for sketched in sketches.values())


def calibrate_strips(
    strips: Sequence[str], precision: Precision, reference: Sketches, benign: Sequence[Sketches]
) -> tuple[Calibration, ...]:
    """One calibration per strip.

    Args:
        strips: names in forward order.
        precision: arithmetic of the runs.
        reference: the plain run, on all key samples or the first of them.
        benign: residuals of benign runs on the first key samples.
    """
    return tuple(
        calibrate(
            [run[strip][: len(reference[strip])] for run in benign],
            reference[strip],
            epsilon=PROCESSOR_UNIT if strip == "processor" else ROUNDING_UNIT[precision],
            safety=SAFETY * (OF_A_HEAD if strip == HEAD_STRIP else 1),
        )
        for strip in strips
    )


def references_of(runs: BenignRuns, strips: tuple[str, ...]) -> tuple[Reference, ...]:
    """The references of a card, calibrated; their margins are measured by the self-check.

    Args:
        runs: everything that was run.
        strips: names in forward order.
    """
    references = []
    for (weights, precision), sketches in runs.references.items():
        calibrated = runs.calibration.get((weights, precision)) or runs.calibration["stored", precision]
        references.append(
            Reference(
                weights=weights,
                precision=precision,
                sketches=torch.stack([sketches[strip] for strip in strips]),
                calibrations=calibrate_strips(strips, precision, sketches, calibrated),
                benign_margin=0.0,
            )
        )
    return tuple(references)
