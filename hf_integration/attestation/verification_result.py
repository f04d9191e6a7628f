"""The statement: an in-toto Statement v1 with a Simple Verification Result, and the whole verdict beside it.

https://github.com/in-toto/attestation/blob/main/spec/predicates/svr.md, version 0.2. Its ``properties`` name
what was found good, so an encoder that is not authentic has none: whoever ignores the rest denies it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from hf_integration.base.strict_json import strict_json
from hf_integration.signing.envelope import seal
from hf_integration.signing.statement import STATEMENT
from hf_integration.snapshot import Snapshot, digest_of_all, digests_of, in_order, needed_files
from hf_integration.verdict import Trust, Verdict

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

PREDICATE = "https://in-toto.io/attestation/svr/v0.2"

VERIFIER = "https://github.com/pytest-sslauth/pytest-sslauth/attestation/v1"
"""Who verified, in the version in which these properties mean what they mean."""

VERDICT = "sslauthVerdict"
"""Extension field of the predicate, which other consumers ignore."""

AUTHENTIC = "SSLAUTH_AUTHENTIC"
WHOLE = "SSLAUTH_ALL_KEY_SAMPLES"
PUBLISHED = "SSLAUTH_PUBLISHER_SIGNED"
_TRUST: Mapping[Trust, str] = {"pinned": "SSLAUTH_CARD_PINNED", "signed": "SSLAUTH_CARD_SIGNED"}


@dataclass(frozen=True)
class AttestedFiles:
    """The files that an encoder was loaded from.

    Attributes:
        name: what it is called: an entry, a repo id, or the name of a folder; no path of this machine.
        digests: name -> SHA-256 in hexadecimal, in the order in which model-signing counts files.
        uri: package URL of a Hub repository at its commit.
    """

    name: str
    digests: Mapping[str, str]
    uri: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 in hexadecimal of them all, as model-signing names a model by it."""
        return digest_of_all(self.digests)


@dataclass(frozen=True)
class Attestation:
    """What somebody attests.

    Attributes:
        verdict: what came of the check.
        properties: what was found good; empty unless the verdict is authentic.
        created: when, as it is written: ``2030-01-31T12:00:00Z``.
        files: of what.
        policies: name -> SHA-256 in hexadecimal, of what it was checked by.
    """

    verdict: Verdict
    properties: tuple[str, ...]
    created: str
    files: AttestedFiles
    policies: Mapping[str, str]


def properties_of(verdict: Verdict) -> tuple[str, ...]:
    """What may be attested as found good: nothing of an encoder that is not authentic, waived or not."""
    if not verdict.authentic:
        return ()
    whole = () if verdict.partial else (WHOLE,)
    vouched = {verdict.trust, *(["signed"] if verdict.signers else [])}  # a card may be pinned and signed
    trust = (said for reason, said in _TRUST.items() if reason in vouched)
    signed = (PUBLISHED,) if verdict.publisher is not None and verdict.publisher.verified else ()
    return (AUTHENTIC, *whole, *trust, *signed)


def files_of(snapshot: Snapshot, name: str) -> AttestedFiles:
    """Hash the files that an encoder is loaded from.

    Args:
        snapshot: where they are.
        name: what the encoder is called.

    Raises:
        EncoderError: a file cannot be read.
    """
    uri = None if snapshot.repo is None else package_url(snapshot.repo, snapshot.commit)
    # of a repository, hidden files may be listed; an encoder needs none, and in a folder none count
    names = [file for file in needed_files(snapshot) if not PurePosixPath(file).name.startswith(".")]
    return AttestedFiles(name, digests_of(snapshot.path, names), uri)


def package_url(repo: str, commit: str | None) -> str:
    """A Hub repository as a package URL: ``pkg:huggingface/org/name@commit``."""
    return f"pkg:huggingface/{repo}" + ("" if commit is None else f"@{commit.lower()}")


def attest(
    verdict: Verdict,
    files: AttestedFiles,
    key: "EllipticCurvePrivateKey",
    *,
    policies: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> bytes:
    """Attest a verdict, whatever it is; an encoder that is not authentic is not attested as one.

    Args:
        verdict: what came of the check.
        files: what was checked.
        key: who attests it.
        policies: name -> SHA-256 in hexadecimal, of files that it was checked by besides the card.
        now: the time, by default that of the clock.

    Returns:
        The content of the file: a signed envelope.
    """
    created = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    card = {"card.json": verdict.card.digest.removeprefix("sha256:")}
    attestation = Attestation(verdict, properties_of(verdict), created, files, card | dict(policies or {}))
    return seal(strict_json(_statement(attestation), one_line=True).encode(), key)


def _statement(attestation: Attestation) -> dict[str, Any]:
    files = attestation.files
    whole = {"name": files.name, "digest": {"sha256": files.digest}}
    return {
        "_type": STATEMENT,
        "subject": [
            whole if files.uri is None else {**whole, "uri": files.uri},
            *(_described(name, files.digests[name]) for name in in_order(files.digests)),
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "verifier": {
                "id": VERIFIER,
                "policies": [_described(name, digest) for name, digest in attestation.policies.items()],
            },
            "timeCreated": attestation.created,
            "properties": list(attestation.properties),
            VERDICT: attestation.verdict.to_dict(),
        },
    }


def _described(name: str, sha256: str) -> dict[str, Any]:
    """A resource descriptor."""
    return {"name": name, "digest": {"sha256": sha256}}
