"""The trusted copy that a deployed encoder is held against: at a pinned commit, or in a caller's folder."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hf_integration.base.errors import (
    AdvertisedCardMissingError,
    CardNotFoundError,
    InconclusiveError,
    IntegrityError,
    UsageError,
)
from hf_integration.checking.finding import Asked, Found, Place, Project
from hf_integration.checking.held_card import Access
from hf_integration.checking.subject import Subject, load_encoder_at, load_subject

if TYPE_CHECKING:
    from hf_integration.encoders import Encoder
    from hf_integration.encoders.running.torch_encoder import TorchEncoder
    from hf_integration.verdict import Trust

_COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)


@dataclass(frozen=True, eq=False)
class TrustedCopy:
    """An encoder in memory, and why it is believed.

    Attributes:
        encoder: it takes texts.
        trust: ``pinned`` at a commit, ``signed`` if its card's signature was checked, ``local`` for a folder
            of the caller's, ``self-asserted`` for whatever the Hub gives at a branch that nobody pinned.
        card: digest of its card, which it fits, or ``None`` without one.
        signers: who signed that card, as far as that was verified.
    """

    encoder: "TorchEncoder"
    trust: "Trust"
    card: str | None = None
    signers: tuple[str, ...] = ()


def _trust(encoder: "Encoder", asked: Asked, place: Place) -> "Trust":
    """Why a copy is believed that no card's digest and no signature vouches for."""
    if encoder.commit is None:
        return "local"
    pinned = place.pin is not None and place.pin.commit is not None
    return "pinned" if pinned or _COMMIT.fullmatch(asked.revision or "") else "self-asserted"


def trusted_copy(
    project: Project, asked: Asked, access: Access, *, understood: Callable[[Found | Place], object]
) -> TrustedCopy:
    """Load a copy. If the project has a card for it, its tensors and files have to be those of the card.

    Args:
        project: where names are looked up.
        asked: what the caller says.
        access: how the Hub is asked.
        understood: told what the names mean before anything is loaded.

    Raises:
        IntegrityError: the copy is not the encoder of its card, or not at the pinned commit.
        UsageError: it takes no texts, which is all that endpoints are asked.
        EncoderError: it cannot be loaded.
        InconclusiveError: the Hub could not be asked, the copy is rounded, or its card vouches for nothing.
    """
    from hf_integration.encoders.running.torch_encoder import TorchEncoder

    subject = _with_card(project, asked, access, understood)
    if subject is None:
        place = project.encoder(asked)
        understood(place)
        encoder = load_encoder_at(place, access, revision=asked.revision)
        trust = _trust(encoder, asked, place)
    else:
        encoder = subject.encoder
        trust = _checked(subject)
        if trust == "self-asserted":  # of the card; the copy itself may be pinned
            trust = _trust(encoder, asked, project.encoder(asked))
    if process := [found.what for found in encoder.process_state() if found.remedy]:
        raise InconclusiveError(
            f"the trusted copy '{encoder.name}' does not run as it is: {process[0]}",
            remedy="check the endpoint in a process without that",
        )
    if encoder.modality != "text" or not isinstance(encoder, TorchEncoder):
        raise UsageError(f"'{encoder.name}' takes {encoder.modality}, and only texts are asked")
    if subject is None:
        return TrustedCopy(encoder, trust)
    return TrustedCopy(encoder, trust, subject.card.digest, subject.signers)


def _with_card(
    project: Project, asked: Asked, access: Access, understood: Callable[[Found | Place], object]
) -> "Subject | None":
    """The copy with its card, or ``None`` where nobody names a card and none is there."""
    found: Found | None = None
    try:
        found = project.find(asked)
        understood(found)
        return load_subject(found, access)
    except AdvertisedCardMissingError:
        raise
    except CardNotFoundError:
        pins = () if found is None else found.pins
        named = asked.card is not None or asked.signer is not None
        if named or any(pin.card or pin.card_digest or pin.signer for pin in pins):
            raise  # what the caller or the entry asks for is never passed over
        return None


def _checked(subject: Subject) -> "Trust":
    """Why a copy is believed that passed the check by its card, with as few key samples as there may be.

    All tensors and files are compared, and a rounded copy would make other references.
    """
    verdict = subject.authenticate(budget=0, accept_self_asserted=True).verdict
    copy = f"the trusted copy '{subject.encoder.name}'"
    if verdict.status == "altered":
        raise IntegrityError(
            f"{copy} is not the encoder of its card: {verdict.reason}",
            remedy="run `sslauth verify` on it, and get it again from its publisher",
        )
    if verdict.status != "authentic":
        raise InconclusiveError(f"{copy} cannot be held against its card: {verdict.reason}")
    if verdict.tensors.matches != "stored":
        raise InconclusiveError(
            f"{copy} is its card's encoder rounded to {verdict.tensors.matches}",
            remedy="take a copy with the weights as they were published",
        )
    return verdict.trust
