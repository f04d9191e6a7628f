"""The cards of the attackers' benchmark: public ones that grow, and a private one."""

from pathlib import Path

from hf_integration import WatermarkCard, mint
from hf_integration.base.errors import CardError
from hf_integration.encoders import Encoder
from hf_integration.encoders.identity.tensor_digests import digest_tensors
from hf_integration.key_samples import KeySamples
from tests.benchmarks.attackers import settings


def public_cards(encoder: Encoder, folder: Path) -> dict[int, WatermarkCard]:
    """Cards by number of key samples; each holds the first ones of the largest."""
    seed, most = settings.PUBLIC_SEED, settings.MOST
    largest = _kept(encoder, folder / f"public{most}", seed) or mint(encoder, keys=most, seed=seed).save(
        folder / f"public{most}", force=True
    )
    cards = {most: largest}
    for count in settings.SIZES[:-1]:
        place = folder / f"public{count}"
        samples = KeySamples(largest.key_samples[:count], origin=f"the first {count} of {most}")
        cards[count] = _kept(encoder, place, seed) or mint(encoder, key_samples=samples, seed=seed).save(
            place, force=True
        )
    return cards


def private_card(encoder: Encoder, folder: Path) -> WatermarkCard:
    """A card that no attacker of this benchmark is given."""
    place, seed = folder / f"private{settings.MOST}", settings.PRIVATE_SEED
    return _kept(encoder, place, seed) or mint(encoder, keys=settings.MOST, seed=seed, secret=True).save(
        place, force=True
    )


def full_card(encoder: Encoder, folder: Path, *, secret: bool = False) -> WatermarkCard:
    """A card that reaches all that raw samples can, public or not."""
    place = folder / ("privatefull" if secret else "publicfull")
    seed = settings.PRIVATE_SEED if secret else settings.PUBLIC_SEED
    return _kept(encoder, place, seed) or mint(encoder, keys="full", seed=seed, secret=secret).save(
        place, force=True
    )


def _kept(encoder: Encoder, place: Path, seed: int) -> WatermarkCard | None:
    """A card that an earlier run minted for the same tensors: minting takes longer than most attacks."""
    if not place.exists():
        return None
    try:
        card = WatermarkCard.load(place)
    except CardError:  # half a card, from a run that was ended while it was written
        return None
    same = card.seed == seed and card.digests["stored"] == digest_tensors(encoder.tensors())
    return card if same else None
