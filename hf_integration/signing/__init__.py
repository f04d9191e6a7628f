"""Signatures in the format of OpenSSF Model Signing: of watermark cards, and of publishers over encoders.

A card's signature lies beside it as ``card.sig`` and covers exactly its three files. An encoder's is
``model.sig`` and covers what its publisher had in the folder. Either says who vouches for the files, which a
digest alone does not; whether that is somebody to believe is up to whoever names the signer.
"""

from hf_integration.signing.creation import Signed, sign
from hf_integration.signing.model_checking import check_model
from hf_integration.signing.signers import (
    CertificateSigner,
    KeySigner,
    Publisher,
    Signer,
    SigstoreSigner,
    publisher_from,
    require_extra,
    signer_from,
)
from hf_integration.signing.verification import load_signed_card, verify

__all__ = [
    "CertificateSigner",
    "KeySigner",
    "Publisher",
    "Signed",
    "Signer",
    "SigstoreSigner",
    "check_model",
    "load_signed_card",
    "publisher_from",
    "require_extra",
    "sign",
    "signer_from",
    "verify",
]
