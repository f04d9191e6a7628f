"""Checking a card's signature: who signed, and exactly these files."""

from pathlib import Path

from hf_integration.base.errors import FlawError, InconclusiveError, IntegrityError, SSLAuthError, in_one_line
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import CARD_FILE, SIGNATURE_FILE
from hf_integration.card import WatermarkCard
from hf_integration.signing.covered_files import COVERED, Copy, exact_copy
from hf_integration.signing.keys import key_hint, public_part, read_public_key
from hf_integration.signing.signers import KeySigner, Signer, require_extra, signer_from
from hf_integration.signing.statement import SignatureFile, read_signature

_AGAIN = "do not use this card: get it, or its signature, again from its publisher"


def load_signed_card(
    reference: str | Path, signer: str | Path | Signer, *, revision: str | None = None
) -> WatermarkCard:
    """Read a card and check that the signer vouches for it.

    Args:
        reference: as of :meth:`WatermarkCard.load`.
        signer: as of :func:`verify`.
        revision: branch, tag or commit of a Hub repo.

    Returns:
        The card, whose very bytes were signed.

    Raises:
        CardError: the card is damaged.
        CardNotFoundError: there is none.
        IntegrityError: it is not signed, by somebody else, or over other files.
        InconclusiveError: the Hub, or what Sigstore signatures are checked with, is out of reach.
        UsageError: no usable signer, or the extra ``sign`` is not installed.
    """
    from hf_integration.card.reading import locate, read_card

    require_extra()
    folder, location = locate(reference, revision=revision)
    card = read_card(folder, location=location)
    if verify(folder, signer) != card.digest:
        raise IntegrityError(f"{quoted(location, longest=400)} changed while it was read", remedy="try again")
    return card


def verify(folder: Path, signer: str | Path | Signer) -> str:
    """Check the signature ``card.sig`` over the card in a folder; other files there do not matter.

    Args:
        folder: holds the card's files, which may be links, and the signature.
        signer: who has to have signed: a public key file, or ``sigstore:IDENTITY@ISSUER``.

    Returns:
        The digest (``sha256:…``) of the card that was signed.

    Raises:
        CardError: a file of the card is missing or oversized.
        IntegrityError: the signature is missing, damaged, by somebody else, or over other files.
        InconclusiveError: Sigstore's trust root is out of reach.
        UsageError: no usable signer, or the extra ``sign`` is not installed.
    """
    by = signer if isinstance(signer, Signer) else signer_from(signer)
    if isinstance(by, KeySigner):
        public_part(by.public_key)  # a key that is missing is missing, whether or not the extra is there
    require_extra()
    hint = key_hint(read_public_key(by.public_key)) if isinstance(by, KeySigner) else None
    name = quoted(str(folder / SIGNATURE_FILE), longest=400)
    try:
        signature = read_signature(folder / SIGNATURE_FILE)
    except FlawError as flaw:
        raise IntegrityError(f"no usable signature by {by}: {name}: {_joined(flaw)}", remedy=_AGAIN) from None
    if signature.key_hint != hint:
        how = "with another key" if hint and signature.key_hint else "in another way"
        raise IntegrityError(f"{name} was not made by {by}, but {how}", remedy=_AGAIN)
    with exact_copy(folder) as copy:
        if wrong := _wrong_files(signature, copy):
            raise IntegrityError(f"{name} is not a signature of this card: {wrong}", remedy=_AGAIN)
        try:
            _check(copy, signature, by)
        except SSLAuthError:
            raise
        except Exception as error:  # the kinds of refusal of three libraries
            said = quoted(in_one_line(error))
            raise IntegrityError(
                f"{name} is not a valid signature by {by} ({said})", remedy=_AGAIN
            ) from error
        return f"sha256:{copy.digests[CARD_FILE]}"


def _joined(flaw: FlawError) -> str:
    return f"{flaw.field}: {flaw.reason}" if flaw.field else flaw.reason


def _wrong_files(signature: SignatureFile, copy: Copy) -> str:
    """How the list of signed files differs from the card's, or nothing."""
    for name in COVERED:
        if name not in signature.files:
            return f"it does not cover {name}"
        if signature.files[name] != copy.digests[name]:
            return f"{name} is not the file that was signed"
    more = sorted(set(signature.files) - set(COVERED))
    return f"it covers {quoted(more[0])} as well" if more else ""


def _check(copy: Copy, signature: SignatureFile, signer: Signer) -> None:
    """Let model-signing check the signature over the copied files."""
    from model_signing import hashing, verifying

    file = copy.beside / SIGNATURE_FILE
    file.write_bytes(signature.to_bytes())
    config = verifying.Config()
    if isinstance(signer, KeySigner):
        config.use_elliptic_key_verifier(public_key=signer.public_key)
    else:
        try:
            config.use_sigstore_verifier(identity=signer.identity, oidc_issuer=signer.issuer)
        except Exception as error:
            raise InconclusiveError(
                f"the signature by {signer} cannot be checked: {quoted(in_one_line(error))}",
                remedy="checking Sigstore signatures needs a network; a key needs none",
            ) from error
    # said and not guessed: a signature must not decide how the files are hashed, or which are left out
    config.set_hashing_config(hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False))
    config.verify(copy.folder, file)
