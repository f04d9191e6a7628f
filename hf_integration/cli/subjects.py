"""What ``sslauth verify`` checks: an encoder and its card, each from where the arguments and the pins say."""

from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.output_files import check_apart
from hf_integration.cli.inputs import pinned_inputs, signer_inputs
from hf_integration.cli.model_card import is_repo, open_published, same_repo
from hf_integration.cli.naming import find_pin, named_pin
from hf_integration.cli.opening import card_folder, open_card, open_encoder, own_card, whence
from hf_integration.cli.options import HubOptions
from hf_integration.cli.streams import Streams

if TYPE_CHECKING:
    from hf_integration.card import WatermarkCard
    from hf_integration.checking.pins import Pin
    from hf_integration.checking.subject import Subject
    from hf_integration.encoders import Encoder
    from hf_integration.signing import Signer
    from hf_integration.verdict import Trust


def open_subject(
    encoder: str,
    streams: Streams,
    *,
    card: str | None,
    revision: str | None,
    signer: "Signer | None",
    picture: Path | None,
    device: str | None,
    hub: HubOptions,
) -> "Subject":
    """Load an encoder and its card: as they are pinned, as they are named, or as a model card advertises.

    Args:
        encoder: name in ``sslauth.toml``, folder, or repo id.
        streams: told what is loaded; its output is kept apart from what is read.
        card: folder, repo id or name in ``sslauth.toml`` that the caller names.
        revision: of a Hub repo.
        signer: who has to have signed the card.
        picture: an output that must not replace what is read.
        device: where the encoder is loaded.
        hub: how the Hub is asked.

    Raises:
        SSLAuthError: whatever keeps either from being loaded, or the card from being believed.
    """
    pin = find_pin(encoder, streams)
    # the repository itself, named as the place of the card: that is no other card, and no better one
    own = card is not None and same_repo(card, encoder)
    card_pin = named_pin(card, streams) if card else None
    inputs = [*pinned_inputs(pin, card_pin), *signer_inputs(signer)]
    streams.keep_apart(*inputs)
    if picture is not None:
        from hf_integration.checking.pins import PINS_FILE

        check_apart(picture, Path(PINS_FILE), *inputs)
        streams.keep_apart(picture)
    from hf_integration.checking.subject import Subject

    def load(card: "WatermarkCard | None" = None) -> "Encoder":
        return open_encoder(encoder, streams, revision=revision, device=device, hub=hub, card=card)

    if pin is not None:
        opened = open_pin(
            pin, streams, hub, card=card, card_pin=card_pin, signer=signer, revision=revision, device=device
        )
        subject = opened.asked_about(pin.repo, token=hub.token, cache_dir=hub.cache_dir)
        subject.encoder.name = encoder
        return subject
    if card_pin is not None:
        from hf_integration.checking.pinned import load_pinned_card

        pinned = load_pinned_card(card_pin, signer=signer, token=hub.token, say=streams.say)
        subject = Subject(load(pinned.card), pinned.card, pinned.trust)
        return subject.asked_about(encoder, token=hub.token, cache_dir=hub.cache_dir)
    trust: Trust | None = "signed" if signer else None
    if (named := None if own else card or card_folder(encoder)) is not None:
        # first, so that a damaged card is known before an encoder takes its seconds
        if card is None and is_repo(encoder):
            streams.say(f"{named} holds a card of that name: what the repository publishes is not looked at")
        held = open_card(named, streams, signer=signer)
        return Subject(load(held), held, trust)
    if is_repo(encoder):
        loaded, found = open_published(
            encoder,
            streams,
            revision=revision,
            signer=signer,
            device=device,
            hub=hub,
        )
        return Subject(loaded, found.card, trust, published=found)
    loaded = load()
    held = own_card(loaded, streams, signer=signer)
    if held.encoder.modality != loaded.modality:
        loaded = load(held)  # the other tower, if it has one
    return Subject(loaded, held, trust)


def open_pin(
    pin: "Pin",
    streams: Streams,
    hub: HubOptions,
    *,
    card: str | None,
    card_pin: "Pin | None",
    signer: "Signer | None" = None,
    revision: str | None,
    device: str | None,
) -> "Subject":
    """Load an encoder and its card as they are pinned, and say where they came from.

    Args:
        pin: the encoder's entry in ``sslauth.toml``.
        streams: told what is loaded.
        hub: how the Hub is asked.
        card: what the caller names as the card.
        card_pin: the entry that this is the name of, if it is one.
        signer: who has to have signed the card, besides the one who is pinned.
        revision: what the caller asks for.
        device: where the encoder is loaded.

    Raises:
        SSLAuthError: as of :func:`hf_integration.checking.pinned.open_pinned`.
    """
    from hf_integration.checking.pinned import open_pinned

    opened = open_pinned(
        pin,
        revision=revision,
        card=None if card_pin else card,
        card_pin=card_pin,
        signer=signer,
        device=device,
        token=hub.token,
        cache_dir=hub.cache_dir,
        say=streams.say,
    )
    streams.say(f"encoder: {whence(opened.encoder)}")
    return opened
