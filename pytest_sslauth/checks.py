"""The checks of one session: every named encoder is checked once, and handed out only as it was checked."""

from dataclasses import dataclass, field, replace
from functools import cached_property, partial
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
from pytest_sslauth import engine
from pytest_sslauth.folders import fingerprint
from pytest_sslauth.lending import Lending
from pytest_sslauth.marker import CheckRequest
from pytest_sslauth.once import Checked, check_once
from pytest_sslauth.options import Settings
from pytest_sslauth.outcome import Outcome, is_out_of_reach, not_checked
from pytest_sslauth.report_folder import ReportNames
from pytest_sslauth.shared import SharedResults

if TYPE_CHECKING:
    from hf_integration.loading.observing import Observer
    from pytest_sslauth.endpoints import AuthenticEndpoint, EndpointChecks
    from pytest_sslauth.stamps import Stamps


@dataclass(frozen=True)
class Common:
    """What all checks of one process have in common, whatever their settings.

    Attributes:
        lending: the encoders in memory.
        shared: results of this and the other workers of the run, if it has workers.
        observer: looks at what tests load, if that is wanted.
        names: of report files.
        authenticated: where encoders are that were found authentic, or whose alteration is waived.
    """

    lending: Lending
    shared: SharedResults | None = None
    observer: "Observer | None" = None
    names: ReportNames = field(default_factory=ReportNames)
    authenticated: set[Place] = field(default_factory=set)


class Checks:
    """Makes checks and remembers them. Whatever goes wrong becomes an outcome that is no pass.

    Args:
        settings: what all checks of the session have in common.
        common: what they have in common with checks of other settings.
    """

    def __init__(self, settings: Settings, common: Common | None = None) -> None:
        self._settings = settings
        self._common = common or Common(Lending(settings.keep))
        self._project = Project(settings.rootdir, settings.cards, settings.config)
        self._access = Access(device=settings.device, cache_dir=settings.cache_dir)
        self._day = today()
        self._checked: dict[tuple[object, ...], Checked] = {}

    @cached_property
    def _endpoints(self) -> "EndpointChecks":
        from pytest_sslauth.endpoints import EndpointChecks

        return EndpointChecks(
            self._settings, self._project, self._access, self._common.shared, self._common.names
        )

    @cached_property
    def stamps(self) -> "Stamps":
        """What holds functions against stamps."""
        from pytest_sslauth.stamps import Stamps

        return Stamps(self._settings)

    def of_endpoint(self, request: CheckRequest) -> "tuple[Outcome, AuthenticEndpoint | None]":
        """Ask an endpoint once in the session.

        Returns:
            The outcome, and what embeds if the encoder behind the endpoint is authentic.
        """
        outcome, client = self._endpoints.check(request)
        if client is not None:
            self._common.authenticated.add(Place(url=client.url, model=client.model))
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
            return self._recall(request, self._find(request), keep=keep).outcome
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
            return self._recall(request, self._find(request, own_card="only")).outcome
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
            outcome = self._judge(
                held,
                request,
                source="an encoder in memory",
                pin=found.encoder.pin,
                module=None if ours else subject,
            )
            outcome = outcome.using(found.card, self._settings.cards)
            if self._common.observer is not None and not outcome.failure:
                held_by = (subject, *engine.modules_in(subject, encoder))
                self._common.authenticated.update(self._common.observer.places_of(held_by))
            return outcome, encoder if outcome.verdict is None else encoder.keep(outcome.verdict)
        except Exception as error:
            return not_checked(request.encoder, error), None

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
            found = self._find(request)
            checked = self._recall(request, found, keep=True)
            verdict = checked.outcome.verdict
            if checked.outcome.failure or verdict is None:
                return checked.outcome, None
            return self._common.lending.lend(checked, verdict, partial(self._load, found), borrower)
        except Exception as error:
            return not_checked(request.encoder, error), None

    def _find(self, request: CheckRequest, *, own_card: OwnCard = "never") -> Found:
        return self._project.find(
            Asked(encoder=request.encoder, card=request.card, revision=request.revision, own_card=own_card)
        )

    def _recall(self, request: CheckRequest, found: Found, *, keep: bool = False) -> Checked:
        if (day := today()) != self._day:  # cards and waivers have a last day
            self._day = day
            self._checked.clear()
        card = None if found.card is None else found.card.reference
        own_card, encoder = found.asked.own_card, found.encoder
        precision = request.precision or self._settings.precision
        what = (encoder.reference, encoder.publishers, card, found.pins)
        key = (*what, request.revision, precision, own_card)
        known = self._checked.get(key)
        if known is None or known.fingerprint != fingerprint(known.folders):
            check = partial(self._check, request, found, keep=keep)
            known = check_once(self._common.shared, self._settings, key, check)
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
            absent = is_out_of_reach(error, found.encoder, revision=request.revision)
            outcome = not_checked(request.encoder, error, notes=notes, out_of_reach=absent)
            return Checked(folders, before, outcome.using(found.card, self._settings.cards))
        checked = Checked(folders, before, outcome.using(found.card, self._settings.cards))
        if keep:
            self._common.lending.hold(checked, subject)
        return checked

    def _load(self, found: Found) -> Subject:
        self._common.lending.make_room()
        return load_subject(found, self._access)

    def _judge(
        self, subject: Subject, request: CheckRequest, *, source: str, pin: Pin | None, module: object = None
    ) -> Outcome:
        authentication = engine.authenticate(subject, request, self._settings)
        if module is not None:  # that the caller gave without a name
            authentication = engine.told_apart(authentication, module)
        if authentication.verdict.accepted and (encoder := subject.encoder).path is not None:
            place = Place(str(encoder.path.resolve()), encoder.repo, encoder.commit)
            self._common.authenticated.add(place)
        return engine.outcome(
            authentication, subject.card, self._settings, self._common.names, source=source, pin=pin
        )
