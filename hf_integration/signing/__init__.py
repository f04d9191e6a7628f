"""Signatures of watermark cards, in the format of OpenSSF Model Signing.

A signature lies beside the card as ``card.sig`` and covers exactly its three files. It says who vouches for a
card, which a digest alone does not; whether that is somebody to believe is up to whoever names the signer.
"""

from hf_integration.signing.creation import Signed, sign
from hf_integration.signing.signers import KeySigner, Signer, SigstoreSigner, require_extra, signer_from
from hf_integration.signing.verification import load_signed_card, verify

__all__ = [
    "KeySigner",
    "Signed",
    "Signer",
    "SigstoreSigner",
    "load_signed_card",
    "require_extra",
    "sign",
    "signer_from",
    "verify",
]
