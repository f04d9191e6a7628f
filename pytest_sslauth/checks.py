"""The checks of one session: every named encoder is checked once, and handed out only as it was checked."""

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_integration.base.errors import UsageError
from hf_integration.base.vocabulary import today
from hf_integration.checking.finding import Asked, Found, OwnCard, PinsUsed, Project
from hf_integration.checking.held_card import Access, hold_card
from hf_integration.checking.pins import Pin
from hf_integration.checking.subject import Subject, load_subject, subject_around
from hf_integration.encoders import Encoder
from hf_integration.loading.calls import Place
from hf_integration.verdict import Verdict
from pytest_sslauth import engine
from pytest_sslauth.engine import Held, fingerprint
from pytest_sslauth.marker import CheckRequest
from pytest_sslauth.options import Settings
from pytest_sslauth.outcome import Outcome, altered_since, compared, not_checked
from pytest_sslauth.report_folder import ReportNames

if TYPE_CHECKING:
    from hf_integration.loading.observing import Observer
    from hf_integration.stamps.likeness import Likeness
    from hf_integration.stamps.stamp import Stamp
    from pytest_sslauth.endpoints import AuthenticEndpoint, EndpointChecks


@dataclass
class Checked:
    """A check that was made, kept for the session.

    Attributes:
        found: what the names meant.
        folders: the folders that were read.
        fingerprint: their state before that; another state makes the check out of date.
        outcome: what came out.
        subject: encoder and card in memory, while tests are handed the encoder.
        borrower: the test that the encoder was handed to last.
    """

    found: Found
    folders: tuple[Path | None, ...]
    fingerprint: object
    outcome: Outcome
    subject: Held | None = None
    borrower: str = "nobody"


class Checks:
    """Makes checks and remembers them. Whatever goes wrong becomes an outcome that is no pass.

    Args:
        settings: what all checks of the session have in common.
        observer: looks at what tests load, if that is wanted.

    Attributes:
        authenticated: where encoders are that were found authentic, or whose alteration is waived.
    """

    def __init__(self, settings: Settings, observer: "Observer | None" = None) -> None:
        self._observer = observer
        self.authenticated: set[Place] = set()
        self._settings = settings
        self._project = Project(settings.rootdir, settings.cards, settings.config)
        self._access = Access(device=settings.device)
        self._day = today()
        self._checked: dict[tuple[object, ...], Checked] = {}
        self._names = ReportNames()

    @cached_property
    def _endpoints(self) -> "EndpointChecks":
        from pytest_sslauth.endpoints import EndpointChecks

        return EndpointChecks(self._settings, self._project, self._access, self._names)

    def of_endpoint(self, request: CheckRequest) -> "tuple[Outcome, AuthenticEndpoint | None]":
        """Ask an endpoint once in the session.

        Returns:
            The outcome, and what embeds if the encoder behind the endpoint is authentic.
        """
        outcome, client = self._endpoints.check(request)
        if client is not None:
            self.authenticated.add(Place(url=client.url, model=client.model))
        return outcome, client

    def of_name(self, request: CheckRequest, *, keep: bool = False) -> Outcome:
        """Check a folder or a Hub repository; for the same unchanged files, give the earlier outcome again.

        Args:
            request: what to check; an endpoint, if it names one.
            keep: keep the encoder in memory, because a test is about to be handed it.
        """
        if request.endpoint is not None:
            return self.of_endpoint(request)[0]
        try:
            return self._recall(request, keep=keep).outcome
        except Exception as error:
            return not_checked(request.encoder, error)

    def of_model_card(self, request: CheckRequest) -> Outcome:
        """Check a Hub repository by the card that it publishes, and every claim of its model card.

        A branch is looked up once in a session: what it names may change while tests run. An entry of
        ``sslauth.toml`` is enforced; its waivers are not for what a model card claims.

        Args:
            request: the repository and the revision; a card is not to be named.
        """
        try:
            return self._recall(request, own_card="only").outcome
        except Exception as error:
            return not_checked(request.encoder, error)

    def of_object(
        self, subject: object, processor: Any, request: CheckRequest
    ) -> tuple[Outcome, Encoder | None]:
        """Check an encoder that the caller holds. Never remembered: it may change at any time.

        Args:
            subject: one of the engine's encoders, or a torch module.
            processor: what prepares raw samples for a module.
            request: what else the caller said; its encoder is only what to call the subject.

        Returns:
            The outcome, and the encoder if there is one.
        """
        try:
            encoder = engine.encoder_around(subject, processor)
            ours = encoder is subject
            if request.card is None and not ours:
                raise UsageError("a module in memory has no name to find its card by", remedy="give card=")
            request = replace(request, encoder=encoder.name)
            pins: PinsUsed = "any" if ours else "none"
            asked = Asked(encoder=encoder.name, card=request.card, pins=pins)
            found = self._project.find_for(encoder, asked)
            card = hold_card(found, self._access, commit=encoder.commit)
            if not ours and card.card.encoder.modality != encoder.modality:
                encoder = engine.encoder_around(subject, processor, card.card)  # the other tower, if any
            held = subject_around(encoder, card, found, self._access)
            outcome = self._judge(held, request, source="an encoder in memory", pin=found.encoder.pin)
            if self._observer is not None and not outcome.failure:
                held_by = (subject, *engine.modules_in(subject, encoder))
                self.authenticated |= self._observer.places_of(held_by)
            return outcome, encoder if outcome.verdict is None else encoder.keep(outcome.verdict)
        except Exception as error:
            return not_checked(request.encoder, error), None

    def of_stamp(
        self, stamp: "str | os.PathLike[str] | Stamp", embed: object, accept: float
    ) -> "tuple[Outcome, Likeness | None]":
        """Hold what embeds texts against the stamp of an index; never remembered.

        Args:
            stamp: a file, relative to rootdir, or what is in it.
            embed: what embeds texts.
            accept: distance up to which embeddings are taken for the same.

        Returns:
            The outcome, and what was found if the question could be answered.
        """
        try:
            from hf_integration.stamps.checking import check_stamp
            from hf_integration.stamps.stamp import is_line

            if isinstance(stamp, str | os.PathLike) and not is_line(stamp):
                stamp = self._settings.rootdir / stamp
            likeness = check_stamp(stamp, embed, accept=accept)
            return compared(likeness), likeness
        except Exception as error:
            return not_checked("stamp", error), None

    def hand_over(self, request: CheckRequest, borrower: str) -> tuple[Outcome, Encoder | None]:
        """Check an encoder and hand it out, after its digests were compared again.

        The encoder stays in memory between tests, so a test may have altered it. Then this hand-over fails,
        and the next one loads the encoder anew.

        Args:
            request: what to check.
            borrower: id of the test that asks.

        Returns:
            The outcome, and the encoder if it is authentic or its alteration is waived.
        """
        try:
            checked = self._recall(request, keep=True)
            verdict = checked.outcome.verdict
            if checked.outcome.failure or verdict is None:
                return checked.outcome, None
            return self._lend(checked, verdict, borrower)
        except Exception as error:
            return not_checked(request.encoder, error), None

    def _recall(self, request: CheckRequest, *, keep: bool = False, own_card: OwnCard = "never") -> Checked:
        asked = Asked(
            encoder=request.encoder, card=request.card, revision=request.revision, own_card=own_card
        )
        found = self._project.find(asked)
        if (day := today()) != self._day:  # cards and waivers have a last day
            self._day = day
            self._checked.clear()
        card = None if found.card is None else found.card.reference
        encoder = found.encoder
        what = (encoder.reference, encoder.publishers, card, found.pins)
        key = (*what, request.revision, request.precision, own_card)
        known = self._checked.get(key)
        if known is None or known.fingerprint != fingerprint(known.folders):
            known = self._check(request, found, keep=keep)
            if own_card == "only" and known.outcome.verdict is None:
                return known  # a Hub that could not be asked may answer the next time
            self._checked[key] = known
        return known

    def _check(self, request: CheckRequest, found: Found, *, keep: bool) -> Checked:
        folders: tuple[Path | None, ...] = found.read
        before = fingerprint(folders)
        rootdir, own = self._settings.rootdir, found.asked.own_card == "only"
        try:
            if own and found.encoder.folder is not None:
                raise UsageError(
                    f"'{request.encoder}' is the folder {found.encoder.folder}, which has no model card "
                    "on the Hub",
                    remedy="use assert_authentic for local folders",
                )
            subject = self._load(found)
            if found.encoder.folder is None:  # where the Hub's cache keeps it is known only now
                published = None if subject.published is None else subject.published.folder
                folders = (subject.encoder.path, published, *folders)
                before = fingerprint(folders)
            source = found.encoder.found_in(rootdir)
            if own:
                source = (
                    f"the Hub repository '{found.encoder.reference}', by the card that it publishes itself"
                )
            outcome = self._judge(subject, request, source=source, pin=None if own else found.encoder.pin)
        except Exception as error:
            places = () if own else (found.encoder, found.card)
            notes = [
                place.found_in(rootdir) for place in places if place is not None and place.folder is None
            ]
            outcome = not_checked(request.encoder, error, notes=notes)
            return Checked(found, folders, before, outcome)
        return Checked(found, folders, before, outcome, subject if keep else None)

    def _load(self, found: Found) -> Held:
        return Held.around(load_subject(found, self._access))

    def _judge(self, subject: Subject, request: CheckRequest, *, source: str, pin: Pin | None) -> Outcome:
        authentication = engine.authenticate(subject, request, self._settings)
        if authentication.verdict.accepted and (encoder := subject.encoder).path is not None:
            self.authenticated.add(Place(str(encoder.path.resolve()), encoder.repo, encoder.commit))
        return engine.outcome(
            authentication, subject.card, self._settings, self._names, source=source, pin=pin
        )

    def _lend(self, checked: Checked, verdict: Verdict, borrower: str) -> tuple[Outcome, Encoder | None]:
        subject, checked.subject = checked.subject, None  # forgotten unless it proves unaltered
        if subject is None:
            subject = self._load(checked.found)
        if found := engine.differences(subject, verdict):
            return altered_since(verdict, found, checked.borrower), None
        # what was patched on a waived encoder would not show: every test gets one that was just loaded
        checked.subject = subject if verdict.waiver is None else None
        checked.borrower = borrower
        engine.in_evaluation_mode(subject.encoder)
        # a copy of the outer object: an attribute that a test replaces is replaced for that test only
        return checked.outcome, subject.encoder.with_verdict(verdict)
