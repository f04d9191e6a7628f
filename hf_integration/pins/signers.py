"""Whether the signer that is pinned for a card signed it."""

from importlib import import_module
from pathlib import Path

from hf_integration.errors import InconclusiveError


def check_signer(card_folder: Path, signer: str) -> None:
    """Check the signature beside a card; a signer that is named is never passed over.

    Args:
        card_folder: the folder that holds ``card.json`` and ``card.sig``.
        signer: public key file, or ``sigstore:IDENTITY@ISSUER``.

    Raises:
        IntegrityError: no signature, somebody else's, or a broken one.
        InconclusiveError: this installation cannot check signatures.
        UsageError: the signer is not one.
    """
    try:
        signing = import_module("hf_integration.signing")
    except ImportError as error:
        raise InconclusiveError(
            f"signatures cannot be checked: {error}", remedy="use a version of pytest-sslauth that can"
        ) from error
    signing.verify(card_folder, signer)
