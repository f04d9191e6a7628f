"""DSSE envelopes: any JSON, signed with the keys that cards are signed with.

https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md. What is signed is the bytes of the payload
and their type, so nothing of the payload is read before its signature is checked.
"""

import base64
import json
from typing import TYPE_CHECKING

from hf_integration.base import strict_json
from hf_integration.base.errors import FlawError
from hf_integration.signing.keys import key_hint
from hf_integration.signing.statement import PAYLOAD_TYPE, decoded, with_keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import HashAlgorithm


def seal(payload: bytes, key: "ec.EllipticCurvePrivateKey") -> bytes:
    """An envelope around an in-toto statement, as one line of JSON without white space.

    Args:
        payload: the statement.
        key: ECDSA on P-256, P-384 or P-521.
    """
    from cryptography.hazmat.primitives.asymmetric import ec

    signature = key.sign(_to_be_signed(payload), ec.ECDSA(_hash_of(key.public_key())))
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [
            {"keyid": key_hint(key.public_key()), "sig": base64.b64encode(signature).decode()},
        ],
    }
    return json.dumps(envelope, separators=(",", ":")).encode()


def unseal(data: bytes, key: "ec.EllipticCurvePublicKey") -> bytes:
    """The payload of an envelope that this key signed, and nobody else.

    Args:
        data: untrusted bytes; the caller has bounded their number.
        key: public part of the key that has to have signed it.

    Raises:
        FlawError: it is no such envelope, is signed with another key, or was changed.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec

    envelope = strict_json.parse(data, longest=len(data))
    with_keys("", envelope, {"payload", "payloadType", "signatures"})
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise FlawError("payloadType", f"not {PAYLOAD_TYPE}")
    signatures = envelope["signatures"]
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise FlawError("signatures", "not exactly one")
    with_keys("signatures[0]", signatures[0], {"keyid", "sig"})
    payload = decoded("payload", envelope["payload"])
    signature = decoded("signatures[0].sig", signatures[0]["sig"])
    if signatures[0]["keyid"] != key_hint(key):
        raise FlawError("signatures[0].keyid", "it was signed with another key")
    try:
        key.verify(signature, _to_be_signed(payload), ec.ECDSA(_hash_of(key)))
    except InvalidSignature:
        raise FlawError("", "its signature is not valid: it was changed after it was signed") from None
    return payload


def _to_be_signed(payload: bytes) -> bytes:
    """The pre-authentication encoding of type and payload."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _hash_of(key: "ec.EllipticCurvePublicKey") -> "HashAlgorithm":
    """The hash that model-signing, like Sigstore, pairs with a curve."""
    from cryptography.hazmat.primitives import hashes

    return {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[key.curve.key_size]
