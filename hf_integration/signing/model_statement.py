"""Reading ``model.sig``: which files it states, and by which way of signing; not yet whether it is genuine.

Sigstore bundles by model-signing 0.2 to 1.1 are read. model-signing itself passes over what it does not know,
so everything that none of these releases writes is refused here.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from hf_integration.base import strict_json
from hf_integration.base.errors import FlawError
from hf_integration.base.files import open_bounded, read_exactly
from hf_integration.base.text import is_plain, quoted
from hf_integration.signing.statement import (
    PREDICATE,
    STATEMENT,
    payload_of,
    with_keys,
)

MOST_BYTES = 16 << 20
"""Of a signature; one of 20,000 files takes five."""

MOST_FILES = 20_000

Scheme = Literal["key", "certificate", "sigstore"]

OLD_PREDICATE = "https://model_signing/Digests/v0.1"
"""Of release 0.2, in which every file is a subject."""

HASHES = {"sha256": "sha256", "blake2b": "blake2", "blake3": "blake3"}
"""Hashes as signatures name them, and as model-signing is asked for them."""

WHOLE = "."
"""What a signature calls the file if a single file was signed, and no folder."""

_HEX = re.compile(r"(?:[0-9a-f]{2}){32,64}")
_SHARD = re.compile(r"(.+):(\d{1,18}):(\d{1,18})", re.DOTALL)


@dataclass(frozen=True)
class ModelStatement:
    """A signature of a model as it was read; that it is genuine is not said here.

    Attributes:
        bundle: the whole file as JSON values.
        scheme: how it was made.
        items: name of a file, or of a piece of one (``name:start:end``) -> digest in hexadecimal.
        hash: the hash of the digests, one of :data:`HASHES`.
        shard: bytes of a piece; ``None`` where files are hashed whole.
        single: name of the file where a single file was signed, which ``items`` calls ``.``.
    """

    bundle: Mapping[str, Any]
    scheme: Scheme
    items: Mapping[str, str]
    hash: str = "sha256"
    shard: int | None = None
    single: str | None = None

    @property
    def algorithm(self) -> str:
        """What the signature calls the hash of each item."""
        return self.hash if self.shard is None else f"{self.hash}-sharded-{self.shard}"

    @property
    def files(self) -> frozenset[str]:
        """Names of the files that it covers."""
        if self.single is not None:
            return frozenset({self.single})
        return frozenset(self.items if self.shard is None else (self.file_of(item) for item in self.items))

    def file_of(self, item: str) -> str:
        """Name of the file that an item is, or is a piece of."""
        if self.single is not None:
            return self.single
        return item if self.shard is None else item.rsplit(":", 2)[0]

    @property
    def material(self) -> Mapping[str, Any]:
        """What the signature can be checked with."""
        found: Mapping[str, Any] = self.bundle["verificationMaterial"]
        return found

    def to_bytes(self) -> bytes:
        """The file again, from what was read of it."""
        return json.dumps(self.bundle, separators=(",", ":")).encode()


def read_model_signature(path: Path) -> ModelStatement:
    """Read a signature file.

    Raises:
        FlawError: it is missing, too large, or nothing that model-signing writes.
    """
    with open_bounded(path, MOST_BYTES) as (stream, size):
        data = bytes(read_exactly(stream, size))
    bundle = strict_json.parse(data, longest=len(data))
    payload = payload_of(bundle)
    statement = strict_json.parse(payload, most_values=8 * MOST_FILES, longest=len(payload))
    with_keys("statement", statement, {"_type", "subject", "predicateType", "predicate"})
    if statement["_type"] != STATEMENT:
        raise FlawError("statement._type", f"not {STATEMENT}")
    scheme = _scheme(bundle["verificationMaterial"])
    if not isinstance(statement["subject"], list) or not 0 < len(statement["subject"]) <= MOST_FILES:
        raise FlawError("subject", f"not a list of 1 to {MOST_FILES}")
    if statement["predicateType"] == OLD_PREDICATE:
        return ModelStatement(bundle, scheme, _subjects(statement["subject"]))
    if statement["predicateType"] != PREDICATE:
        raise FlawError("predicateType", "not a model signature of version 0.2 or 1.0")
    return _of_version_1(bundle, scheme, statement)


def _scheme(material: Any) -> Scheme:
    """How a signature was made, by what comes with it.

    Raises:
        FlawError: in no way that is known.
    """
    name = "verificationMaterial"
    if not isinstance(material, dict):
        raise FlawError(name, "not an object")
    keys = set(material) - {"tlogEntries"}
    logged = material.get("tlogEntries", [])
    if keys == {"publicKey"} and logged == []:
        return "key"
    if keys == {"x509CertificateChain"} and logged == []:
        return "certificate"
    if "certificate" in keys and keys <= {"certificate", "timestampVerificationData"} and logged:
        return "sigstore"
    raise FlawError(name, f"an unknown way of signing ({', '.join(sorted(map(str, material))) or 'none'})")


def _of_version_1(bundle: Any, scheme: Scheme, statement: Any) -> ModelStatement:
    predicate, subject = statement["predicate"], statement["subject"][0]
    with_keys("predicate", predicate, {"serialization", "resources"})
    with_keys("subject", subject, {"name", "digest"})
    serialization = predicate["serialization"]
    if not isinstance(serialization, dict) or serialization.get("method") not in ("files", "shards"):
        raise FlawError("predicate.serialization", "neither files nor shards")
    if (hashed := serialization.get("hash_type")) not in HASHES:
        raise FlawError("predicate.serialization.hash_type", "not a hash that is known")
    shard = _shard_size(serialization) if serialization["method"] == "shards" else None
    signed = ModelStatement(bundle, scheme, {}, hashed, shard)
    resources = predicate["resources"]
    if not isinstance(resources, list) or not 0 < len(resources) <= 8 * MOST_FILES:
        raise FlawError("predicate.resources", "not a list of files")
    items: dict[str, str] = {}
    for resource in resources:
        with_keys("predicate.resources", resource, {"name", "algorithm", "digest"})
        if resource["algorithm"] != signed.algorithm:
            raise FlawError("predicate.resources.algorithm", f"not {signed.algorithm}")
        _add(items, resource["name"], resource["digest"], sharded=shard is not None)
    single = None
    if WHOLE in items:
        if len(items) > 1 or shard is not None:
            raise FlawError("predicate.resources", "a single file, and others")
        single = subject["name"]
        _check_name(single)
        if "/" in single:
            raise FlawError("subject.name", "not the name of a file")
    return replace(signed, items=items, single=single)


def _shard_size(serialization: Mapping[str, Any]) -> int:
    size: Any = serialization.get("shard_size")
    # model-signing writes it as a floating-point number
    if type(size) not in (int, float) or not 0 < size < 1 << 50 or size != int(size):
        raise FlawError("predicate.serialization.shard_size", "not a number of bytes")
    return int(size)


def _subjects(subjects: Any) -> dict[str, str]:
    items: dict[str, str] = {}
    for subject in subjects:
        digest = subject.get("digest") if isinstance(subject, dict) else None
        if not isinstance(digest, dict) or set(digest) != {"sha256"}:
            raise FlawError("subject", "not a name and a SHA-256")
        _add(items, subject.get("name"), digest["sha256"], sharded=False)
    return items


def _add(items: dict[str, str], name: Any, digest: Any, *, sharded: bool) -> None:
    if not isinstance(digest, str) or not _HEX.fullmatch(digest):
        raise FlawError("predicate.resources.digest", "not a digest in hexadecimal")
    found = _SHARD.fullmatch(name) if sharded and isinstance(name, str) else None
    if sharded and (found is None or int(found[2]) > int(found[3])):
        raise FlawError("predicate.resources.name", "not a piece of a file")
    if name != WHOLE:
        _check_name(name if found is None else found[1])
    if name in items:
        raise FlawError("predicate.resources.name", f"{quoted(name)} is listed twice")
    items[name] = digest


def _check_name(name: Any) -> None:
    """Refuse what is no file below a folder, or is written in another way than files are listed."""
    if not isinstance(name, str) or not name or len(name) > 4096 or not is_plain(name):
        raise FlawError("predicate.resources.name", "not the name of a file")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path.as_posix() != name or "\\" in name or name == WHOLE:
        raise FlawError("predicate.resources.name", f"{quoted(name)} is not a file below the folder")
