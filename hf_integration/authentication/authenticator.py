"""The main job, and the first thing to read: ``authenticate(encoder, card) -> Verdict``."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeVar

from torch import Tensor

from hf_integration.authentication.diagnosis import diagnose
from hf_integration.authentication.evidence import Comparison, compare, other_libraries, why_not_run
from hf_integration.authentication.judgement import Findings, Policy, judge
from hf_integration.authentication.reconstruction import (
    Reconstruction,
    observe_sketches,
    observe_within,
    reconstruct_first,
    witness,
)
from hf_integration.authentication.references import (
    default_precision,
    environment_of,
    reference_for,
    refuse_part,
    rounding_of,
    run_strips,
)
from hf_integration.authentication.trust import trust_in
from hf_integration.base.errors import ENDING, KeySampleError, SSLAuthError, in_one_line
from hf_integration.base.progress import Progress, Silent
from hf_integration.base.vocabulary import Precision, today
from hf_integration.card import WatermarkCard
from hf_integration.card.coverage import coverage_record
from hf_integration.encoders.identity.in_process import Finding
from hf_integration.encoders.interface import Encoder
from hf_integration.key_samples.samples import Sample
from hf_integration.verdict import MIXED, CardIdentity, KeySamplesRun, Trust, Verdict

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


@dataclass(frozen=True, eq=False)
class _Run:
    """What came of the key samples: the watermark, in which precision and where; or why there is none.

    Attributes:
        code: what was put onto the encoder in this process, as it was found after the last of its runs.
    """

    reconstruction: Reconstruction
    precision: Precision
    failure: str | None
    key_samples: KeySamplesRun
    device: str
    own_device: str
    code: tuple[str, ...]

    @property
    def elsewhere(self) -> str:
        """What is said where the encoder's own device could not compute in the precision."""
        moved = self.device != self.own_device
        return f"; run on {self.device}, as {self.own_device} has no float64" if moved else ""


@dataclass(frozen=True, kw_only=True)
class Authenticator:
    """Checks encoders against one card.

    Attributes:
        card: the watermark card.
        precision: arithmetic of the check; by default float64 if the weights can be read, else float32. The
            caller chooses, never the encoder that is checked. Float64 is run on the CPU where the encoder's
            device has none.
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
        refuse_part(encoder, self.card)
        if self.card.encoder.never_padded:
            encoder.never_pad()
        # what the encoder's own code could change is found out before any of it runs
        process, trust = encoder.process_state(), self.trust or trust_in(self.card, encoder)
        compared = compare(encoder, self.card)
        run = self._run(encoder, compared, progress or Silent())
        findings = self._findings(encoder, process, trust, compared, run)
        verdict = self._verdict(encoder, findings, run, compared.state_of(encoder, run.code))
        return Authentication(replace(verdict, seconds=time.perf_counter() - started), run.reconstruction)

    def _run(self, encoder: Encoder, compared: Comparison, progress: Progress) -> _Run:
        """Run the key samples through the encoder, and reconstruct the watermark from what comes out."""
        card = run_strips(self.card, encoder)
        weights, precision = compared.weights, self.precision or default_precision(encoder)
        reference = reference_for(card, weights, precision)
        rounding = weights if compared.tensors.matches is None else rounding_of(card, weights)
        running = encoder.at_precision(precision, weights=rounding, run_only=True)
        # asked before anything runs: a hook may take the weights away afterwards
        device, own_device = running.device, encoder.device
        some = card.key_samples[: reference.keys]
        progress.start(f"checking {encoder.name}", len(some))
        sketches: dict[str, Tensor] = {}
        failure = _NO_REFERENCE if compared.tensors.matches == MIXED else why_not_run(encoder, card)
        if not (failure or compared.other_kind):  # another kind of encoder leaves every strip broken
            sketches, failure = _tried(lambda: self._observe(running, some, progress), sketches)
        count = len(next(iter(sketches.values()))) if sketches else 0
        found = reconstruct_first(card, reference, sketches)
        code = encoder.in_process_changes()  # once more: now its own code ran
        if sketches and found.intact and running is not encoder and encoder.copies_differ(code):
            seen, failure = _tried(lambda: witness(encoder, card, weights), found)
            code = encoder.in_process_changes()
            if not seen.intact:
                found, precision, device = seen, encoder.own_precision, own_device
        ran = KeySamplesRun(count, len(some))
        return _Run(found, precision, failure, ran, device, own_device, code)

    def _findings(
        self, encoder: Encoder, process: tuple[Finding, ...], trust: Trust, compared: Comparison, run: _Run
    ) -> Findings:
        """All that a verdict is made of."""
        card = self.card
        return Findings(
            strips=run.reconstruction.strips,
            tensors=compared.tensors,
            files=compared.files,
            has_weights=encoder.has_weights,
            stored_dtype=card.encoder.stored_dtype,
            trust=trust,
            process=process,
            libraries=other_libraries(card),
            other_kind=compared.other_kind,
            failure=run.failure,
            expired=card.expires if card.expired(self.today or today()) else None,
        )

    def _verdict(self, encoder: Encoder, findings: Findings, run: _Run, state: str | None) -> Verdict:
        """The judgement with everything that a report shows beside it."""
        card, samples = self.card, run.key_samples
        policy = Policy(self_asserted=self.accept_self_asserted, clean_process=self.clean_process)
        status, reason = judge(findings, policy)
        return Verdict(
            status=status,
            reason=reason + _besides(findings, samples, len(card.key_samples), reason) + run.elsewhere,
            trust=findings.trust,
            encoder=encoder.name,
            revision=encoder.commit,
            card=CardIdentity(digest=card.digest, location=card.location),
            precision=run.precision,
            margin=None if status == "inconclusive" else run.reconstruction.margin,
            strips=findings.strips,
            tensors=findings.tensors,
            files=findings.files,
            coverage=_of_those_run(coverage_record(card.coverage), samples.run, len(card.key_samples)),
            floor=_of_those_run(card.floor, samples.run, len(card.key_samples)),
            diagnosis=diagnose(status, findings, encoder, card),
            environment=environment_of(run.device),
            state=state,
            process=tuple(finding.what for finding in findings.process),
            key_samples=samples,
        )

    def _observe(self, running: Encoder, samples: Sequence[Sample], progress: Progress) -> dict[str, Tensor]:
        seed = self.card.seed
        if self.budget is None:
            return observe_sketches(running, samples, seed=seed, progress=progress)
        return observe_within(running, samples, seed=seed, seconds=self.budget, progress=progress)


def _tried(run: Callable[[], Result], otherwise: Result) -> tuple[Result, str | None]:
    """What code that runs in an encoder gives, and what it raised: an encoder that cannot run is no pass."""
    try:
        return run(), None
    except KeySampleError as error:  # they are of its modality, and its processor refuses them
        return otherwise, str(error)
    except (SSLAuthError, *ENDING):
        raise
    except BaseException as error:  # whatever it may be
        return otherwise, in_one_line(error)


def _of_those_run(said: Mapping[str, Any], run: int, whole: int) -> Mapping[str, Any]:
    """A card's statement; it holds for all key samples, and must not read as if it held for fewer."""
    return (
        said if run == whole else {"key samples": whole, "key samples run": run, "of all key samples": said}
    )


def _besides(findings: Findings, samples: KeySamplesRun, whole: int, reason: str) -> str:
    """The end of the reason: which key samples were left out, and how old the card is.

    An alteration stays one.
    """
    said = ""
    if samples.of < whole:
        said = (
            f"; the card's reference for this precision is of the first {samples.of} of {whole} key samples"
        )
    if samples.partial:
        said += f"; the budget allowed the first {samples.run} of {samples.of} key samples"
    if findings.expired and findings.expired not in reason:
        said += f"; besides, the card expired on {findings.expired}"
    return said


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
