"""Why a card is believed."""

from pathlib import Path

from hf_integration.card import WatermarkCard
from hf_integration.encoders.interface import Encoder
from hf_integration.verdict import Trust


def trust_in(card: WatermarkCard, encoder: Encoder) -> Trust:
    """Trust that follows from where the card was loaded.

    A folder that the caller named is ``local``, unless it lies inside the very folder that is checked: then,
    as with a card from a Hub repository, whoever altered the encoder could have replaced the card as well.
    """
    location = Path(card.location)
    if not card.location or not location.exists():
        return "self-asserted" if card.location else "local"
    inside = encoder.path is not None and location.resolve().is_relative_to(encoder.path.resolve())
    return "self-asserted" if inside else "local"
