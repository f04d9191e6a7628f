"""Signing a card."""

import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.errors import InconclusiveError, IntegrityError, OutputError, UsageError, in_one_line
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import CARD_FILE, SIGNATURE_FILE
from hf_integration.card.reading import locate, read_card
from hf_integration.signing.covered_files import Copy, exact_copy
from hf_integration.signing.keys import key_hint, public_pem, read_private_key
from hf_integration.signing.signers import SIGSTORE, KeySigner, require_extra
from hf_integration.signing.verification import verify

if TYPE_CHECKING:
    from model_signing import signing


@dataclass(frozen=True)
class Signed:
    """A signature that lies beside its card.

    Attributes:
        card_digest: ``sha256:…`` of the card.
        path: the signature.
        fingerprint: ``sha256:…`` of the public key in PEM, or an empty string for Sigstore.
        is_new: whether it was made just now; one by the same key over the same card stays as it is.
    """

    card_digest: str
    path: Path
    fingerprint: str
    is_new: bool


def sign(folder: str | Path, key: str | Path, *, force: bool = False) -> Signed:
    """Sign the card in a folder; the signature is ``card.sig`` beside it.

    Args:
        folder: holds the card, which is validated first.
        key: file of a private key; its password comes from ``SSLAUTH_KEY_PASSWORD`` or is asked for in a
            terminal. ``"sigstore"`` for an identity instead, which needs a network and a browser or a CI job.
        force: replace a signature by another signer, or over an earlier card.

    Raises:
        CardError: the card is damaged.
        CardNotFoundError: there is none.
        InconclusiveError: Sigstore did not sign.
        OutputError: another signature lies there, or the file system refuses.
        UsageError: no usable key, the extra ``sign`` is not installed, or a private card for Sigstore.
    """
    require_extra()
    from model_signing import signing

    public, password = None, None
    if str(key) != SIGSTORE:
        private, password = read_private_key(Path(key))
        public = private.public_key()
    found, location = locate(Path(folder), revision=None)
    card = read_card(found, location=location)
    if card.secret and public is None:
        raise UsageError(
            "Sigstore keeps a public log of what it signs, and this card is private",
            remedy="sign it with a key, or not at all",
        )
    target = found / SIGNATURE_FILE
    with exact_copy(found) as copy:
        if f"sha256:{copy.digests[CARD_FILE]}" != card.digest:
            raise IntegrityError(
                f"{quoted(location, longest=400)} changed while it was read", remedy="try again"
            )
        fingerprint = ""
        if public is not None:
            fingerprint = f"sha256:{key_hint(public)}"
            own = KeySigner(copy.beside / "key.pub")
            own.public_key.write_bytes(public_pem(public))
            if os.path.lexists(target) and _is_by(own, found):
                return Signed(card.digest, target, fingerprint, is_new=False)
        if os.path.lexists(target) and not force:
            raise OutputError(
                f"{quoted(str(target))} exists already, by another signer or for an earlier card",
                remedy="`sslauth sign --force` replaces it",
            )
        if public is None:
            signature = _through_sigstore(copy)
        else:
            config = signing.Config().use_elliptic_key_signer(
                private_key=Path(key),
                password=password,  # bytes: it is annotated as str, which cryptography refuses
            )
            signature = _signature(config, copy)
    _put(target, signature, like=found / CARD_FILE)
    return Signed(card.digest, target, fingerprint, is_new=True)


def _is_by(signer: KeySigner, folder: Path) -> bool:
    try:
        verify(folder, signer)
    except IntegrityError:
        return False
    return True


def _through_sigstore(copy: Copy) -> bytes:
    from model_signing import signing

    try:
        return _signature(signing.Config().use_sigstore_signer(use_ambient_credentials=True), copy)
    except Exception as error:  # a network, a browser and three services take part
        raise InconclusiveError(
            f"Sigstore did not sign: {quoted(in_one_line(error))}",
            remedy="it needs a network; a key needs none",
        ) from error


def _signature(config: "signing.Config", copy: Copy) -> bytes:
    from model_signing import hashing

    file = copy.beside / SIGNATURE_FILE
    config.set_hashing_config(hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False))
    config.sign(copy.folder, file)
    return file.read_bytes()


def _put(target: Path, data: bytes, *, like: Path) -> None:
    """Write the signature whole or not at all; whoever may read the card may read it."""
    if os.path.lexists(target) and not stat.S_ISREG(target.lstat().st_mode):
        raise OutputError(f"{quoted(str(target))} is no regular file", remedy="remove it")
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(stat.S_IMODE(like.stat().st_mode) & 0o666)
            Path(name).replace(target)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        shown = quoted(str(target), longest=400)
        raise OutputError(f"cannot write {shown}: {error.strerror or error}") from error
