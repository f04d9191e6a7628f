"""Keys in files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)


@dataclass(frozen=True)
class KeyPair:
    """Files of a private key and its public part."""

    private: Path
    public: Path


def make_keys(folder: Path, *, key: Any = None, password: str | None = None) -> KeyPair:
    """A pair of keys in PEM files; ECDSA on P-256 unless a key is given."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password.encode())
    pair = KeyPair(folder / "key.pem", folder / "key.pub")
    pair.private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    pair.public.write_bytes(public)
    return pair
