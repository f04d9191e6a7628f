"""``sslauth verify ORG/NAME`` without a card at hand: the one that the repository publishes."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.errors import CardNotFoundError
from hf_integration.cli.opening import CARDS, open_encoder, said_of_signature
from hf_integration.cli.options import HubOptions
from hf_integration.cli.streams import Streams

if TYPE_CHECKING:
    from hf_integration.encoders import Encoder
    from hf_integration.hub import PublishedCard
    from hf_integration.signing import Signer

_REPO_ID = re.compile(r"\w[\w.-]{0,95}(/\w[\w.-]{0,95})?", re.ASCII)


def is_repo(reference: str) -> bool:
    """Whether a reference can only mean a Hub repository: no file or folder here is called so."""
    return _REPO_ID.fullmatch(reference) is not None and not os.path.lexists(Path(reference))


def same_repo(one: str, other: str) -> bool:
    """Whether two references mean one Hub repository, which the Hub names without regard to case."""
    return is_repo(one) and is_repo(other) and one.casefold() == other.casefold()


def open_published(
    repo: str,
    streams: Streams,
    *,
    revision: str | None = None,
    signer: "Signer | None" = None,
    device: str | None = None,
    hub: HubOptions,
) -> "tuple[Encoder, PublishedCard]":
    """Load the card that a repository publishes, and then the encoder, both at one commit.

    Raises:
        CardNotFoundError: the repository publishes none.
        InconclusiveError: the Hub cannot be asked, or the card is not to be believed.
        IntegrityError: the card is damaged, is not what the model card says, or not signed by the signer.
    """
    from hf_integration.hub import check_signature, published_card
    from hf_integration.snapshot.hub import resolve_commit

    commit = resolve_commit(repo, revision=revision, token=hub.token, cache_dir=hub.cache_dir)
    try:
        published = published_card(repo, commit, token=hub.token, cache_dir=hub.cache_dir)
    except CardNotFoundError as error:
        streams.say(f"no card in {CARDS / Path(repo).name} either")
        raise error from None
    said = "advertised by its model card" if published.advertised else "not advertised by its model card"
    if signer is not None:
        check_signature(published, signer)
    by = said_of_signature(published.folder, signer)
    streams.say(f"card: {published.card.location}, {said}{by}")
    encoder = open_encoder(repo, streams, revision=commit, device=device, hub=hub, card=published.card)
    return encoder, published
