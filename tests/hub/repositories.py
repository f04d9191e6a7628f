"""What stands on the shelf: folders that tests put into repositories."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree

from hf_integration.signing import statement as statements

REPO = "org/tiny"

README = b"""\
---
# written by hand
license: mit
tags: [speech,  'text']   # two of them
widget:
- text: |+
    Hello

---
# Tiny

It embeds.   \r
No newline at the end"""


@dataclass(frozen=True)
class Shelf:
    root: Path

    @property
    def encoder(self) -> Path:
        return self.root / "tiny"

    @property
    def card(self) -> Path:
        return self.root / "card"

    @property
    def altered(self) -> Path:
        return self.root / "altered"

    @property
    def attackers_card(self) -> Path:
        return self.root / "attackers-card"

    @property
    def readme(self) -> bytes:
        return README


def files_of(folder: Path, below: str = "") -> dict[str, bytes]:
    """All files of a folder, for a repository."""
    return {
        f"{below}{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def altered(encoder: Path, target: Path) -> Path:
    """A copy in which one weight differs."""
    from safetensors.torch import load_file, save_file

    file = Path(copytree(encoder, target)) / "model.safetensors"
    tensors = load_file(file)
    tensors["encoder.layer.1.output.dense.weight"][0, 0] += 0.5
    save_file(tensors, file, metadata={"format": "pt"})
    return target


def signature_over(card: Path, other: Mapping[str, bytes] | None = None, *, leave_out: str = "") -> bytes:
    """What says that it is a signature over a card's files; nobody made it with a key."""
    files = {path.name: path.read_bytes() for path in card.iterdir() if path.name != "card.sig"}
    files |= other or {}
    files.pop(leave_out, None)
    resources = [
        {"name": name, "algorithm": "sha256", "digest": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    ]
    statement = {
        "_type": statements.STATEMENT,
        "subject": [],
        "predicateType": statements.PREDICATE,
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256"},
            "resources": resources,
        },
    }
    envelope = {
        "payload": base64.b64encode(json.dumps(statement).encode()).decode(),
        "payloadType": statements.PAYLOAD_TYPE,
        "signatures": [{"sig": "AAAA", "keyid": ""}],
    }
    bundle = {
        "mediaType": statements.MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": "0"}, "tlogEntries": []},
        "dsseEnvelope": envelope,
    }
    return json.dumps(bundle).encode()
