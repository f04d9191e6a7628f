"""Before a card is published: is it of the encoder in the repository?"""

from hf_integration.authentication.evidence import loaded_digests, tensor_evidence
from hf_integration.authentication.file_evidence import file_evidence
from hf_integration.authentication.outside_evidence import outside_digests, outside_evidence
from hf_integration.authentication.references import other_kind
from hf_integration.card import WatermarkCard
from hf_integration.encoders.interface import Encoder
from hf_integration.errors import PublishingRefusedError
from hf_integration.verdict.value import MIXED


def check_fit(card: WatermarkCard, encoder: Encoder) -> None:
    """Compare the loaded tensors and settings of an encoder with those that a card recorded.

    Raises:
        PublishingRefusedError: they differ: nobody could verify the encoder by this card.
    """
    where = f"{encoder.name} at {encoder.commit}"
    remedy = "mint a card from what the repository holds, if you trust it"
    if another := other_kind(encoder, card):
        raise PublishingRefusedError(f"the card is of another encoder than {where}: {another}", remedy=remedy)
    tensors = tensor_evidence(encoder, card)
    if tensors.matches is None:
        names = (*tensors.changed, *tensors.missing, *tensors.unexpected)
        raise PublishingRefusedError(
            f"the card is not of the weights in {where}: {len(names)} of {tensors.checked} tensors differ, "
            f"first {names[0]}",
            remedy=remedy,
        )
    if tensors.matches == MIXED:
        raise PublishingRefusedError(
            f"the weights in {where} are rounded in part to float16 and in part to bfloat16", remedy=remedy
        )
    outside = outside_evidence(encoder, card, loaded_digests(encoder), outside_digests(encoder))
    if outside.changed:
        raise PublishingRefusedError(
            f"the card is not of all weights in {where}: {outside.changed[0]} differs", remedy=remedy
        )
    if changed := file_evidence(encoder, card).changed:
        raise PublishingRefusedError(
            f"the card is not of the settings in {where}: {changed[0]}", remedy=remedy
        )
