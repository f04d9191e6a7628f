"""The main job, and the first thing to read: ``authenticate(encoder, card) -> Verdict``."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeVar

from torch import Tensor

from hf_integration.authentication.diagnosis import diagnose
from hf_integration.authentication.environment import environment_of
from hf_integration.authentication.evidence import (
    compared_digests,
    loaded_digests,
    weights_of,
)
from hf_integration.authentication.file_evidence import file_evidence, other_libraries, why_not_run
from hf_integration.authentication.judgement import judge
from hf_integration.authentication.observation import observe_sketches, observe_within
from hf_integration.authentication.outside_evidence import outside_digests, outside_evidence
from hf_integration.authentication.reconstruction import Reconstruction, reconstruct_first
from hf_integration.authentication.references import (
    default_precision,
    other_kind,
    reference_for,
    refuse_part,
    rounding_of,
)
from hf_integration.authentication.state import state_of
from hf_integration.authentication.trust import trust_in
from hf_integration.authentication.witness import witness
from hf_integration.card import WatermarkCard
from hf_integration.dates import today
from hf_integration.encoders.allocation import keep_freed_memory
from hf_integration.encoders.interface import Encoder, Precision
from hf_integration.errors import ENDING, KeySampleError, SSLAuthError, in_one_line
from hf_integration.progress import Progress, Silent
from hf_integration.verdict import CardIdentity, Trust, Verdict
from hf_integration.verdict.value import MIXED

_NO_REFERENCE = "no reference is of weights rounded in part to float16 and in part to bfloat16"


Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Authentication:
    """A verdict together with the pictures it was taken from.

    Attributes:
        verdict: what was found out.
        reconstruction: the watermark as each strip reproduced it.
    """

    verdict: Verdict
    reconstruction: Reconstruction


@dataclass(frozen=True, kw_only=True)
class Authenticator:
    """Checks encoders against one card.

    Attributes:
        card: the watermark card.
        precision: arithmetic of the check; by default float64 if the weights can be read and the device has
            it, else float32. The caller chooses, never the encoder that is checked.
        trust: why the card is believed; by default found out from where it was loaded.
        accept_self_asserted: let a card pass although only the checked repository itself vouches for it.
        clean_process: the caller asserts that no code in this process tampers with encoders, so a broken
            watermark over equal tensors is an alteration and not an open question.
        budget: seconds that running key samples may take; the verdict says how many of them were run. By
            default all are.
        today: the date (UTC) on which the card must not have expired; by default that of the check.
    """

    card: WatermarkCard
    precision: Precision | None = None
    trust: Trust | None = None
    accept_self_asserted: bool = False
    clean_process: bool = False
    budget: float | None = None
    today: date | None = None

    def authenticate(self, encoder: Encoder, *, progress: Progress | None = None) -> Authentication:
        """Check one encoder.

        Args:
            encoder: the encoder, in any precision; it is left as it is, except that it never pads from then
                on if the card says so.
            progress: told how many key samples are done.

        Returns:
            The verdict and the reconstructed pictures.

        Raises:
            UsageError: the card holds no reference for this precision, or is of more than a module in memory.
        """
        started = time.perf_counter()
        progress = progress or Silent()
        card = self.card
        refuse_part(encoder, card)
        if card.encoder.never_padded:
            encoder.never_pad()
        precision = self.precision or default_precision(encoder)
        trust = self.trust or trust_in(card, encoder)

        process = encoder.process_state()
        keep_freed_memory()
        with ThreadPoolExecutor(1) as beside:
            hashing = beside.submit(loaded_digests, encoder)
            files = file_evidence(encoder, card)
            digests = hashing.result()
        beside_it = outside_digests(encoder)
        outside = outside_evidence(encoder, card, digests, beside_it)
        tensors = replace(compared_digests(encoder, card, digests), outside=outside.changed)
        files = replace(files, notes=(*files.notes, *outside.notes))
        state = state_of(encoder, digests, beside_it)
        weights = weights_of(encoder, card, digests)
        reference = reference_for(card, weights, precision)
        rounding = weights if tensors.matches is None else rounding_of(card, weights)
        running = encoder.at_precision(precision, weights=rounding, run_only=True)
        sketches: dict[str, Tensor] = {}
        progress.start(f"checking {encoder.name}", len(card.key_samples))
        another = other_kind(encoder, card)
        failure = _NO_REFERENCE if tensors.matches == MIXED else why_not_run(encoder, card)
        if not (another or failure):  # another kind of encoder leaves every strip broken
            sketches, failure = _tried(lambda: self._observe(running, progress), sketches)
        ran = len(next(iter(sketches.values()))) if sketches else len(card.key_samples)
        reconstruction = reconstruct_first(card, reference, sketches)
        if sketches and reconstruction.intact and running is not encoder and encoder.copies_differ:
            seen, failure = _tried(lambda: witness(encoder, card, weights), reconstruction)
            if not seen.intact:
                reconstruction, precision = seen, encoder.own_precision

        first_broken = next((strip.name for strip in reconstruction.strips if not strip.intact), None)
        expired = card.expires or "" if card.expired(self.today or today()) else ""
        status, reason = judge(
            other_kind=another,
            failure=failure,
            expired=expired,
            intact=reconstruction.intact,
            first_broken=first_broken,
            tensors=tensors,
            files=files,
            has_weights=encoder.has_weights,
            stored_dtype=card.encoder.stored_dtype,
            trust=trust,
            accept_self_asserted=self.accept_self_asserted,
            clean_process=self.clean_process,
            libraries=other_libraries(card),
            process=process,
        )
        verdict = Verdict(
            status=status,
            reason=reason + _left_out(ran, len(card.key_samples)) + _also_expired(expired, reason),
            trust=trust,
            encoder=encoder.name,
            revision=encoder.commit,
            card=CardIdentity(digest=card.digest, location=card.location),
            precision=precision,
            margin=None if status == "inconclusive" else reconstruction.margin,
            strips=reconstruction.strips,
            tensors=tensors,
            files=files,
            coverage=_of_those_run(card.coverage, card, ran),
            floor=_of_those_run(card.floor, card, ran),
            diagnosis=diagnose(
                status, reconstruction, tensors, files, encoder, card, failure, expired, process
            ),
            seconds=time.perf_counter() - started,
            environment=environment_of(encoder),
            state=state,
            process=tuple(finding.what for finding in process),
            key_samples={"run": ran if sketches else 0, "of": len(card.key_samples)},
        )
        return Authentication(verdict, reconstruction)

    def _observe(self, running: Encoder, progress: Progress) -> dict[str, Tensor]:
        samples, seed = self.card.key_samples, self.card.seed
        if self.budget is None:
            return observe_sketches(running, samples, seed=seed, progress=progress)
        return observe_within(running, samples, seed=seed, seconds=self.budget, progress=progress)


def _tried(run: Callable[[], Result], otherwise: Result) -> tuple[Result, str]:
    """What code that runs in an encoder gives, and what it raised: an encoder that cannot run is no pass."""
    try:
        return run(), ""
    except KeySampleError as error:  # they are of its modality, and its processor refuses them
        return otherwise, str(error)
    except (SSLAuthError, *ENDING):
        raise
    except BaseException as error:  # whatever it may be
        return otherwise, in_one_line(error)


def _of_those_run(said: Mapping[str, Any], card: WatermarkCard, ran: int) -> Mapping[str, Any]:
    """A card's statement; it holds for all key samples, and must not read as if it held for fewer."""
    count = len(card.key_samples)
    if ran == count:
        return said
    return {"key samples": count, "key samples run": ran, "of all key samples": said}


def _left_out(ran: int, count: int) -> str:
    """What a budget cost, as the end of a sentence."""
    return f"; the budget allowed the first {ran} of {count} key samples" if ran < count else ""


def _also_expired(expired: str, reason: str) -> str:
    """An alteration stays one, whatever the date; but who reads of it should know how old the card is."""
    return f"; besides, the card expired on {expired}" if expired and expired not in reason else ""


def authenticate(encoder: Encoder, card: WatermarkCard, *, precision: Precision | None = None) -> Verdict:
    """Check an encoder against a watermark card.

    Args:
        encoder: what :func:`hf_integration.load_encoder` gave.
        card: what :meth:`hf_integration.WatermarkCard.load` gave.
        precision: arithmetic of the check, see :class:`Authenticator`.

    Returns:
        The verdict; look at ``verdict.status``, which is never ``authentic`` for an encoder that could not be
        checked.

    Raises:
        UsageError: the card holds no reference for this precision.
    """
    return Authenticator(card=card, precision=precision).authenticate(encoder).verdict
