"""Checking ``model.sig``: who signed an encoder's files, and that these are the files that were signed."""

import contextlib
import io
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hf_integration.base.errors import (
    EncoderError,
    FlawError,
    InconclusiveError,
    IntegrityError,
    SSLAuthError,
    in_one_line,
)
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import MODEL_SIGNATURE
from hf_integration.signing.model_material import check_material, sigstore_trust
from hf_integration.signing.model_statement import HASHES, WHOLE, ModelStatement, Scheme, read_model_signature
from hf_integration.signing.signers import CertificateSigner, KeySigner, Publisher, require_extra

_AGAIN = "do not use this encoder: get it, or its signature, again from its publisher"

_SCHEMES: dict[type[Publisher], Scheme] = {KeySigner: "key", CertificateSigner: "certificate"}
_MADE: dict[Scheme, str] = {
    "key": "with a key",
    "certificate": "with a certificate",
    "sigstore": "through Sigstore",
}


def check_model(folder: Path, publisher: Publisher, *, needed: Iterable[str] = ()) -> ModelStatement:
    """Check the signature ``model.sig`` over the files beside it.

    Every file that is there and was signed has to be the one that was signed, and every file that is needed
    has to be among them. Files that were signed and are not there do not matter, unless they are needed: who
    loads an encoder from the Hub fetches a part of the repository.

    Args:
        folder: holds the files, which may be links, and the signature.
        publisher: who has to have signed.
        needed: names of files that have to be signed.

    Returns:
        What was signed.

    Raises:
        IntegrityError: the signature is missing, damaged, by somebody else, or over other files.
        InconclusiveError: there is no root of trust for Sigstore here.
        UsageError: no usable publisher, or the extra ``sign`` is not installed.
    """
    require_extra()
    name = quoted(str(folder / MODEL_SIGNATURE), longest=400)
    try:
        signed = read_model_signature(folder / MODEL_SIGNATURE)
    except FlawError as flaw:
        raise IntegrityError(f"no usable signature by {publisher}: {name}: {flaw}", remedy=_AGAIN) from None
    if signed.scheme != _SCHEMES.get(type(publisher), "sigstore"):
        raise IntegrityError(f"{name} was not made by {publisher}, but {_MADE[signed.scheme]}", remedy=_AGAIN)
    try:
        check_material(signed, publisher)
        with _config(publisher) as config:
            _check_signature(config, signed)
        wrong = _wrong_file(folder, signed, needed)
    except SSLAuthError:
        raise
    except OSError as error:
        raise EncoderError(
            f"the files that {name} covers cannot be read: {error.strerror or type(error).__name__}",
            remedy="check the folder, and that there is room for temporary files",
        ) from error
    except FlawError as flaw:
        raise IntegrityError(
            f"{name} is not a valid signature by {publisher}: {flaw}", remedy=_AGAIN
        ) from None
    except Exception as error:  # the kinds of refusal of four libraries
        said = quoted(in_one_line(error))
        raise IntegrityError(
            f"{name} is not a valid signature by {publisher} ({said})", remedy=_AGAIN
        ) from error
    if wrong:
        raise IntegrityError(f"{name} is not a signature of this encoder: {wrong}", remedy=_AGAIN)
    return signed


@contextlib.contextmanager
def _config(publisher: Publisher) -> Iterator[Any]:
    """model-signing, set to one publisher."""
    from model_signing import verifying

    config = verifying.Config()
    if isinstance(publisher, KeySigner):
        yield config.use_elliptic_key_verifier(public_key=publisher.public_key)
    elif isinstance(publisher, CertificateSigner):
        yield config.use_certificate_verifier(certificate_chain=[publisher.roots])
    else:
        with tempfile.TemporaryDirectory(prefix="sslauth-", ignore_cleanup_errors=True) as place:
            trust = Path(place) / "trust.json"
            try:
                trust.write_bytes(sigstore_trust())
                config.use_sigstore_verifier(
                    identity=publisher.identity, oidc_issuer=publisher.issuer, trust_config=trust
                )
            except Exception as error:
                raise InconclusiveError(
                    f"the signature by {publisher} cannot be checked: {quoted(in_one_line(error))}",
                    remedy="upgrade the package sigstore",
                ) from error
            yield config


class _AsRead:
    """Stands in for hashing: what model-signing read of a signature has to be what was read of it here.

    Whether the files are those that were signed is asked afterwards, of those that are there.
    """

    def __init__(self, signed: ModelStatement) -> None:
        self._read = {name: (signed.algorithm, digest) for name, digest in signed.items.items()}

    def hash(self, *_: object, **__: object) -> "_AsRead":
        return self

    def add_ignored_paths(self, **_: object) -> None:
        """A signature has no say in which files are compared."""

    def __eq__(self, manifest: Any) -> bool:
        found = {one.identifier: one.digest for one in manifest.resource_descriptors()}
        return self._read == {name: (digest.algorithm, digest.digest_hex) for name, digest in found.items()}

    __hash__ = None  # type: ignore[assignment]


def _check_signature(config: Any, signed: ModelStatement) -> None:
    config.set_hashing_config(_AsRead(signed))
    with tempfile.TemporaryDirectory(prefix="sslauth-", ignore_cleanup_errors=True) as place:
        file = Path(place) / MODEL_SIGNATURE
        file.write_bytes(signed.to_bytes())
        # of an older form it prints a warning into the result
        with contextlib.redirect_stdout(io.StringIO()):
            config.verify(Path(place), file)


def _wrong_file(folder: Path, signed: ModelStatement, needed: Iterable[str]) -> str:
    """How the files differ from those that were signed, or nothing."""
    for name in sorted(needed):
        if name not in signed.files:
            return f"it does not cover {quoted(name)}"
        if not (folder / name).is_file():
            return f"{quoted(name)} is missing"
    here = sorted(name for name in signed.files if (folder / name).is_file())
    if not here:
        return "none of the files that were signed is here"
    found = _digests(folder, here, signed)
    for name in here:
        pieces = {item: digest for item, digest in signed.items.items() if signed.file_of(item) == name}
        if {item: digest for item, digest in found.items() if signed.file_of(item) == name} != pieces:
            return f"{quoted(name)} is not the file that was signed"
    return ""


def _digests(folder: Path, names: Iterable[str], signed: ModelStatement) -> dict[str, str]:
    """Digests of files as the signature counts them."""
    from model_signing import hashing

    config = hashing.Config()
    if signed.shard is None:
        config.use_file_serialization(hashing_algorithm=HASHES[signed.hash])
    else:
        config.use_shard_serialization(hashing_algorithm=HASHES[signed.hash], shard_size=signed.shard)
    config.set_allow_symlinks(True)  # the Hub's cache is made of them
    config.set_ignored_paths(paths=[], ignore_git_paths=False)
    if signed.single is not None:
        file = folder / signed.single
        (found,) = config.hash(file, files_to_hash=[file]).resource_descriptors()
        return {WHOLE: found.digest.digest_hex}
    manifest = config.hash(folder, files_to_hash=[folder / name for name in names])
    return {one.identifier: one.digest.digest_hex for one in manifest.resource_descriptors()}
