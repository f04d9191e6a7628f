"""The one door to the engine: everything that makes a check import torch is behind it."""

from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from hf_integration.authentication import Authentication, Authenticator
from hf_integration.authentication.evidence import (
    compared_digests,
    file_evidence,
    loaded_digests,
    state_of,
    weights_of,
)
from hf_integration.authentication.outside_evidence import outside_digests, outside_evidence
from hf_integration.authentication.reconstruction import witness
from hf_integration.base.errors import CardNotFoundError, UsageError
from hf_integration.card import WatermarkCard
from hf_integration.checking.pinned import PinnedCard, load_pinned_card, open_pinned
from hf_integration.checking.pins import Pin
from hf_integration.checking.subject import Subject
from hf_integration.encoders import Encoder, load_encoder, wrap_module
from hf_integration.encoders.containers import open_container
from hf_integration.verdict import Verdict
from pytest_sslauth.marker import CheckRequest
from pytest_sslauth.options import Settings
from pytest_sslauth.places import Place, mint_hint


@dataclass(frozen=True, eq=False)
class Held(Subject):
    """What is kept in memory to be lent to tests.

    Attributes:
        in_process: code found on the model when it was loaded, in words.
    """

    in_process: tuple[str, ...] = ()

    @classmethod
    def around(cls, subject: Subject) -> "Held":
        """The same, with what is on its model now."""
        known = {field.name: getattr(subject, field.name) for field in fields(subject)}
        return cls(**known, in_process=subject.encoder.in_process_changes())


def load_card(
    request: CheckRequest, place: Place, *, pin: Pin | None = None, commit: str | None = None
) -> PinnedCard:
    """Read a card.

    Args:
        request: what is checked.
        place: where the card lies; its pin is enforced.
        pin: the encoder's, which is enforced as well.
        commit: the encoder's, for a card in the encoder's own repo.

    Raises:
        CardNotFoundError: the folder holds none; says how to mint one.
        IntegrityError: it is damaged, or another one than is pinned.
    """
    if place.pin is not None and pin not in (None, place.pin):
        return load_pinned_card(place.pin, also=pin)
    if place.pin is not None:
        return load_pinned_card(place.pin, revision=commit)
    where = place.reference if place.folder is None else place.folder
    try:
        if pin is not None:
            return load_pinned_card(pin, place=where)
        return PinnedCard(WatermarkCard.load(where), None)
    except CardNotFoundError:
        shown = place.folder or f"'{place.name}', neither below rootdir nor on the Hub"
        hint = mint_hint(request, place.folder or Path(place.name))
        raise CardNotFoundError(f"no watermark card at {shown}", remedy=hint) from None


def load_subject(request: CheckRequest, encoder: Place, card: Place, settings: Settings) -> Held:
    """Load what a check needs, the card first: it is small, and most often the one that is missing."""
    if encoder.pin is not None:
        place = None if card.pin is not None else card.folder or card.reference
        opened = open_pinned(
            encoder.pin, revision=request.revision, card=place, card_pin=card.pin, device=settings.device
        )
        opened.encoder.name = encoder.name
        return Held.around(opened.asked_about(encoder.pin.repo))
    held = load_card(request, card)
    loaded = load_encoder(
        encoder.reference,
        revision=request.revision,
        device=settings.device,
        preferred=held.card.encoder.modality,
    )
    loaded.name = encoder.name
    return Held.around(Subject(loaded, held.card, held.trust).asked_about(encoder.reference))


def subject_around(encoder: Encoder, request: CheckRequest, card: Place, pin: Pin | None) -> Subject:
    """An encoder that the caller holds, and its card."""
    # the commit names the card only where both lie in one repo
    own = encoder.commit if card.pin is not None and card.pin == pin else None
    held = load_card(request, card, pin=pin, commit=own)
    return Subject(encoder, held.card, held.trust, () if pin is None else pin.waivers)


def load_at(encoder: Place, commit: str, settings: Settings, card: WatermarkCard) -> Encoder:
    """Load the encoder of a Hub repository at a commit, as the card that it is checked with asks for.

    Raises:
        UsageError: a local folder is called like the repository.
    """
    loaded = load_encoder(
        encoder.reference, revision=commit, device=settings.device, preferred=card.encoder.modality
    )
    loaded.name = encoder.name
    return loaded


def encoder_around(subject: object, processor: Any, card: WatermarkCard | None = None) -> Encoder:
    """The encoder that a caller holds in memory: one of the engine's, or a module with its processor.

    Args:
        subject: what the caller holds.
        processor: what prepares raw samples for a module.
        card: what it is to be checked with; its modality decides between two towers.

    Raises:
        UsageError: it is neither.
    """
    from torch import nn

    if isinstance(subject, Encoder):
        if processor is not None:
            raise UsageError("processor= goes with a torch module; this encoder has its own")
        return subject
    contents = open_container(subject, processor)
    if not isinstance(contents.module, nn.Module):
        raise UsageError(
            f"cannot authenticate {type(subject).__name__!r}",
            remedy="give a folder, a Hub repo id, an Encoder, or a torch module and processor=",
        )
    if contents.processor is None:
        raise UsageError("a torch module alone cannot be fed raw samples", remedy="give processor= as well")
    return wrap_module(
        subject,
        processor,
        name=f"{type(subject).__name__} in memory",
        preferred=None if card is None else card.encoder.modality,
    )


def authenticate(subject: Subject, request: CheckRequest, settings: Settings) -> Authentication:
    """Check an encoder as the session's settings and the test's request say."""
    return subject.authenticate(
        precision=request.precision or settings.precision,  # type: ignore[arg-type]  # validated names
        budget=settings.budget,
        accept_self_asserted=settings.accept_self_asserted,
    )


def differences(subject: Held, verdict: Verdict) -> tuple[str, ...]:
    """What was altered in this process since a subject was found authentic, in words.

    Digests of all tensors, settings and hooks, and a few key samples through the encoder as it is: attributes
    of modules, compiled code and patched functions have no digest. Where those samples miss the tolerance, as
    they may on another device than the card's in less than float64, the whole check is made again.

    Of an alteration that is waived only the state is compared: its key samples give no watermark.
    """
    digests = loaded_digests(subject.encoder)
    if verdict.waiver is not None:
        now = state_of(subject.encoder, digests, outside_digests(subject.encoder))
        return () if now == verdict.state else ("the altered encoder is another one than was waived",)
    found = []
    if subject.card.digest != verdict.card.digest:
        found.append("the card is another one")
    tensors, before = compared_digests(subject.encoder, subject.card, digests), verdict.tensors
    if tensors.matches is None or (tensors.matches, tensors.kept) != (before.matches, before.kept):
        found += [f"tensor {name}" for name in (*tensors.changed, *tensors.missing, *tensors.unexpected)]
        found = found or ["the tensors were rounded to another precision"]
    outside = outside_digests(subject.encoder)
    beside = outside_evidence(subject.encoder, subject.card, digests, outside)
    found += [f"tensor {name}" for name in beside.changed]
    found += file_evidence(subject.encoder, subject.card).changed
    found += [change for change in subject.encoder.in_process_changes() if change not in subject.in_process]
    if not found and tensors.matches is not None:
        weights = weights_of(subject.encoder, subject.card, digests)
        seen = witness(subject.encoder, subject.card, weights)
        if not seen.intact:
            again = Authenticator(
                card=subject.card,
                precision=verdict.precision,  # type: ignore[arg-type]  # what an earlier check ran in
                trust=verdict.trust,
                accept_self_asserted=True,  # decided when the encoder was found authentic
            )
            verdict_now = again.authenticate(subject.encoder).verdict
            if not verdict_now.authentic:
                found += [f"strip {strip.name}" for strip in verdict_now.strips if not strip.intact]
                found = found or [verdict_now.reason]
    return tuple(found)


def in_evaluation_mode(encoder: Encoder) -> None:
    """Undo a ``train()`` that an earlier test left behind: dropout would change what the next one sees."""
    with suppress(AttributeError):
        encoder.model.eval()
