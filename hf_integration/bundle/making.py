"""Making a bundle: what lies in it is what was checked, because the copies themselves are checked."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hf_integration.authentication.trust import trust_beside
from hf_integration.base.errors import (
    EncoderError,
    UsageError,
    in_one_line,
)
from hf_integration.base.output_files import free_folder, in_words, staging, sync_folder, write_file
from hf_integration.base.progress import Progress
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import MODEL_SIGNATURE
from hf_integration.bundle.card_copy import copy_card, read_copy
from hf_integration.bundle.layout import CARD, ENCODER, PINS, PUBLISHER, SIGNER, bundle_name, pins
from hf_integration.checking.finding import Asked, Found, Project
from hf_integration.checking.held_card import Access, HeldCard, check_place, hold_card
from hf_integration.checking.subject import own_commit, subject_around
from hf_integration.checking.upstream import commit_on_the_hub
from hf_integration.encoders.files.folder import inspect_folder, require_support
from hf_integration.encoders.opening import open_encoder
from hf_integration.signing import CertificateSigner, Publisher, Signer, SigstoreSigner, signer_from
from hf_integration.signing.keys import public_pem, read_public_key
from hf_integration.signing.model_material import authorities_in
from hf_integration.snapshot import Snapshot, needed_files, resolve
from hf_integration.snapshot.copying import copy_files
from hf_integration.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class BundleRequest:
    """What to bundle.

    Attributes:
        encoder: a name in ``sslauth.toml``, a local folder or a Hub repo id.
        out: the folder to make; nothing may be there.
        name: what the encoder is called in the bundle; by default the entry's name, or the last part of
            ``encoder``.
        revision: branch, tag or commit of a Hub repo.
        card: folder, Hub repo id or entry of the card; by default the project's, else the encoder's own.
        signer: who has to have signed the card; a key, as a bundle is checked without a network.
        publisher: who has to have signed the encoder's files.
        accept_self_asserted: accept a card that only the bundled repository vouches for.
        project: where names are looked up.
    """

    encoder: str
    out: Path
    name: str | None = None
    revision: str | None = None
    card: str | Path | None = None
    signer: Signer | None = None
    publisher: Publisher | None = None
    accept_self_asserted: bool = False
    project: Project = field(default_factory=Project)

    def find(self) -> Found:
        """The encoder and the card that are meant.

        Raises:
            SSLAuthError: as of :meth:`hf_integration.checking.finding.Project.find`.
        """
        return self.project.find(
            Asked(
                encoder=self.encoder,
                # a folder that is missing must not become somebody's repository, or an entry
                card=str(self.card.absolute()) if isinstance(self.card, Path) else self.card,
                revision=self.revision,
                signer=self.signer,
                publisher=self.publisher,
                own_card="fallback",
            )
        )


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
    access: Access | None = None,
    *,
    found: Found | None = None,
    progress: Progress | None = None,
) -> Bundled:
    """Bundle an encoder with its card, if it is authentic.

    Everything is copied to a temporary folder beside the output, loaded from there and checked, and takes the
    output's name only then.

    Args:
        request: what to bundle.
        access: how the Hub is asked, where the encoder is checked, and who is told.
        found: what ``request.find()`` gave, if it was asked already.
        progress: told how many key samples are done.

    Returns:
        The verdict, and the files of the bundle if there is one.

    Raises:
        CardNotFoundError: there is no card.
        EncoderError: the encoder cannot be loaded from the files that a bundle holds.
        InconclusiveError: the Hub could not be asked.
        IntegrityError: the card is damaged, not the pinned one, or not signed by the signer.
        OutputError: something is at the output already, or there is no room.
        UsageError: an unusable name or signer.
    """
    access = access or Access()
    found = found or request.find()
    pin = found.encoder.pin
    name = bundle_name(request.encoder, pin.name if pin and request.name is None else request.name)
    target = free_folder(request.out)
    key = _public_key(_only_signer(found))
    access.say(f"bundling {request.encoder} ...")
    snapshot = _snapshot(found, access)
    inspect_folder(snapshot.path)  # what cannot be loaded is said of the folder that the caller knows
    held = hold_card(found, access, commit=snapshot.commit)
    original = held.card
    if original.secret:
        access.say("it is a private card: the bundle is as secret as the card, for its owner only")
    # beside its copy every card would look trusted
    trust = held.trust or trust_beside(original, snapshot.path)
    with in_words(request.out), staging(target, secret=original.secret) as place:
        signature = [MODEL_SIGNATURE] if os.path.lexists(snapshot.path / MODEL_SIGNATURE) else []
        copy_files(snapshot, (*needed_files(snapshot), *signature), place / ENCODER)
        publisher = _copy_publisher(found.encoder.publishers, place)
        copy_card(held.folder, place / CARD, secret=original.secret)
        if key is not None:
            write_file(place / SIGNER, key, secret=False)
        card = read_copy(place, original, signed=key is not None)
        access.say("checking the copy ...")
        copied = Copied(place / ENCODER, snapshot.commit, replace(held, card=card, trust=trust))
        verdict = _check(copied, request, found, access, progress)
        if not verdict.authentic:
            return Bundled(verdict, name)
        # where a folder was on this machine is nobody's business
        origin = quoted(f"{snapshot.repo} @{snapshot.commit}" if snapshot.repo else "a local folder")
        text = pins(name, card_digest=card.digest, signed=key is not None, origin=origin, publisher=publisher)
        write_file(place / PINS, text.encode(), secret=False)
        made = sorted(place.rglob("*"))
        for folder_made in (place, *(path for path in made if path.is_dir())):
            sync_folder(folder_made)
        sizes = {path.relative_to(place).as_posix(): path.stat().st_size for path in made if path.is_file()}
        free_folder(request.out)  # the check took a while
        place.rename(target)
        sync_folder(target.parent)
    return Bundled(verdict, name, tuple(sizes), sum(sizes.values()))


def _snapshot(found: Found, access: Access) -> Snapshot:
    """The encoder's files at one commit, the pinned one if there is one."""
    place, commit = found.encoder, own_commit(found, access)
    if place.pin is not None and place.pin.lock_hint:
        access.say(place.pin.lock_hint)
    check_place(place)
    with commit_on_the_hub(place.pin, token=access.token):
        return resolve(
            place.reference,
            revision=commit or found.revision,
            token=access.token,
            cache_dir=access.cache_dir,
            refuse=require_support,
        )


@dataclass(frozen=True, eq=False)
class Copied:
    """What is in the bundle that is being made: the encoder's files, their commit, and the card's copy."""

    encoder: Path
    commit: str | None
    card: HeldCard


def _check(
    copied: Copied, request: BundleRequest, found: Found, access: Access, progress: Progress | None
) -> Verdict:
    """The verdict of the copy; the encoder is let go of with it: a mapped file cannot be moved everywhere."""
    try:
        encoder = open_encoder(
            copied.encoder,
            name=request.encoder,
            commit=copied.commit,
            device=access.device,
            preferred=copied.card.card.encoder,
        )
        subject = subject_around(encoder, copied.card, found, access)
        accept = request.accept_self_asserted
        # a bundle is for those who do not know of the waivers here
        return (
            replace(subject, waivers=()).authenticate(accept_self_asserted=accept, progress=progress).verdict
        )
    except OSError as error:  # of a library, and not of the file system that the bundle is written to
        raise EncoderError(f"the encoder's copy cannot be loaded: {quoted(in_one_line(error))}") from error


def _only_signer(found: Found) -> Signer | None:
    """The one who has to have signed the card: a bundle holds one key.

    Raises:
        UsageError: the caller names another one than is pinned, or two entries name two.
    """
    chosen, asked = found.asked.signer, "--signer"
    for pin in found.pins:
        if pin.signer_reference is None:
            continue
        pinned = signer_from(pin.signer_reference)
        if chosen is not None and chosen != pinned and _public_key(chosen) != _public_key(pinned):
            raise UsageError(
                f"{asked} contradicts {pin.file.name}, where '{pin.name}' is signed by {pinned}",
                remedy="leave --signer out" if asked == "--signer" else "a bundle holds one key",
            )
        chosen, asked = pinned, f"'{pin.name}'"
    return chosen


def _copy_publisher(publishers: Sequence[Publisher], place: Path) -> str | None:
    """Put what a publisher is known by into the bundle, and say how ``sslauth.toml`` names them there.

    Raises:
        UsageError: there are two: a bundle holds one.
    """
    if not publishers:
        return None
    if len(publishers) > 1:
        raise UsageError(
            f"--publisher contradicts sslauth.toml, which names {publishers[1]}",
            remedy="leave --publisher out",
        )
    (publisher,) = publishers
    if isinstance(publisher, SigstoreSigner):
        return f"sigstore:{publisher.identity}@{publisher.issuer}"
    if isinstance(publisher, CertificateSigner):
        write_file(place / PUBLISHER, authorities_in(publisher.roots), secret=False)
        return f"certificate:{PUBLISHER}"
    write_file(place / PUBLISHER, public_pem(read_public_key(publisher.public_key)), secret=False)
    return PUBLISHER


def _public_key(signer: Signer | None) -> bytes | None:
    if signer is None:
        return None
    if isinstance(signer, SigstoreSigner):
        raise UsageError(
            "Sigstore signatures are checked with a network, which a bundle is to do without",
            remedy="name a public key, or leave --signer out",
        )
    return public_pem(read_public_key(signer.public_key))
