"""Opening what the arguments name: encoders and cards, each said where it came from."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.cli.streams import Streams
from hf_integration.errors import CardNotFoundError

if TYPE_CHECKING:
    from hf_integration.card import WatermarkCard
    from hf_integration.encoders import Encoder

CARDS = Path("cards")
"""Where a project keeps the cards that it checks with, one folder per encoder."""


def use_hub(token: str | None, cache_dir: Path | None) -> None:
    """Make the Hub options hold for everything that this process and its children ask the Hub.

    Called before huggingface_hub is imported, which reads the cache's place once.
    """
    if token is not None:
        os.environ["HF_TOKEN"] = token
    if cache_dir is not None:
        os.environ["HF_HUB_CACHE"] = str(cache_dir.absolute())


def open_encoder(
    reference: str,
    streams: Streams,
    *,
    revision: str | None = None,
    device: str | None = None,
    token: str | None = None,
    cache_dir: Path | None = None,
) -> "Encoder":
    """Load an encoder and say which one it is.

    Raises:
        EncoderError: there is no encoder there, or it is refused.
        InconclusiveError: the Hub could not be asked.
    """
    streams.say(f"loading {reference} ...")
    from hf_integration.encoders import load_encoder

    encoder = load_encoder(reference, revision=revision, device=device, token=token, cache_dir=cache_dir)
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


def open_card(reference: str | Path, streams: Streams, *, revision: str | None = None) -> "WatermarkCard":
    """Load a card and say which one it is.

    Raises:
        CardError: it is damaged.
        CardNotFoundError: there is none.
    """
    from hf_integration.card import WatermarkCard

    card = WatermarkCard.load(reference, revision=revision)
    streams.say(f"card: {card.location}")
    return card


def own_card(encoder: "Encoder", streams: Streams) -> "WatermarkCard":
    """The card that lies in the encoder's own repository or folder.

    Raises:
        CardError: it is damaged.
        CardNotFoundError: there is none.
    """
    name = Path(encoder.name).name or "NAME"
    try:
        if encoder.commit is not None:
            return open_card(encoder.name, streams, revision=encoder.commit)
        return open_card(encoder.path or encoder.name, streams)
    except CardNotFoundError as error:
        raise CardNotFoundError(
            f"no watermark card: neither in {CARDS / name} nor with the encoder",
            remedy="name one with --card, or mint one from a copy that you trust with 'sslauth mint'",
        ) from error
