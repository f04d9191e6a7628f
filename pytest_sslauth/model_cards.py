"""Checks of what the model cards of Hub repositories claim, each made once in a session."""

from dataclasses import dataclass
from pathlib import Path

from hf_integration.base.dates import today
from hf_integration.base.errors import UsageError
from hf_integration.checking.pinned import load_pinned_card, revision_of
from hf_integration.checking.subject import Subject
from hf_integration.hub import PublishedCard, published_card
from hf_integration.snapshot.hub import resolve_commit
from pytest_sslauth import engine
from pytest_sslauth.artifacts import Artifacts
from pytest_sslauth.marker import CheckRequest
from pytest_sslauth.options import Settings
from pytest_sslauth.outcome import Outcome, judged, not_checked
from pytest_sslauth.places import Place, encoder_place, fingerprint, key_file


@dataclass(frozen=True)
class _Checked:
    folders: tuple[Path | None, ...]
    fingerprint: object
    outcome: Outcome


class ModelCards:
    """Makes these checks and remembers them. Whatever goes wrong becomes an outcome that is no pass.

    Args:
        settings: what all checks of the session have in common.
        artifacts: writes their reports, if they are wanted.
    """

    def __init__(self, settings: Settings, artifacts: Artifacts | None) -> None:
        self._settings = settings
        self._artifacts = artifacts
        self._checked: dict[tuple[object, ...], _Checked] = {}

    def check(self, request: CheckRequest) -> Outcome:
        """Check a repository by the card that it publishes, and every claim of its model card.

        A branch is looked up once in a session: what it names may change while tests run. Another entry in
        ``sslauth.toml``, another key file or another day makes another check. An entry of
        ``sslauth.toml`` is enforced; its waivers are not for what a model card claims.

        Args:
            request: the repository and the revision; a card is not to be named.
        """
        try:
            place = encoder_place(request.encoder, self._settings)
            key = (request.encoder, request.revision, place.folder, place.pin, today())
            known = self._checked.pop(key, None)
            if known is None or known.fingerprint != fingerprint(known.folders):
                known = self._check(request, place)
            self._checked[key] = known
        except Exception as error:
            return not_checked(request.encoder, error)
        return known.outcome

    def _check(self, request: CheckRequest, place: Place) -> _Checked:
        if place.folder is not None:
            raise UsageError(
                f"'{request.encoder}' is the folder {place.folder}, which has no model card on the Hub",
                remedy="use assert_authentic for local folders",
            )
        pin, repo = place.pin, place.reference
        revision = request.revision if pin is None else revision_of(pin, request.revision)
        commit = resolve_commit(repo, revision=revision, token=None, cache_dir=None)
        published = published_card(repo, commit)
        subject = self._subject(place, published)
        folders = (subject.encoder.path, published.folder, key_file(place.pin))
        before = fingerprint(folders)
        authentication = engine.authenticate(subject, request, self._settings)
        verdict = authentication.verdict
        reports = self._artifacts.write(authentication, subject.card) if self._artifacts else ""
        source = f"the Hub repository '{repo}', by the card that it publishes itself"
        return _Checked(folders, before, judged(verdict, source=source, reports=reports))

    def _subject(self, place: Place, published: PublishedCard) -> Subject:
        """Encoder and card; a pin is a better reason to believe the card than where it lies."""
        pin, trust = place.pin, None
        if pin is not None and (pin.has_own_card or pin.card_digest == published.card.digest):
            trust = load_pinned_card(pin, place=published.folder).trust
        encoder = engine.load_at(place, published.commit, self._settings, published.card)
        return Subject(encoder, published.card, trust, published=published)
