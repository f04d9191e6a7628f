"""Key files: ECDSA keys in PEM, checked before model-signing sees them, so that a wrong one is named."""

import getpass
import hashlib
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_integration.base.errors import FlawError, UsageError
from hf_integration.base.files import open_bounded, read_exactly
from hf_integration.base.text import quoted

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

PASSWORD = "SSLAUTH_KEY_PASSWORD"  # noqa: S105  # the variable's name

MOST_KEY_BYTES = 64 << 10
"""A PEM file of an elliptic curve has a few hundred."""

CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
"""What model-signing signs with."""

_MAKE_ONE = "make one with: openssl ecparam -name prime256v1 -genkey -noout -out key.pem"
_PUBLIC_PART = "give its public part: openssl ec -in KEY -pubout -out key.pub"


def read_public_key(path: Path) -> "EllipticCurvePublicKey":
    """Read a public key.

    Raises:
        UsageError: no such file, or no public key that cards can be signed with.
    """
    data = public_part(path)
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(data)
    except Exception as error:  # cryptography's kinds of refusal differ between versions
        raise UsageError(f"{_named(path)} is not a public key in PEM", remedy=_PUBLIC_PART) from error
    return _of_supported_curve(key, path)


def public_part(path: Path) -> bytes:
    """The bytes of a public key's file; nothing has to be installed to find out that there are none.

    Raises:
        UsageError: no such file, or a private key.
    """
    data = _read(path)
    if b"PRIVATE KEY" in data:
        raise UsageError(f"{_named(path)} is a private key, which no check needs", remedy=_PUBLIC_PART)
    return data


def read_private_key(path: Path) -> tuple["EllipticCurvePrivateKey", bytes | None]:
    """Read a private key.

    The password of an encrypted key is the content of ``SSLAUTH_KEY_PASSWORD``, or asked for in a terminal.

    Returns:
        The key, and its password; ``None`` for a key that is not encrypted.

    Raises:
        UsageError: no such file, no private key that cards can be signed with, or a wrong or no password.
    """
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _read(path)
    if b"PUBLIC KEY" in data:
        raise UsageError(f"{_named(path)} is a public key, which cannot sign", remedy="give the private key")
    password: bytes | None = None
    try:
        key = load_pem_private_key(data, None)
    except TypeError:  # cryptography's answer for "it is encrypted"
        password = _password(path)
        try:
            key = load_pem_private_key(data, password)
        except Exception as error:
            raise UsageError(f"cannot unlock {_named(path)}", remedy="check the password") from error
    except Exception as error:
        raise UsageError(f"{_named(path)} is not a private key in PEM", remedy=_MAKE_ONE) from error
    _of_supported_curve(key.public_key(), path)
    return key, password  # type: ignore[return-value]  # its curve is one of ours


def key_hint(key: "EllipticCurvePublicKey") -> str:
    """SHA-256 in hexadecimal of a public key in PEM, by which signatures name the key they were made with."""
    return hashlib.sha256(public_pem(key)).hexdigest()


def public_pem(key: "EllipticCurvePublicKey") -> bytes:
    """A public key as PEM."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _of_supported_curve(key: Any, path: Path) -> "EllipticCurvePublicKey":
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    if isinstance(key, EllipticCurvePublicKey) and key.curve.name in CURVES:
        return key
    raise UsageError(f"{_named(path)} is not an ECDSA key on {', '.join(CURVES.values())}", remedy=_MAKE_ONE)


def _password(path: Path) -> bytes:
    password = os.environ.get(PASSWORD)
    if password is None and sys.stdin is not None and sys.stdin.isatty():
        with suppress(EOFError):  # a terminal that was closed answers with nothing
            password = getpass.getpass(f"password of {_named(path)}: ")
    if not password:
        raise UsageError(
            f"{_named(path)} is encrypted", remedy=f"set {PASSWORD}, or sign in a terminal, which asks for it"
        )
    return password.encode()


def _read(path: Path) -> bytes:
    try:
        with open_bounded(path, MOST_KEY_BYTES) as (stream, size):
            return bytes(read_exactly(stream, size))
    except (FlawError, ValueError) as error:  # ValueError: a NUL character in the path
        reason = error.reason if isinstance(error, FlawError) else "not a usable path"
        raise UsageError(f"{_named(path)}: {reason}", remedy="name a key file in PEM") from None


def _named(path: Path) -> str:
    return quoted(str(path), longest=400)
