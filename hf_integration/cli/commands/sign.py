"""``sslauth sign``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.base.errors import UsageError
from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.cli.options import HubOptions, job
from hf_integration.cli.streams import Format, Streams

if TYPE_CHECKING:
    from hf_integration.signing import Signed


EPILOG = """\b
Examples:
  openssl ecparam -name prime256v1 -genkey -noout -out key.pem
  openssl ec -in key.pem -pubout -out key.pub
  sslauth sign cards/NAME --key key.pem
  sslauth verify ORG/NAME --card cards/NAME --signer key.pub

The signature is card.sig beside the card, in the format of OpenSSF Model Signing; it covers the card's three
files. The password of an encrypted key comes from SSLAUTH_KEY_PASSWORD, or is asked for in a terminal. With
'--key sigstore' an identity signs instead of a key, which needs a network and a browser or a CI job.

\b
JSON: {"schema": 1, "card": {"digest", "location"}, "signature", "fingerprint", "new"}
Quiet: the digest of the card that was signed."""


@job()
def sign(
    streams: Streams,
    _hub: HubOptions,  # a card is signed where it lies
    card: Annotated[str, typer.Argument(metavar="CARD", help="The folder of a card.")],
    *,
    key: Annotated[
        str, typer.Option("--key", metavar="KEY", help="Private key file (ECDSA, PEM), or 'sigstore'.")
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace the signature of somebody else.")] = False,
) -> int:
    """Sign a watermark card."""
    if not card or not key:
        raise UsageError("CARD or --key is empty", remedy="is a variable unset?")
    streams.keep_apart(Path(card), *([] if key.startswith("sigstore") else [Path(key)]))
    from hf_integration import signing

    signed = signing.sign(card, key, force=force)
    streams.result(_rendered(signed, card, streams.format))
    return 0


def _rendered(signed: "Signed", card: str, format: str) -> str:
    if format == Format.JSON:
        return strict_json(
            {
                "schema": 1,
                "card": {"digest": signed.card_digest, "location": card},
                "signature": str(signed.path),
                "fingerprint": signed.fingerprint,
                "new": signed.is_new,
            }
        )
    if format == Format.QUIET:
        return signed.card_digest
    by = f"the key {signed.fingerprint}" if signed.fingerprint else "an identity, through Sigstore"
    said = "signed" if signed.is_new else "signed before, nothing to do:"
    return f"{said} {signed.card_digest}\nby {by}\nsignature: {harmless(signed.path)}"
