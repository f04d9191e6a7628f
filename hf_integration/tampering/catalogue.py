"""All families of weight alterations, and all alterations beside the weights, in the order of reports.

Every file declares its own, in ``FAMILIES`` or ``TAMPERINGS``. Families and magnitudes were fixed before any
detection was measured on them: a floor means nothing if the magnitudes were chosen after it.
"""

from collections.abc import Sequence

from hf_integration.encoders import Encoder
from hf_integration.key_samples.samples import Sample
from hf_integration.tampering import in_process
from hf_integration.tampering.backdoors import bad_encoder, drupe, por
from hf_integration.tampering.families import Family, decades
from hf_integration.tampering.files import configuration, processor, tokenizer
from hf_integration.tampering.files.folder import FolderTampering
from hf_integration.tampering.in_process import ProcessTampering
from hf_integration.tampering.null_space import null_space_family
from hf_integration.tampering.weights import fine_tuning, layers, matrices, pruning, values

FAMILIES: tuple[Family, ...] = (
    *values.FAMILIES,
    *pruning.FAMILIES,
    *layers.FAMILIES,
    *matrices.FAMILIES,
    *fine_tuning.FAMILIES,
    *bad_encoder.FAMILIES,
    *drupe.FAMILIES,
    *por.FAMILIES,
)

BESIDE_WEIGHTS: tuple[FolderTampering | ProcessTampering, ...] = (
    *configuration.TAMPERINGS,
    *tokenizer.TAMPERINGS,
    *processor.TAMPERINGS,
    *in_process.TAMPERINGS,
)
"""Alterations that leave every weight as it is."""

NULL_SPACE = decades(-13, 2)
"""Magnitudes of the null-space edit, which is a family of its own for every set of samples that it pins."""


def families_for(encoder: Encoder, pinned: Sequence[Sample] = ()) -> tuple[Family, ...]:
    """Those families that have something to alter in an encoder.

    Args:
        encoder: with its weights at hand.
        pinned: samples that a null-space edit must leave as they are; without any there is no such edit.
    """
    families = (*FAMILIES, null_space_family(pinned, NULL_SPACE)) if pinned else FAMILIES
    return tuple(family for family in families if family.applies(encoder))
