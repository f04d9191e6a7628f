"""Making a bundle: what lies in it is what was checked, because the copies themselves are checked."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hf_integration.authentication.trust import trust_beside
from hf_integration.base.errors import (
    AdvertisedCardMissingError,
    CardNotFoundError,
    EncoderError,
    IntegrityError,
    OutputError,
    UsageError,
    in_one_line,
)
from hf_integration.base.output_files import staging, sync_folder, write_file
from hf_integration.base.progress import Progress
from hf_integration.base.text import quoted
from hf_integration.bundle.card_copy import copy_card, read_copy
from hf_integration.bundle.encoder_files import copy_files, needed_files
from hf_integration.bundle.layout import CARD, ENCODER, PINS, SIGNER, bundle_name, pins
from hf_integration.card import WatermarkCard
from hf_integration.card.locating import locate
from hf_integration.card.reading import read_card
from hf_integration.checking.subject import Subject
from hf_integration.encoders.files.folder import inspect_folder, require_support
from hf_integration.encoders.opening import open_encoder
from hf_integration.hub import PublishedCard, published_card
from hf_integration.signing import Signer, SigstoreSigner
from hf_integration.signing.keys import public_pem, read_public_key
from hf_integration.snapshot import Snapshot, resolve
from hf_integration.verdict import Trust, Verdict


@dataclass(frozen=True, kw_only=True)
class BundleRequest:
    """What to bundle.

    Attributes:
        encoder: a local folder or a Hub repo id.
        out: the folder to make; nothing may lie there.
        name: what the encoder is called in the bundle; by default the last part of ``encoder``.
        revision: branch, tag or commit of a Hub repo.
        card: folder or Hub repo id of the card; by default the one that lies with the encoder.
        card_digest: ``sha256:…`` that the card must have, if it is pinned.
        signer: who has to have signed the card; a key, as a bundle is checked without a network.
        accept_self_asserted: accept a card that only the bundled repository vouches for.
    """

    encoder: str
    out: Path
    name: str | None = None
    revision: str | None = None
    card: str | Path | None = None
    card_digest: str | None = None
    signer: Signer | None = None
    accept_self_asserted: bool = False


@dataclass(frozen=True)
class Bundled:
    """What came of it.

    Attributes:
        verdict: of the encoder's copy.
        name: what the encoder is called in the bundle.
        files: names of the files in the bundle; none if the encoder was not found authentic.
        bytes: their size together.
    """

    verdict: Verdict
    name: str
    files: tuple[str, ...] = ()
    bytes: int = 0


def make_bundle(
    request: BundleRequest,
    *,
    device: str | None = None,
    token: str | None = None,
    cache_dir: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
    progress: Progress | None = None,
) -> Bundled:
    """Bundle an encoder with its card, if it is authentic.

    Everything is copied to a temporary folder beside the output, loaded from there and checked, and takes the
    output's name only then.

    Args:
        request: what to bundle.
        device: where the encoder is checked.
        token: Hub token.
        cache_dir: Hub cache.
        say: told what is done.
        progress: told how many key samples are done.

    Returns:
        The verdict, and the files of the bundle if there is one.

    Raises:
        CardNotFoundError: there is no card.
        EncoderError: the encoder cannot be loaded from the files that a bundle holds.
        InconclusiveError: the Hub could not be asked.
        IntegrityError: the card is damaged, not the pinned one, or not signed by the signer.
        OutputError: something lies at the output, or there is no room.
        UsageError: an unusable name or signer.
    """
    name = bundle_name(request.encoder, request.name)
    target = _free(request.out)
    key = _public_key(request.signer)
    named = None if _means_own_card(request) else request.card
    found = None if named is None else locate(named, revision=None)
    say(f"bundling {request.encoder} ...")
    snapshot = resolve(
        request.encoder,
        revision=request.revision,
        token=token,
        cache_dir=cache_dir,
        refuse=require_support,
    )
    inspect_folder(snapshot.path)  # what cannot be loaded is said of the folder that the caller knows
    published: PublishedCard | None = None
    if found is not None:
        folder, location = found
    else:
        folder, location, published = _own_card(snapshot, token=token, cache_dir=cache_dir)
    original = read_card(folder, location=location)
    say(f"card: {location}")
    if original.secret:
        say("it is a private card: the bundle is as secret as the card, for its owner only")
    if request.card_digest not in (None, original.digest):
        raise IntegrityError(
            f"the card at {quoted(location)} is {original.digest}, but {request.card_digest} is pinned",
            remedy="leave --card out; if the card was replaced on purpose, run `sslauth lock`",
        )
    trust = _trust(request, original, snapshot)
    with _explained(request.out), staging(target, secret=original.secret) as place:
        copy_files(snapshot, needed_files(snapshot), place / ENCODER)
        copy_card(folder, place / CARD, secret=original.secret)
        if key is not None:
            write_file(place / SIGNER, key, secret=False)
        card = read_copy(place, original, signed=key is not None)
        say("checking the copy ...")
        verdict = _check(place / ENCODER, card, request, snapshot, trust, published, device, progress)
        if not verdict.authentic:
            return Bundled(verdict, name)
        # where a folder lay on this machine is nobody's business
        origin = quoted(f"{snapshot.repo} @{snapshot.commit}" if snapshot.repo else "a local folder")
        text = pins(name, card_digest=card.digest, signed=key is not None, origin=origin)
        write_file(place / PINS, text.encode(), secret=False)
        made = sorted(place.rglob("*"))
        for folder_made in (place, *(path for path in made if path.is_dir())):
            sync_folder(folder_made)
        sizes = {path.relative_to(place).as_posix(): path.stat().st_size for path in made if path.is_file()}
        _free(request.out)  # the check took a while
        place.rename(target)
        sync_folder(target.parent)
    return Bundled(verdict, name, tuple(sizes), sum(sizes.values()))


def _check(
    folder: Path,
    card: WatermarkCard,
    request: BundleRequest,
    snapshot: Snapshot,
    trust: Trust,
    published: PublishedCard | None,
    device: str | None,
    progress: Progress | None,
) -> Verdict:
    """The verdict of the copy; the encoder is let go of with it: a mapped file cannot be moved everywhere."""
    try:
        encoder = open_encoder(
            folder,
            name=request.encoder,
            commit=snapshot.commit,
            device=device,
            preferred=card.encoder.modality,
        )
        subject = Subject(encoder, card, trust, published=published)
        accept = request.accept_self_asserted
        return subject.authenticate(accept_self_asserted=accept, progress=progress).verdict
    except OSError as error:  # of a library, and not of the file system that the bundle is written to
        raise EncoderError(f"the encoder's copy cannot be loaded: {quoted(in_one_line(error))}") from error


def _free(out: Path) -> Path:
    """Where the bundle is made, once it is known that nothing lies there."""
    shown = quoted(str(out), longest=400)
    try:
        target = out.resolve()
        taken = os.path.lexists(out) or os.path.lexists(target)
    except (OSError, RuntimeError, ValueError) as error:
        raise OutputError(f"not a usable path: {shown}") from error
    if taken:
        raise OutputError(f"{shown} exists already", remedy="choose another output")
    return target


def _public_key(signer: Signer | None) -> bytes | None:
    if signer is None:
        return None
    if isinstance(signer, SigstoreSigner):
        raise UsageError(
            "Sigstore signatures are checked with a network, which a bundle is to do without",
            remedy="name a public key, or leave --signer out",
        )
    return public_pem(read_public_key(signer.public_key))


def _means_own_card(request: BundleRequest) -> bool:
    """Whether the card's place is the encoder's repository, named once more."""
    card, encoder = request.card, request.encoder
    if not isinstance(card, str) or card.casefold() != encoder.casefold():
        return False
    return not os.path.lexists(encoder) and not os.path.lexists(card)


def _own_card(
    snapshot: Snapshot, *, token: str | None, cache_dir: Path | None
) -> tuple[Path, str, PublishedCard | None]:
    """Folder and location of the encoder's own card, and what the model card of its repository claims."""
    try:
        if snapshot.repo is None or snapshot.commit is None:
            return *locate(snapshot.path, revision=None), None
        published = published_card(snapshot.repo, snapshot.commit, token=token, cache_dir=cache_dir)
        return published.folder, published.card.location, published
    except AdvertisedCardMissingError:
        raise
    except CardNotFoundError as error:
        raise CardNotFoundError(
            f"no watermark card lies with {quoted(snapshot.repo or str(snapshot.path))}",
            remedy="name one with --card, or mint one from a copy that you trust with 'sslauth mint'",
        ) from error


def _trust(request: BundleRequest, card: WatermarkCard, snapshot: Snapshot) -> Trust:
    """Trust in the card where it came from: beside its copy every card would look trusted."""
    if request.card_digest is not None:
        return "pinned"
    return "signed" if request.signer is not None else trust_beside(card, snapshot.path)


@contextmanager
def _explained(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {quoted(str(out), longest=400)}: {error.strerror or type(error).__name__}",
            remedy="choose another output",
        ) from error
