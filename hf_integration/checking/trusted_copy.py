"""The trusted copy that a deployed encoder is held against: at a pinned commit, or in a caller's folder."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hf_integration.base.errors import CardNotFoundError, InconclusiveError, IntegrityError, UsageError
from hf_integration.base.vocabulary import today
from hf_integration.checking.finding import Asked, Found, Place, Project
from hf_integration.checking.held_card import Access
from hf_integration.checking.subject import load_encoder_at, load_subject

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
    """

    encoder: "TorchEncoder"
    trust: "Trust"
    card: str | None = None


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
        InconclusiveError: the Hub could not be asked.
    """
    from hf_integration.encoders.running.torch_encoder import TorchEncoder

    digest = None
    try:
        found = project.find(asked)
    except CardNotFoundError:
        if asked.card is not None or asked.signer is not None:
            raise  # what the caller asks for is never passed over
        place = project.encoder(asked)
        understood(place)
        encoder = load_encoder_at(place, access, revision=asked.revision)
        trust = _trust(encoder, asked, place)
    else:
        understood(found)
        subject = load_subject(found, access)
        encoder, card = subject.encoder, subject.card
        digest = card.digest
        trust = subject.trust or _trust(encoder, asked, found.encoder)
        if card.expired(today()):
            raise InconclusiveError(
                f"the card of the trusted copy expired on {card.expires}", remedy="mint a new one"
            )
        from hf_integration.authentication.evidence import compare

        compared = compare(encoder, card)
        if compared.other_kind:
            raise IntegrityError(
                f"the trusted copy '{encoder.name}' is not the encoder of its card: {compared.other_kind}"
            )
        if differs := (*compared.files.changed, *compared.tensors.changed, *compared.tensors.missing):
            raise IntegrityError(
                f"the trusted copy '{encoder.name}' is not the encoder of its card: {differs[0]}",
                remedy="run `sslauth verify` on it, and get it again from its publisher",
            )
        if compared.tensors.matches is None:
            raise IntegrityError(f"the trusted copy '{encoder.name}' has other tensors than its card")
    if process := [found.what for found in encoder.process_state() if found.remedy]:
        raise InconclusiveError(
            f"the trusted copy '{encoder.name}' does not run as it is: {process[0]}",
            remedy="check the endpoint in a process without that",
        )
    if encoder.modality != "text" or not isinstance(encoder, TorchEncoder):
        raise UsageError(f"'{encoder.name}' takes {encoder.modality}, and only texts are asked")
    return TrustedCopy(encoder, trust, digest)
