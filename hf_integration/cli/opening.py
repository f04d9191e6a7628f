"""Opening what the arguments name: encoders and cards, each said where it came from."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.errors import CardNotFoundError
from hf_integration.cli.options import HubOptions
from hf_integration.cli.streams import Streams

if TYPE_CHECKING:
    from hf_integration.base.vocabulary import Modality
    from hf_integration.card import WatermarkCard
    from hf_integration.encoders import Encoder
    from hf_integration.signing import Signer

CARDS = Path("cards")
"""Where a project keeps the cards that it checks with, one folder per encoder."""


def open_encoder(
    reference: str,
    streams: Streams,
    *,
    revision: str | None = None,
    device: str | None = None,
    hub: HubOptions,
    modality: "Modality | None" = None,
    card: "WatermarkCard | None" = None,
) -> "Encoder":
    """Load an encoder and say which one it is.

    Args:
        reference: folder or repo id.
        streams: told what is loaded.
        revision: of a Hub repo.
        device: where it is loaded.
        hub: how the Hub is asked.
        modality: which tower of a model with two.
        card: what it is to be checked with, whose modality decides where the caller does not.

    Raises:
        EncoderError: there is no encoder there, or it is refused.
        InconclusiveError: the Hub could not be asked.
    """
    streams.say(f"loading {reference} ...")
    from hf_integration.encoders import load_encoder

    encoder = load_encoder(
        reference,
        revision=revision,
        device=device,
        token=hub.token,
        cache_dir=hub.cache_dir,
        modality=modality,
        preferred=None if card is None else card.encoder.modality,
    )
    streams.say(f"encoder: {whence(encoder)}")
    return encoder


def whence(encoder: "Encoder") -> str:
    """Where an encoder came from, in words."""
    if encoder.commit is not None:
        return f"Hub repository {encoder.name} @{encoder.commit}"
    return f"local folder {encoder.name}"


def card_folder(reference: str) -> Path | None:
    """The project's own card for an encoder, ``cards/<name>``, if there is one."""
    name = Path(reference).name
    folder = CARDS / (name if name not in ("", "..") else Path(reference).resolve().name)
    return folder if (folder / "card.json").is_file() else None


def open_card(
    reference: str | Path,
    streams: Streams,
    *,
    revision: str | None = None,
    signer: "Signer | None" = None,
) -> "WatermarkCard":
    """Load a card and say which one it is, and whose signature it bears if somebody has to have signed.

    Raises:
        CardError: it is damaged.
        CardNotFoundError: there is none.
        IntegrityError: it is not signed by the signer.
    """
    from hf_integration.card import exposure, load_card

    if signer is None:
        card = load_card(reference, revision=revision)
    else:
        from hf_integration.signing import load_signed_card

        card = load_signed_card(reference, signer, revision=revision)
    streams.say(f"card: {card.location}{said_of_signature(Path(card.location), signer)}")
    if warning := exposure(card):
        streams.say(warning)
    return card


def said_of_signature(folder: Path, signer: "Signer | None") -> str:
    """Who signed a card, as the end of a line; a signature that nobody asked about says nothing yet.

    Args:
        folder: where the card lies.
        signer: whose signature was checked.
    """
    if signer is not None:
        return f", signed by {signer}"
    there = os.path.lexists(folder / "card.sig")
    return "; its signature was not checked: --signer KEY does that" if there else ""


def chosen_signer(text: str | None) -> "Signer | None":
    """The signer that ``--signer`` names, once it is known that signatures can be checked here.

    Raises:
        UsageError: it names none, or the extra ``sign`` is not installed.
    """
    if text is None:
        return None
    from hf_integration.signing import require_extra, signer_from

    require_extra()
    return signer_from(text)


def own_card(encoder: "Encoder", streams: Streams, *, signer: "Signer | None" = None) -> "WatermarkCard":
    """The card that lies in the encoder's own repository or folder.

    Raises:
        CardError: it is damaged.
        CardNotFoundError: there is none.
        IntegrityError: it is not signed by the signer.
    """
    name = Path(encoder.name).name or "NAME"
    try:
        if encoder.commit is not None:
            return open_card(encoder.name, streams, revision=encoder.commit, signer=signer)
        return open_card(encoder.path or encoder.name, streams, signer=signer)
    except CardNotFoundError as error:
        raise CardNotFoundError(
            f"no watermark card: neither in {CARDS / name} nor with the encoder",
            remedy="name one with --card, or mint one from a copy that you trust with 'sslauth mint'",
        ) from error
