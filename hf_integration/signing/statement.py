"""Reading ``card.sig``: what it states, before anything is asked about who signed it.

The file is a Sigstore bundle: a DSSE envelope around an in-toto statement that lists files and their SHA-256.
model-signing reads it leniently (files that a signature says to ignore, other hashes, an unknown key
identifier), so everything that a card's signature never holds is refused here, and model-signing is given the
JSON as this module read it: two readers of one file must not see different things.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_integration.base import strict_json
from hf_integration.base.errors import FlawError
from hf_integration.base.files import open_bounded, read_exactly
from hf_integration.base.vocabulary import SIGNATURE_FILE
from hf_integration.card.schema import MOST_BYTES

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://model_signing/signature/v1.0"

_HASHES = {"method": "files", "hash_type": "sha256"}


@dataclass(frozen=True)
class SignatureFile:
    """A signature as it was read; that it is genuine is not said here.

    Attributes:
        bundle: the whole file as JSON values.
        files: name -> SHA-256 in hexadecimal, of every file that it covers.
    """

    bundle: Mapping[str, Any]
    files: Mapping[str, str]

    @property
    def key_hint(self) -> str | None:
        """What names the key that it was made with; ``None`` where it was not made with a key alone.

        Exactly what model-signing 1.1 writes counts: without the name of its key, a signature would be tried
        with any, and the library would print a warning into the result.
        """
        material = self.bundle["verificationMaterial"]
        key = material.get("publicKey")
        hint = key.get("hint") if isinstance(key, dict) else None
        written = {"publicKey": {"hint": hint}, "tlogEntries": []}
        complete = "keyid" in self.bundle["dsseEnvelope"]["signatures"][0]
        return hint if isinstance(hint, str) and material == written and complete else None

    def to_bytes(self) -> bytes:
        """The file again, from what was read of it."""
        return json.dumps(self.bundle, separators=(",", ":")).encode()


def read_signature(path: Path) -> SignatureFile:
    """Read a signature file.

    Raises:
        FlawError: it is missing, too large, or not the signature of a list of files.
    """
    with open_bounded(path, MOST_BYTES[SIGNATURE_FILE]) as (stream, size):
        return parse_signature(bytes(read_exactly(stream, size)))


def parse_signature(data: bytes) -> SignatureFile:
    """Read what a signature file holds; needs neither a key nor the extra ``sign``.

    Args:
        data: untrusted bytes; the caller has bounded their number.

    Raises:
        FlawError: it is not the signature of a list of files.
    """
    bundle = strict_json.parse(data)
    payload = strict_json.parse(payload_of(bundle))
    if not isinstance(bundle["verificationMaterial"], dict):
        raise FlawError("verificationMaterial", "not an object")
    return SignatureFile(bundle, _files(payload))


def payload_of(bundle: Any) -> bytes:
    """What was signed, of a bundle as model-signing writes it.

    Args:
        bundle: the JSON value of an untrusted file.

    Raises:
        FlawError: it is no such bundle.
    """
    with_keys("", bundle, {"mediaType", "verificationMaterial", "dsseEnvelope"})
    if bundle["mediaType"] != MEDIA_TYPE:
        raise FlawError("mediaType", "not a Sigstore bundle of version 0.3")
    envelope = bundle["dsseEnvelope"]
    with_keys("dsseEnvelope", envelope, {"payload", "payloadType", "signatures"})
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise FlawError("dsseEnvelope.payloadType", f"not {PAYLOAD_TYPE}")
    signatures = envelope["signatures"]
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise FlawError("dsseEnvelope.signatures", "not exactly one")
    _check_signature(signatures[0])
    return decoded("dsseEnvelope.payload", envelope["payload"])


def _check_signature(signature: Any) -> None:
    """Refuse what is no signature as model-signing writes it, with an empty name of its key or none."""
    name = "dsseEnvelope.signatures[0]"
    if not isinstance(signature, dict) or set(signature) not in ({"sig"}, {"sig", "keyid"}):
        raise FlawError(name, "needs sig, and may have keyid")
    decoded(f"{name}.sig", signature["sig"])
    if signature.get("keyid") not in ("", None):  # releases before 1.1 wrote null
        raise FlawError(f"{name}.keyid", "not empty")


def _files(payload: Any) -> dict[str, str]:
    with_keys("statement", payload, {"_type", "subject", "predicateType", "predicate"})
    if payload["_type"] != STATEMENT or payload["predicateType"] != PREDICATE:
        raise FlawError("statement", "not a model signature of version 1.0")
    predicate = payload["predicate"]
    with_keys("predicate", predicate, {"serialization", "resources"})
    serialization = predicate["serialization"]
    if not isinstance(serialization, dict) or not _HASHES.items() <= serialization.items():
        raise FlawError("predicate.serialization", "not SHA-256 of whole files")
    if not isinstance(predicate["resources"], list):
        raise FlawError("predicate.resources", "not a list")
    files: dict[str, str] = {}
    for resource in predicate["resources"]:
        with_keys("predicate.resources", resource, {"name", "algorithm", "digest"})
        name, digest = resource["name"], resource["digest"]
        if not isinstance(name, str) or not isinstance(digest, str) or resource["algorithm"] != "sha256":
            raise FlawError("predicate.resources", "not a name and a SHA-256")
        if name in files:
            raise FlawError(f"predicate.resources.{name}", "listed twice")
        files[name] = digest
    return files


def with_keys(name: str, value: Any, keys: set[str]) -> None:
    """Refuse what is no object of exactly these keys.

    Raises:
        FlawError: names it.
    """
    if not isinstance(value, dict) or set(value) != keys:
        raise FlawError(name, f"needs exactly {', '.join(sorted(keys))}")


def decoded(name: str, text: Any) -> bytes:
    """Bytes of a base64 string in its one canonical form.

    Raises:
        FlawError: it is none, or empty.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        data = b""
    if not data or base64.b64encode(data).decode() != text:
        raise FlawError(name, "not base64")
    return data
