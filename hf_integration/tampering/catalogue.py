"""All families of weight alterations, with the magnitudes that are tried.

Both were fixed before any detection was measured on them: a floor means nothing if the magnitudes were chosen
after it. The rule is whole decades and three times each, from below the noise of float64 up to what nobody
can overlook. Weights that are stored in float32 move by half a unit in their last place or not at all, so the
smallest magnitudes reach only the smallest weights, or change nothing. Where all weights are altered at once,
there are always some that are small enough, so those grids begin lower than those of a single weight.
"""

from collections.abc import Sequence

from hf_integration.encoders import Encoder
from hf_integration.key_samples.samples import Sample
from hf_integration.tampering import in_process
from hf_integration.tampering.backdoors import bad_encoder, drupe, por
from hf_integration.tampering.families import Family
from hf_integration.tampering.files import configuration, processor, tokenizer
from hf_integration.tampering.files.folder import FolderTampering
from hf_integration.tampering.in_process import ProcessTampering
from hf_integration.tampering.null_space import null_space_family
from hf_integration.tampering.weights import low_rank, pruning, simple
from hf_integration.tampering.weights.fine_tuning import distilled, fine_tune
from hf_integration.tampering.weights.simple import add_noise, flip_last_bit, move_one_weight
from hf_integration.tampering.weights.targets import (
    attention_outputs,
    biases,
    channel_layers,
    first_filters,
    like_layers,
    linear_layers,
    normalisations,
    running_statistics,
    tables,
)


def _decades(first: int, last: int) -> tuple[float, ...]:
    """Powers of ten and three times each, from ``1e first`` up to ``1e last``."""
    return (*(factor * 10.0**power for power in range(first, last) for factor in (1, 3)), 10.0**last)


NOISE = Family("noise on all weights", add_noise, _decades(-16, 0), "sigma")
ONE_WEIGHT = Family("one weight moved", move_one_weight, _decades(-13, 1), "sigma")
LAST_BIT = Family("last bit of one weight", flip_last_bit)
EXPONENT_BIT = Family("exponent bit of one weight", simple.flip(simple.HIGHEST_EXPONENT_BUT_ONE))
SIGN_BIT = Family("sign bit of one weight", simple.flip(simple.SIGN))
PRUNING = Family("magnitude pruning", pruning.by_magnitude, _decades(-9, -1), "of the weights")
UNITS = Family("units set to zero", pruning.units, (1, 2, 4, 8), "of one matrix")
HEAD = Family(
    "one attention head closed",
    pruning.one_head,
    _decades(-13, 0),
    "of its output",
    attention_outputs,
)
CHANNEL = Family(
    "one channel closed",
    pruning.one_channel,
    _decades(-13, 0),
    "of its output",
    channel_layers,
)
TABLE_ROW = Family("row of the vocabulary", simple.table_row, _decades(-13, 0), "of its norm", tables)
FIRST_FILTER = Family(
    "filter of the first convolution",
    simple.first_filter,
    _decades(-13, 0),
    "of its norm",
    first_filters,
)
BIAS = Family(
    "one bias",
    simple.one_bias,
    _decades(-13, 0),
    "of its size",
    biases,
)
SCALE = Family(
    "one scale of a normalisation",
    simple.one_scale,
    _decades(-13, 0),
    "of itself",
    normalisations,
)
STATISTICS = Family(
    "running statistics",
    simple.statistics,
    _decades(-13, 0),
    "standard deviations",
    running_statistics,
)
SWAP = Family("two layers exchanged", simple.swap, parts=like_layers)
REINITIALISED = Family("one layer drawn anew", simple.reinitialise, parts=like_layers)
RANK_ONE = Family(
    "rank-one edit",
    low_rank.rank_one,
    _decades(-13, 1),
    "of the output for one input",
    linear_layers,
)
ADAPTER = Family(
    "merged adapter of rank 8",
    low_rank.merged_adapter,
    _decades(-16, -1),
    "of each matrix",
    linear_layers,
)
INT8 = Family("int8 round trip", simple.round_trip(8))
INT4 = Family("int4 round trip", simple.round_trip(4))
ONE_STEP = Family("one step of fine-tuning", fine_tune(1), _decades(-16, -3), "learning rate")
TEN_STEPS = Family("ten steps of fine-tuning", fine_tune(10), _decades(-16, -3), "learning rate")
DISTILLED = Family(
    "replacement by a distilled copy",
    distilled,
    _decades(-16, 0),
    "sigma away at the start",
)
BAD_ENCODER = Family("backdoor like BadEncoder", bad_encoder, _decades(-16, -3), "learning rate")
DRUPE = Family("backdoor like DRUPE", drupe, _decades(-16, -3), "learning rate")
POR = Family("backdoor like POR", por, _decades(-16, -3), "learning rate", tables)

NULL_SPACE = _decades(-13, 2)
"""Magnitudes of the null-space edit, which is a family of its own for every set of samples that it pins."""

FAMILIES: tuple[Family, ...] = (
    NOISE,
    ONE_WEIGHT,
    LAST_BIT,
    EXPONENT_BIT,
    SIGN_BIT,
    PRUNING,
    UNITS,
    HEAD,
    CHANNEL,
    TABLE_ROW,
    FIRST_FILTER,
    BIAS,
    SCALE,
    STATISTICS,
    SWAP,
    REINITIALISED,
    RANK_ONE,
    ADAPTER,
    INT8,
    INT4,
    ONE_STEP,
    TEN_STEPS,
    DISTILLED,
    BAD_ENCODER,
    DRUPE,
    POR,
)


BESIDE_WEIGHTS: tuple[FolderTampering | ProcessTampering, ...] = (
    configuration.OTHER_ACTIVATION,
    configuration.LARGER_EPSILON,
    configuration.FEWER_HEADS,
    configuration.OTHER_POOLING,
    configuration.NO_NORMALISATION,
    configuration.DEFAULT_PROMPT,
    tokenizer.IDS_SWAPPED,
    tokenizer.NO_LOWER_CASING,
    tokenizer.TRIGGER_REPLACED,
    processor.OTHER_MEAN,
    processor.OTHER_STD,
    processor.OTHER_RESAMPLING,
    processor.LARGER_SIZE,
    processor.OTHER_RATE,
    processor.NOT_NORMALISED,
    in_process.HOOK,
    in_process.PATCH,
)
"""Alterations that leave every weight as it is."""


def families_for(encoder: Encoder, pinned: Sequence[Sample] = ()) -> tuple[Family, ...]:
    """Those families that have something to alter in an encoder.

    Args:
        encoder: with its weights at hand.
        pinned: samples that a null-space edit must leave as they are; without any there is no such edit.
    """
    families = (*FAMILIES, null_space_family(pinned, NULL_SPACE)) if pinned else FAMILIES
    return tuple(family for family in families if family.applies(encoder))
