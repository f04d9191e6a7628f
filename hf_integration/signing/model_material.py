"""What a signature is checked with: keys, certificates and Sigstore's root of trust, in every byte.

model-signing leaves out what it does not need: the key that older releases wrote into the signature, and
certificates beside the way from the signer to the root. Here everything that is written has to be true.
"""

import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_integration.base.errors import FlawError, UsageError
from hf_integration.base.files import open_bounded, read_exactly
from hf_integration.base.text import quoted
from hf_integration.signing.keys import MOST_KEY_BYTES, key_hint, public_pem, read_public_key
from hf_integration.signing.model_statement import ModelStatement
from hf_integration.signing.signers import CertificateSigner, KeySigner, Publisher
from hf_integration.signing.statement import decoded, with_keys

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_DETAILS = {
    "secp256r1": "PKIX_ECDSA_P256_SHA_256",
    "secp384r1": "PKIX_ECDSA_P384_SHA_384",
    "secp521r1": "PKIX_ECDSA_P521_SHA_512",
}
"""What releases up to 1.0.1 called a key."""

MOST_CERTIFICATES = 16


def check_material(signed: ModelStatement, publisher: Publisher) -> None:
    """Refuse a signature that says anything else of its signer than what is known of the publisher.

    Raises:
        FlawError: names what.
        UsageError: the publisher's key or authorities cannot be read.
    """
    if isinstance(publisher, KeySigner):
        _check_key(signed.material["publicKey"], publisher)
    elif isinstance(publisher, CertificateSigner):
        _check_chain(signed.material["x509CertificateChain"], publisher)
    else:
        _check_written(signed.material)
        _check_times(signed)


def _check_key(stated: Any, publisher: KeySigner) -> None:
    key = read_public_key(publisher.public_key)
    if isinstance(stated, dict) and set(stated) == {"hint"}:
        if stated["hint"] != key_hint(key):
            raise FlawError("publicKey.hint", "it was signed with another key")
        return
    with_keys("publicKey", stated, {"rawBytes", "keyDetails"})
    if decoded("publicKey.rawBytes", stated["rawBytes"]) != public_pem(key):
        raise FlawError("publicKey.rawBytes", "it was signed with another key")
    if stated["keyDetails"] != _DETAILS[key.curve.name]:
        raise FlawError("publicKey.keyDetails", "not what the key is")


def _check_chain(stated: Any, publisher: CertificateSigner) -> None:
    """Every certificate has to be issued by the next, and the last to be an authority, or by one."""
    from cryptography import x509

    with_keys("x509CertificateChain", stated, {"certificates"})
    certificates = stated["certificates"]
    if not isinstance(certificates, list) or not 0 < len(certificates) <= MOST_CERTIFICATES:
        raise FlawError("certificates", f"not 1 to {MOST_CERTIFICATES}")
    chain = []
    for certificate in certificates:
        with_keys("certificates", certificate, {"rawBytes"})
        try:
            chain.append(x509.load_der_x509_certificate(decoded("rawBytes", certificate["rawBytes"])))
        except ValueError as error:
            raise FlawError("certificates", f"not a certificate: {error}") from None
    roots = read_roots(publisher.roots)
    for one, issuer in itertools.pairwise(chain):
        if not _issued(one, issuer):
            raise FlawError("certificates", "one is not issued by the next")
    if chain[-1] not in roots and not any(_issued(chain[-1], root) for root in roots):
        raise FlawError("certificates", f"not issued by an authority in {quoted(str(publisher.roots))}")


def _issued(certificate: "Certificate", issuer: "Certificate") -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # other names, another key, a kind of key that is not known: each its own error
        return False
    return True


def authorities_in(file: Path) -> bytes:
    """The authorities of a PEM file, and nothing else that it may hold.

    Raises:
        UsageError: it holds none.
    """
    from cryptography.hazmat.primitives.serialization import Encoding

    return b"".join(one.public_bytes(Encoding.PEM) for one in read_roots(file))


def read_roots(file: Path) -> "list[Certificate]":
    """The authorities in a PEM file.

    Raises:
        UsageError: there is none.
    """
    from cryptography import x509

    shown, remedy = quoted(str(file), longest=400), "name a file of certificates in PEM"
    try:
        with open_bounded(file, MOST_CERTIFICATES * MOST_KEY_BYTES) as (stream, size):
            return x509.load_pem_x509_certificates(bytes(read_exactly(stream, size)))
    except FlawError as flaw:
        raise UsageError(f"{shown}: {flaw.reason}", remedy=remedy) from None
    except Exception as error:  # ValueError, of a NUL character in the path as well, and cryptography's own
        raise UsageError(f"{shown} holds no certificates in PEM", remedy=remedy) from error


_BASE64 = frozenset(
    {
        "rawBytes",
        "keyId",
        "signedEntryTimestamp",
        "rootHash",
        "hashes",
        "canonicalizedBody",
        "signedTimestamp",
    }
)

_NOTE = re.compile(r"(?P<name>\S+) - \d+\n\d+\n\S+\n\n(?:\u2014 (?P=name) [A-Za-z0-9+/]+={0,2}\n)+")
"""A checkpoint of a log, signed by that log: https://c2sp.org/tlog-checkpoint."""


def _check_written(value: Any, key: str = "") -> None:
    """Refuse what can be written in several ways, and is read as one, anywhere in what Sigstore adds."""
    if isinstance(value, dict):
        for name, member in value.items():
            _check_written(member, name)
        if key == "inclusionProof":
            _check_proof(value)
    elif isinstance(value, list):
        for member in value:
            _check_written(member, key)
    elif key in _BASE64:
        decoded(key, value)
    elif key == "envelope":
        if not isinstance(value, str) or not _NOTE.fullmatch(value):
            raise FlawError("checkpoint.envelope", "not a checkpoint signed by its log")
        for line in value.rstrip("\n").split("\n\n", 1)[1].split("\n"):
            decoded("checkpoint.envelope", line.rsplit(" ", 1)[1])


def _check_proof(proof: Mapping[str, Any]) -> None:
    """The proof has to be of the tree that the log signed: its checkpoint holds the size and the root."""
    checkpoint = proof.get("checkpoint")
    note = checkpoint.get("envelope") if isinstance(checkpoint, dict) else None
    lines = note.split("\n") if isinstance(note, str) else []
    if lines[1:3] != [proof.get("treeSize"), proof.get("rootHash")]:
        raise FlawError("inclusionProof", "not of the tree that its checkpoint is of")


def _check_times(signed: ModelStatement) -> None:
    """Every time stamp has to be one that a known authority gave to this signature.

    The log says when as well, and the library ``sigstore`` passes over time stamps that are not valid then.
    """
    from rfc3161_client import VerificationError, VerifierBuilder
    from sigstore.models import Bundle, ClientTrustConfig

    bundle = Bundle.from_json(signed.to_bytes())
    stated = bundle.verification_material.timestamp_verification_data
    stamps = [] if stated is None else stated.rfc3161_timestamps
    if not stamps:
        return
    chains = [
        authority.certificates(allow_expired=True)
        for authority in ClientTrustConfig.from_json(
            sigstore_trust().decode()
        ).trusted_root.get_timestamp_authorities()
    ]
    for stamp in stamps:
        for certificate, *others in chains:
            builder = VerifierBuilder().tsa_certificate(certificate).add_root_certificate(others[-1])
            for other in others[:-1]:
                builder = builder.add_intermediate_certificate(other)
            try:
                builder.build().verify_message(stamp, bundle.signature)
            except VerificationError:
                continue
            break
        else:
            raise FlawError("timestampVerificationData", "a time stamp that no known authority gave it")


_SIGSTORE = "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"


def sigstore_trust() -> bytes:
    """The root of trust that the package ``sigstore`` carries, in the form that model-signing takes.

    Nobody is asked for a newer one, so that a check needs no network: authorities and logs that Sigstore
    opened after that release are not known.

    Raises:
        OSError: this release of the package carries none.
    """
    from importlib.resources import files

    store = files("sigstore._store") / _SIGSTORE
    root, config = (
        json.loads((store / name).read_bytes()) for name in ("trusted_root.json", "signing_config.v0.2.json")
    )
    kind = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
    return json.dumps({"mediaType": kind, "trustedRoot": root, "signingConfig": config}).encode()
