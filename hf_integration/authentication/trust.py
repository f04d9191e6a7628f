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
    return trust_beside(card, encoder.path or _loaded_from(encoder))


def trust_beside(card: WatermarkCard, folder: Path | None) -> Trust:
    """Trust in a card for the encoder in a folder, as :func:`trust_in` gives it.

    Args:
        card: the card, with the location that it was loaded from.
        folder: where the encoder lies; ``None`` for one that lies in no folder.
    """
    location = Path(card.location)
    if not card.location or not location.exists():
        return "self-asserted" if card.location else "local"
    inside = folder is not None and location.resolve().is_relative_to(folder.resolve())
    return "self-asserted" if inside else "local"


def _loaded_from(encoder: Encoder) -> Path | None:
    """The folder that a module in memory was loaded from, as far as it remembers."""
    name = getattr(getattr(getattr(encoder, "model", None), "config", None), "_name_or_path", None)
    return Path(name) if isinstance(name, str) and name and Path(name).is_dir() else None
