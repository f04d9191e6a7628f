"""Whether the signer that is pinned for a card signed it."""

from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.errors import IntegrityError

if TYPE_CHECKING:
    from hf_integration.signing import Signer


def check_signer(card_folder: Path, digest: str, signer: "str | Signer") -> None:
    """Check the signature beside a card; a signer that is named is never passed over.

    Args:
        card_folder: the folder that holds ``card.json`` and ``card.sig``.
        digest: ``sha256:…`` of the card as it was read.
        signer: public key file, or ``sigstore:IDENTITY@ISSUER``.

    Raises:
        IntegrityError: no signature, somebody else's, or a broken one.
        InconclusiveError: what Sigstore signatures are checked with is out of reach.
        UsageError: the signer is not one, or the extra ``sign`` is not installed.
    """
    from hf_integration.signing import verify

    if verify(card_folder, signer) != digest:
        raise IntegrityError(f"the card {digest} changed while it was read", remedy="try again")
