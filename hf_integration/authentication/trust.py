"""Why a card is believed."""

from collections.abc import Iterator
from pathlib import Path

from hf_integration.base.vocabulary import CARD_FILE, PICTURE_FILE, SIGNATURE_FILE, TENSOR_FILE
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
    """Whether a card is in a folder, or is found through it.

    Whoever fills a folder may put a link in it that leads to a card elsewhere: every link on the way counts,
    to the card's folder and to each of its files.
    """
    within = folder.resolve()
    ways = (location, *(location / name for name in (CARD_FILE, TENSOR_FILE, PICTURE_FILE, SIGNATURE_FILE)))
    return any(place.is_relative_to(within) for way in ways for place in _way(way))


def _way(path: Path) -> Iterator[Path]:
    """Every link that is followed to a path, at its real place, and the real place of the path itself.

    Step by step, as the system does it: behind ``link/..`` is the parent of what the link leads to.
    """
    anchor, *steps = path.absolute().parts
    here, followed = Path(anchor), 0
    while steps:
        step = steps.pop(0)
        there = here.parent if step == ".." else here / step
        if not there.is_symlink():
            here = there
            continue
        yield there
        followed += 1
        if followed > MOST_LINKS:  # in a circle, or as good as one
            break
        target = there.readlink()
        if target.is_absolute():
            here, target = Path(target.anchor), target.relative_to(target.anchor)
        steps[:0] = target.parts
    yield path.resolve()


def _loaded_from(encoder: Encoder) -> Path | None:
    """The folder that a module in memory was loaded from, as far as it remembers."""
    name = getattr(getattr(getattr(encoder, "model", None), "config", None), "_name_or_path", None)
    return Path(name) if isinstance(name, str) and name and Path(name).is_dir() else None
