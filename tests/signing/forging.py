"""Signatures that are genuine and wrong: made with model-signing itself, or edited and signed again."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from model_signing import hashing, signing

Edit = Callable[[Any], object]


def sign_plainly(folder: Path, private: Path, *, ignoring: tuple[str, ...] = (), **how: Any) -> Path:
    """What a publisher gets who calls model-signing on a folder, with whatever lies in it."""
    config = hashing.Config()
    config = (
        config.use_shard_serialization(**how) if "shard_size" in how else config.use_file_serialization(**how)
    )
    file = folder / "card.sig"
    config.set_ignored_paths(paths=["card.sig", *ignoring], ignore_git_paths=True)
    signer = signing.Config().use_elliptic_key_signer(private_key=private).set_hashing_config(config)
    signer.sign(folder, file)
    return file


def edit_bundle(file: Path, edit: Edit) -> None:
    """Change the JSON of a signature."""
    bundle = json.loads(file.read_bytes())
    edit(bundle)
    file.write_text(json.dumps(bundle))


def edit_statement(file: Path, private: Path, edit: Edit) -> None:
    """Change what is signed, and sign it again with the key."""

    def again(bundle: Any) -> None:
        envelope = bundle["dsseEnvelope"]
        statement = json.loads(base64.b64decode(envelope["payload"]))
        edit(statement)
        sign_payload(bundle, private, json.dumps(statement).encode())

    edit_bundle(file, again)


def sign_payload(bundle: Any, private: Path, payload: bytes) -> None:
    """Put any bytes into a bundle, with a genuine signature over them."""
    envelope = bundle["dsseEnvelope"]
    kind = envelope["payloadType"].encode()
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    key = load_pem_private_key(private.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    envelope["payload"] = base64.b64encode(payload).decode()
    envelope["signatures"][0]["sig"] = base64.b64encode(key.sign(message, ec.ECDSA(hashes.SHA256()))).decode()
