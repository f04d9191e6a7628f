"""The checks of one session: every named encoder is checked once, and handed out only as it was checked."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_integration.base.dates import today
from hf_integration.base.errors import UsageError
from hf_integration.checking.subject import Subject
from hf_integration.encoders import Encoder
from hf_integration.verdict import Verdict
from pytest_sslauth import engine
from pytest_sslauth.artifacts import Artifacts
from pytest_sslauth.engine import Held
from pytest_sslauth.marker import CheckRequest
from pytest_sslauth.options import Settings
from pytest_sslauth.outcome import Outcome, altered_since, judged, not_checked
from pytest_sslauth.places import Place, card_place, encoder_place, fingerprint, key_file, pin_of

if TYPE_CHECKING:
    from pytest_sslauth.model_cards import ModelCards


@dataclass
class Checked:
    """A check that was made, kept for the session.

    Attributes:
        encoder: where the encoder lies.
        card: where the card lies.
        folders: the folders that were read.
        fingerprint: their state before that; another state makes the check out of date.
        outcome: what came out.
        subject: encoder and card in memory, while tests are handed the encoder.
        borrower: the test that the encoder was handed to last.
    """

    encoder: Place
    card: Place
    folders: tuple[Path | None, ...]
    fingerprint: object
    outcome: Outcome
    subject: Held | None = None
    borrower: str = "nobody"


class Checks:
    """Makes checks and remembers them. Whatever goes wrong becomes an outcome that is no pass.

    Args:
        settings: what all checks of the session have in common.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._day = today()
        self._checked: dict[tuple[object, ...], Checked] = {}
        self._artifacts = Artifacts(settings.report_dir, settings.worker) if settings.report_dir else None
        self._model_cards: ModelCards | None = None

    def of_name(self, request: CheckRequest, *, keep: bool = False) -> Outcome:
        """Check a folder or a Hub repository; for the same unchanged files, give the earlier outcome again.

        Args:
            request: what to check.
            keep: keep the encoder in memory, because a test is about to be handed it.
        """
        try:
            return self._recall(request, keep=keep).outcome
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
            if request.card is None and encoder is not subject:
                raise UsageError("a module in memory has no name to find its card by", remedy="give card=")
            request = replace(request, encoder=encoder.name)
            pin = pin_of(encoder, self._settings) if encoder is subject else None
            card = card_place(request, Place(encoder.name, None, pin=pin), self._settings)
            held = engine.subject_around(encoder, request, card, pin)
            if encoder is not subject and held.card.encoder.modality != encoder.modality:
                encoder = engine.encoder_around(subject, processor, held.card)  # the other tower, if any
                held = replace(held, encoder=encoder)
            return self._judge(held, request, source="an encoder in memory"), encoder
        except Exception as error:
            return not_checked(request.encoder, error), None

    def of_model_card(self, request: CheckRequest) -> Outcome:
        """Check a Hub repository by the card that it publishes, and what its model card claims."""
        from pytest_sslauth.model_cards import ModelCards

        if self._model_cards is None:
            self._model_cards = ModelCards(self._settings, self._artifacts)
        return self._model_cards.check(request)

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
            return self._lend(checked, verdict, request, borrower)
        except Exception as error:
            return not_checked(request.encoder, error), None

    def _recall(self, request: CheckRequest, *, keep: bool) -> Checked:
        encoder = encoder_place(request.encoder, self._settings)
        card = card_place(request, encoder, self._settings)
        named = (encoder.reference, request.revision, card.reference, request.precision)
        if (day := today()) != self._day:  # cards and waivers have a last day
            self._day = day
            self._checked.clear()
        key = (named, encoder.pin, card.pin)
        known = self._checked.get(key)
        if known is None or known.fingerprint != fingerprint(known.folders):
            known = self._checked[key] = self._check(request, encoder, card, keep=keep)
        return known

    def _check(self, request: CheckRequest, encoder: Place, card: Place, *, keep: bool) -> Checked:
        folders = (encoder.folder, card.folder, key_file(card.pin), key_file(encoder.pin))
        before = fingerprint(folders)
        try:
            subject = engine.load_subject(request, encoder, card, self._settings)
            if encoder.folder is None:  # where the Hub's cache keeps it is known only now
                folders = (subject.encoder.path, *folders[1:])
                before = fingerprint(folders)
            source = encoder.found_in(self._settings.rootdir)
            outcome = self._judge(subject, request, source=source)
        except Exception as error:
            notes = [p.found_in(self._settings.rootdir) for p in (encoder, card) if p.folder is None]
            outcome = not_checked(request.encoder, error, notes=notes)
            return Checked(encoder, card, folders, before, outcome)
        return Checked(encoder, card, folders, before, outcome, subject if keep else None)

    def _judge(self, subject: Subject, request: CheckRequest, *, source: str) -> Outcome:
        authentication = engine.authenticate(subject, request, self._settings)
        reports = self._artifacts.write(authentication, subject.card) if self._artifacts else ""
        subject.encoder.verdict = authentication.verdict
        return judged(authentication.verdict, source=source, reports=reports)

    def _lend(
        self, checked: Checked, verdict: Verdict, request: CheckRequest, borrower: str
    ) -> tuple[Outcome, Encoder | None]:
        subject, checked.subject = checked.subject, None  # forgotten unless it proves unaltered
        if subject is None:
            subject = engine.load_subject(request, checked.encoder, checked.card, self._settings)
        if found := engine.differences(subject, verdict):
            return altered_since(verdict, found, checked.borrower), None
        # what was patched on a waived encoder would not show: every test gets one that was just loaded
        checked.subject = subject if verdict.waiver is None else None
        checked.borrower = borrower
        engine.in_evaluation_mode(subject.encoder)
        # a copy of the outer object: an attribute that a test replaces is replaced for that test only
        encoder = copy.copy(subject.encoder)
        encoder.verdict = verdict
        return checked.outcome, encoder
