"""Signed cards in repositories, through the real client: its cache is made of links."""

from pathlib import Path

import pytest

from hf_integration.base.errors import IntegrityError
from hf_integration.signing import load_signed_card
from tests.hub_server.server import HubServer
from tests.signing.keys import KeyPair


def files_of(card: Path, under: str = "") -> dict[str, bytes]:
    return {f"{under}{file.name}": file.read_bytes() for file in card.iterdir()}


@pytest.mark.parametrize("under", ["", "sslauth/"])
def test_a_signed_card_is_checked_where_the_cache_put_it(
    hub_here: HubServer, signed: Path, keys: KeyPair, under: str
) -> None:
    commit = hub_here.create("org/encoder", {**files_of(signed, under), "README.md": b"text"})
    card = load_signed_card("org/encoder", keys.public)
    assert card.location == f"hub:org/encoder@{commit}/{under}".rstrip("/")


def test_a_card_without_signature_is_refused(hub_here: HubServer, signed: Path, keys: KeyPair) -> None:
    (signed / "card.sig").unlink()
    hub_here.create("org/encoder", files_of(signed, "sslauth/"))
    with pytest.raises(IntegrityError, match="no usable signature"):
        load_signed_card("org/encoder", keys.public)


def test_a_card_that_was_replaced_with_its_signature_is_refused(
    hub_here: HubServer, signed: Path, keys: KeyPair, other_keys: KeyPair
) -> None:
    from hf_integration.signing import sign

    sign(signed, other_keys.private, force=True)
    hub_here.create("org/encoder", files_of(signed, "sslauth/"))
    with pytest.raises(IntegrityError, match="with another key"):
        load_signed_card("org/encoder", keys.public)
