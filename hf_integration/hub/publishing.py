"""Publishing a card: into the encoder's repository, with the model card, as one commit or pull request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from hf_integration.authentication.evidence import compare
from hf_integration.base.errors import EncoderError, FlawError, PublishingRefusedError
from hf_integration.base.vocabulary import REPO_FOLDER, SIGNATURE_FILE, today
from hf_integration.card import WatermarkCard
from hf_integration.card.reading import locate, read_card
from hf_integration.card.schema import MOST_BYTES
from hf_integration.encoders.interface import Encoder
from hf_integration.hub import card_files, committing, readme
from hf_integration.hub.model_index import model_index_lines, read_results
from hf_integration.hub.published import minted_for_another
from hf_integration.hub.readme import section_text
from hf_integration.model_card.metadata import Metadata, Revocation, read_claims
from hf_integration.model_card.repository import README, RepoCommit, holds, weights_changed
from hf_integration.snapshot.hub import resolve_commit
from hf_integration.verdict import MIXED


@dataclass(frozen=True)
class Publication:
    """What became of a card that was to be published.

    Attributes:
        repo: repo id.
        digest: of the card.
        encoder_commit: commit whose encoder the card is of.
        commit: the new commit, the head of the pull request, or where there was nothing to change the commit
            that says all of it already.
        pull_request: address of the pull request, if one was asked for.
        changed: files that were added or changed, and those that were removed.
        signed: whether a signature lies beside the card.
    """

    repo: str
    digest: str
    encoder_commit: str
    commit: str
    pull_request: str | None
    changed: tuple[str, ...]
    signed: bool


@dataclass(frozen=True, kw_only=True)
class Publisher:
    """Publishes cards.

    Attributes:
        create_pr: open a pull request instead of committing to the main branch.
        sign_key: private key to sign the card with.
        revoked: a card that is not to be believed any more.
        evaluation: JSON of a stress run, for the Hub's evaluation results.
        token: Hub token, if not the saved one.
        cache_dir: Hub cache, if not the usual one.
        load: gives the encoder at a commit of a repository, as a card asks for.
    """

    load: Callable[[str, str, WatermarkCard], Encoder]
    create_pr: bool = False
    sign_key: Path | None = None
    revoked: Revocation | None = None
    evaluation: Path | None = None
    token: str | None = None
    cache_dir: Path | None = None

    def publish(self, reference: Path, repo: str) -> Publication:
        """Publish a card; the same card once more changes nothing.

        Args:
            reference: the card's folder.
            repo: id of the encoder's repository.

        Returns:
            What was done.

        Raises:
            PublishingRefusedError: a private or expired card, one of another encoder, or a README.md that
                cannot be edited without harm.
            PublishingConflictError: somebody changed the repository meanwhile.
            InconclusiveError: the Hub cannot be asked, or denies.
            CardError: the card is damaged.
        """
        folder, location = locate(reference, revision=None)
        card = read_card(folder, location=location)
        self._refuse(card)
        evaluation = None
        if self.evaluation is not None:
            evaluation = model_index_lines(repo, read_results(self.evaluation, card.digest))
        head = resolve_commit(repo, revision=None, token=self.token, cache_dir=self.cache_dir)
        there = RepoCommit.listed(repo, head, token=self.token, cache_dir=self.cache_dir)
        before = there.readme()
        earlier = _earlier(before, repo)
        revoked = self._revoked(card, earlier)
        if not any(entry.digest == card.digest for entry in revoked):
            # one that is taken back need not fit: that it does not may be why
            self._check_encoder(card, repo, head)
        if self.sign_key is not None:
            sign(folder, self.sign_key)
        files = card_files.read_files(folder, card)
        target = f"{REPO_FOLDER}/"
        keeps_signature = (
            f"{target}{SIGNATURE_FILE}" in there.files
            and SIGNATURE_FILE not in files
            and all(holds(there.files.get(target + name), files[name]) for name in card_files.FILES)
            and _is_signed(there, target + SIGNATURE_FILE, files)
        )
        metadata = Metadata(
            card=REPO_FOLDER,
            digest=card.digest,
            encoder_commit=self._encoder_commit(card, earlier, there),
            created=card.created,
            embedding_dim=card.encoder.embedding_dim,
            expires=card.expires,
            signed=SIGNATURE_FILE in files or keeps_signature,
            revoked=revoked,
        )
        try:
            after = readme.edit(before, metadata, section_text(card, metadata, repo), evaluation=evaluation)
        except FlawError as flaw:
            raise _refused(repo, flaw) from None
        wanted: dict[str, bytes | None] = {target + name: content for name, content in files.items()}
        if not metadata.signed:  # of another card, or none at all: it would read as a broken signature
            wanted[target + SIGNATURE_FILE] = None
        wanted[README] = after
        return self._commit(there, metadata, wanted)

    def _refuse(self, card: WatermarkCard) -> None:
        """Before anything is sent."""
        if card.secret:
            raise PublishingRefusedError(
                f"{card.location} is a private card: whoever knows it can get past it",
                remedy="publish one that was minted without --secret",
            )
        expires = card.expires
        taken_back = self.revoked is not None and self.revoked.digest == card.digest
        if expires is not None and date.fromisoformat(expires) < today() and not taken_back:
            raise PublishingRefusedError(f"the card expired on {expires}", remedy="mint a new one")

    def _revoked(self, card: WatermarkCard, earlier: Metadata | None) -> tuple[Revocation, ...]:
        before = earlier.revoked if earlier is not None else ()
        if self.revoked is not None:
            others = [entry for entry in before if entry.digest != self.revoked.digest]
            kept = [entry for entry in before if entry == self.revoked]
            # the same revocation once more keeps its place, so that nothing changes
            return before if kept else (*others, self.revoked)
        for entry in before:
            if entry.digest == card.digest:
                raise PublishingRefusedError(
                    f"this card was revoked: {entry.reason}", remedy="mint a new one, and publish that"
                )
        return before

    def _check_encoder(self, card: WatermarkCard, repo: str, commit: str) -> None:

        if other := minted_for_another(card, repo, token=self.token):
            raise PublishingRefusedError(
                f"the card was minted for {other}, not for {repo}",
                remedy=f"mint one with 'sslauth mint {repo}'",
            )
        encoder = self.load(repo, commit, card)
        if encoder.commit != commit:
            raise EncoderError(
                f"a local folder is called {repo!r} like the repository", remedy="run this from elsewhere"
            )
        check_fit(card, encoder)

    def _encoder_commit(self, card: WatermarkCard, earlier: Metadata | None, there: RepoCommit) -> str:
        """The commit that is recorded: the one published on, unless the same is said of the same already."""
        if earlier is None or earlier.digest != card.digest:
            return there.commit
        if any(entry.digest == card.digest for entry in self._revoked(card, earlier)):
            return earlier.encoder_commit
        try:
            recorded = RepoCommit.listed(
                there.repo, earlier.encoder_commit, token=self.token, cache_dir=self.cache_dir
            )
        except EncoderError:  # the history was rewritten
            return there.commit
        return earlier.encoder_commit if weights_changed(recorded, there) == () else there.commit

    def _commit(
        self, there: RepoCommit, metadata: Metadata, wanted: Mapping[str, bytes | None]
    ) -> Publication:
        changes = committing.changes(there, wanted)
        done = Publication(
            repo=there.repo,
            digest=metadata.digest,
            encoder_commit=metadata.encoder_commit,
            commit=there.commit,
            pull_request=None,
            changed=tuple(changes),
            signed=metadata.signed,
        )
        if not changes:
            return done
        title = f"Watermark card {metadata.digest[:23]}"
        if self.create_pr and (open_one := committing.open_pull_request(there, title, wanted)):
            return replace(done, commit=open_one.commit, pull_request=open_one.address, changed=())
        made = committing.commit(there, changes, title=title, create_pr=self.create_pr)
        return replace(done, commit=made.commit, pull_request=made.address)


def sign(folder: Path, key: Path) -> None:
    """Sign the card in a folder; one that is signed by this key already stays as it is.

    Raises:
        UsageError: the extra 'sign' is not installed, or the key is not usable.
    """
    from hf_integration.signing import sign as sign_card

    sign_card(folder, key)


def _is_signed(there: RepoCommit, name: str, files: Mapping[str, bytes]) -> bool:
    """Whether the signature that is published already says that it is over these files."""
    if there.files[name].size > MOST_BYTES[SIGNATURE_FILE]:
        return False
    return not card_files.signature_flaw((there.fetch([name]) / name).read_bytes(), files)


def _earlier(before: bytes, repo: str) -> Metadata | None:
    try:
        return read_claims(before)
    except FlawError as flaw:
        raise _refused(repo, flaw) from None


def _refused(repo: str, flaw: FlawError) -> PublishingRefusedError:
    return PublishingRefusedError(
        f"{README} of {repo} cannot be edited without harm: {flaw}", remedy="correct it on the Hub first"
    )


def check_fit(card: WatermarkCard, encoder: Encoder) -> None:
    """Compare the loaded tensors and settings of an encoder with those that a card recorded.

    Raises:
        PublishingRefusedError: they differ: nobody could verify the encoder by this card.
    """
    where = f"{encoder.name} at {encoder.commit}"
    remedy = "mint a card from what the repository holds, if you trust it"
    compared = compare(encoder, card)
    tensors, files = compared.tensors, compared.files
    if compared.other_kind:
        raise PublishingRefusedError(
            f"the card is of another encoder than {where}: {compared.other_kind}", remedy=remedy
        )
    if tensors.matches is None:
        names = (*tensors.changed, *tensors.missing, *tensors.unexpected)
        raise PublishingRefusedError(
            f"the card is not of the weights in {where}: {len(names)} of {tensors.checked} tensors differ, "
            f"first {names[0]}",
            remedy=remedy,
        )
    if tensors.matches == MIXED:
        raise PublishingRefusedError(
            f"the weights in {where} are rounded in part to float16 and in part to bfloat16", remedy=remedy
        )
    if tensors.outside:
        raise PublishingRefusedError(
            f"the card is not of all weights in {where}: {tensors.outside[0]} differs", remedy=remedy
        )
    if files.changed:
        raise PublishingRefusedError(
            f"the card is not of the settings in {where}: {files.changed[0]}", remedy=remedy
        )
