"""What lies where in a bundle, and the ``sslauth.toml`` that says so."""

import json
import re
from pathlib import Path

from hf_integration.base.errors import UsageError
from hf_integration.base.text import quoted

ENCODER, CARD, SIGNER, PUBLISHER, PINS = "encoder", "card", "signer.pub", "publisher.pem", "sslauth.toml"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}")
"""What ``sslauth.toml`` takes for a name."""


def bundle_name(reference: str, name: str | None) -> str:
    """The name that an encoder has in its bundle; by default the last part of what it is called now.

    Raises:
        UsageError: it cannot be a name.
    """
    chosen = Path(reference).resolve().name if name is None else name
    if not _NAME.fullmatch(chosen):
        raise UsageError(
            f"{quoted(chosen)!r} cannot be the name of an encoder",
            remedy="give one with --name: letters, digits, '.', '_' and '-'",
        )
    return chosen


def pins(name: str, *, card_digest: str, signed: bool, origin: str, publisher: str | None = None) -> str:
    """The text of ``sslauth.toml``.

    Args:
        name: what the encoder is called there.
        card_digest: ``sha256:…`` of the card in the bundle.
        signed: whether a signer's key lies in the bundle.
        origin: where the encoder came from, for people.
        publisher: who has to have signed the encoder's files, as ``sslauth.toml`` names them, if anybody.
    """
    lines = [
        "# Written by `sslauth bundle`. In this folder, without a network:",
        f"#   sslauth verify {name}",
        f"# The encoder came from {origin.encode('ascii', 'backslashreplace').decode()}",
        "version = 1",
        "",
        # in quotes: a name may hold a dot, which would part keys
        f'[encoders."{name}"]',
        f'path = "{ENCODER}"',
        f'card = "{CARD}"',
        f'card_digest = "{card_digest}"',
    ]
    if signed:
        lines.append(f'signer = "{SIGNER}"')
    if publisher is not None:
        lines.append(f"publisher = {json.dumps(publisher)}")
    return "\n".join(lines) + "\n"
