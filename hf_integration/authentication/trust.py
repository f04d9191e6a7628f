"""Why a card is believed."""

import os
from pathlib import Path

from hf_integration.card import WatermarkCard
from hf_integration.encoders.interface import Encoder
from hf_integration.verdict import Trust

MOST_LINKS = 40
"""Links that are followed one by one, as many as systems follow."""


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
    return "self-asserted" if folder is not None and _inside(location, folder) else "local"


def _inside(location: Path, folder: Path) -> bool:
    """Whether a card lies in a folder, or is found through it.

    Whoever fills a folder may put a link in it that leads to a card elsewhere, or be reached through one
    itself: so every place on the way counts.
    """
    return any(place.is_relative_to(within) for place in _way(location) for within in _way(folder))


def _way(path: Path) -> list[Path]:
    """A path as it is written, after each link on it is followed, and as it is resolved."""
    way = [Path(os.path.abspath(path))]  # noqa: PTH100  # links must stay links
    while len(way) < MOST_LINKS:
        links = (prefix for prefix in (*reversed(way[-1].parents), way[-1]) if prefix.is_symlink())
        first = next(links, None)
        if first is None:
            break
        onward = first.parent / first.readlink() / way[-1].relative_to(first)
        way.append(Path(os.path.abspath(onward)))  # noqa: PTH100
    return [*way, path.resolve()]


def _loaded_from(encoder: Encoder) -> Path | None:
    """The folder that a module in memory was loaded from, as far as it remembers."""
    name = getattr(getattr(getattr(encoder, "model", None), "config", None), "_name_or_path", None)
    return Path(name) if isinstance(name, str) and name and Path(name).is_dir() else None
