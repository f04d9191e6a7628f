"""What is checked, and the one way in which it is loaded and checked: by card, claims and waivers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.errors import CardNotFoundError, IntegrityError
from hf_integration.base.vocabulary import today
from hf_integration.checking.finding import Found, Place
from hf_integration.checking.held_card import Access, HeldCard, check_place, hold_card, refuse_shadow
from hf_integration.checking.pins.pin import Waiver
from hf_integration.checking.publisher import look_at_publisher
from hf_integration.checking.upstream import commit_on_the_hub

if TYPE_CHECKING:
    from hf_integration.authentication import Authentication
    from hf_integration.base.progress import Progress
    from hf_integration.base.vocabulary import Modality, Precision
    from hf_integration.card import WatermarkCard
    from hf_integration.encoders import Encoder
    from hf_integration.encoders.interface import EncoderDescription
    from hf_integration.hub import PublishedCard
    from hf_integration.verdict import Trust


@dataclass(frozen=True, eq=False)
class Subject:
    """An encoder in memory and the card that it is held against.

    Made by :func:`load_subject` and :func:`subject_around` only, which ask what must be asked.

    Attributes:
        encoder: the encoder.
        card: its card.
        trust: why the card is believed, as far as a pin or a signature gives a reason; else where it was
            loaded from decides.
        waivers: accepted alterations of the encoder.
        published: what the encoder's own repository claims about the card, if it comes from there.
        signers: who signed the card, as far as that was verified.
    """

    encoder: "Encoder"
    card: "WatermarkCard"
    trust: "Trust | None" = None
    waivers: tuple[Waiver, ...] = ()
    published: "PublishedCard | None" = None
    signers: tuple[str, ...] = ()

    def authenticate(
        self,
        *,
        precision: "Precision | None" = None,
        budget: float | None = None,
        accept_self_asserted: bool = False,
        progress: "Progress | None" = None,
    ) -> "Authentication":
        """Check the encoder; see :class:`~hf_integration.authentication.Authenticator` for the arguments."""
        from hf_integration.authentication import Authenticator

        authenticator = Authenticator(
            card=self.card,
            precision=precision,
            trust=self.trust,
            accept_self_asserted=accept_self_asserted,
            budget=budget,
        )
        return self.judged(authenticator.authenticate(self.encoder, progress=progress))

    def judged(self, authentication: "Authentication") -> "Authentication":
        """What came of a check of the encoder by the card alone, with all that was asked for besides.

        Args:
            authentication: of this encoder, or of the same files under another name.
        """
        from hf_integration.checking.waiving import waived
        from hf_integration.verdict import CardIdentity

        verdict = replace(
            authentication.verdict,
            encoder=self.encoder.name,
            card=CardIdentity(self.card.digest, self.card.location),
            publisher=self.encoder.publisher,
            signers=self.signers,
            source=None if self.card.source is None else str(self.card.source),
        )
        if self.published is not None:
            from hf_integration.hub import with_claims

            verdict = with_claims(verdict, self.published, self.encoder)
        verdict = waived(verdict, self.waivers, today=today(), expires=self.card.expires)
        return replace(authentication, verdict=verdict)


def load_subject(
    found: Found,
    access: Access,
    *,
    modality: "Modality | None" = None,
    loader: "Callable[..., Encoder] | None" = None,
) -> Subject:
    """Load an encoder and its card, as they are pinned or as they were named.

    The card first, as far as it is known without the encoder: it is small, and most often what is missing.

    Args:
        found: what the names mean.
        access: how both are fetched and loaded.
        modality: which tower of a model with two; by default that of the card.
        loader: see :func:`load_encoder_at`.

    Raises:
        UsageError: the caller contradicts a pin.
        IntegrityError: commit, card or signature are not the pinned ones.
        EncoderError: the encoder cannot be loaded.
        InconclusiveError: the Hub could not be asked, or there is no card.
    """
    found.check_revision()  # what contradicts a pin is said before anything is read
    commit = own_commit(found, access)
    try:
        held = hold_card(found, access, commit=commit)
    except CardNotFoundError:
        if found.card is None and found.encoder.folder is not None:
            refuse_folder(found.encoder.folder)  # a folder without an encoder lacks more than a card
        raise
    encoder = load_encoder_at(
        found.encoder,
        access,
        revision=found.asked.revision,
        commit=commit,
        modality=modality,
        preferred=held.card.encoder,
        loader=loader,
    )
    return subject_around(encoder, held, found, access)


def subject_around(encoder: "Encoder", held: HeldCard, found: Found, access: Access) -> Subject:
    """An encoder in memory with the card that was read for it.

    A card of the encoder's own repository is only as good as what that says of it, unless it is pinned:
    claims and revocation are asked here, for whatever reaches a verdict.

    Raises:
        ModelCardRefusedError: the repository has another card at the encoder's commit, or took it back.
        InconclusiveError: the Hub cannot be asked.
        IntegrityError: what the model card says is malformed, or of another card; or its publisher did not
            sign the encoder.
    """
    look_at_publisher(encoder, found.encoder, access)
    published, repo = held.published, found.encoder.repo
    if published is None and held.trust != "pinned" and repo is not None and encoder.commit is not None:
        from hf_integration.hub import published_if_own

        published = published_if_own(
            held.card, repo, encoder.commit, token=access.token, cache_dir=access.cache_dir
        )
    pin = found.encoder.pin
    # what a model card claims is so or is not: nothing of it is waived
    waivers = () if pin is None or found.asked.own_card == "only" else pin.waivers
    return Subject(encoder, held.card, held.trust, waivers, published, held.signers)


def own_commit(found: Found, access: Access) -> str | None:
    """The commit of an encoder whose card is in the same repository, so that one commit names both.

    Raises:
        IntegrityError: the Hub no longer has the pinned commit.
        InconclusiveError: the Hub could not be asked.
    """
    repo, pin = found.encoder.repo, found.encoder.pin
    if repo is None or found.card is not None:
        return None
    if pin is not None:
        refuse_shadow(pin, repo)
    from hf_integration.snapshot.hub import resolve_commit

    with commit_on_the_hub(pin, token=access.token):
        return resolve_commit(repo, revision=found.revision, token=access.token, cache_dir=access.cache_dir)


def load_encoder_at(
    place: Place,
    access: Access,
    *,
    revision: str | None = None,
    commit: str | None = None,
    modality: "Modality | None" = None,
    preferred: "EncoderDescription | Modality | None" = None,
    pooling: str | None = None,
    loader: "Callable[..., Encoder] | None" = None,
) -> "Encoder":
    """Load an encoder from its place, at its pinned commit if it has one, and say which one it is.

    Args:
        place: where the encoder is.
        access: how it is fetched and loaded.
        revision: branch, tag or commit of a Hub repo that the caller names.
        commit: what that is, if it was found out already.
        modality: see :func:`~hf_integration.encoders.load_encoder`.
        preferred: see :func:`~hf_integration.encoders.load_encoder`.
        pooling: see :func:`~hf_integration.encoders.load_encoder`.
        loader: takes the place of that function, for whoever loads an encoder once for several entries.

    Raises:
        EncoderError: there is no encoder there, or it is refused.
        UsageError: the revision contradicts the pin.
        IntegrityError: the Hub no longer has the pinned commit, or its publisher did not sign the encoder.
        InconclusiveError: the Hub could not be asked.
    """
    pin = place.pin
    access.say(f"loading {pin or place.name} ...")
    if pin is not None and pin.lock_hint:
        access.say(pin.lock_hint)
    check_place(place)
    at = revision if pin is None else pin.revision(revision)
    from hf_integration.encoders import load_encoder

    with commit_on_the_hub(pin, token=access.token):
        encoder = (loader or load_encoder)(
            place.reference,
            name=place.name,
            revision=commit or at,
            device=access.device,
            token=access.token,
            cache_dir=access.cache_dir,
            modality=modality,
            preferred=preferred,
            pooling=pooling,
        )
    if pin is not None and pin.commit is not None and encoder.commit != pin.commit:
        raise IntegrityError(f"{pin}: the Hub gave commit {encoder.commit}")
    where = f"Hub repository {place.repo} @{encoder.commit}"
    access.say(f"encoder: {where if encoder.commit else f'local folder {place.reference}'}")
    look_at_publisher(encoder, place, access)
    if encoder.publisher is not None:
        access.say(encoder.publisher.said)
    return encoder


def refuse_folder(folder: Path) -> None:
    """Refuse a folder that holds no encoder.

    Raises:
        EncoderError: with the reason.
    """
    from hf_integration.encoders.files.folder import inspect_folder

    inspect_folder(folder)
