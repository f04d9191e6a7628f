"""The one door to the engine: everything that makes a check import torch is behind it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from hf_integration.authentication import Authentication, Authenticator
from hf_integration.authentication.evidence import compare
from hf_integration.authentication.reconstruction import witness
from hf_integration.base.errors import UsageError
from hf_integration.card import WatermarkCard
from hf_integration.checking.pins import Pin
from hf_integration.checking.subject import Subject
from hf_integration.encoders import Encoder, wrap_module
from hf_integration.encoders.containers import open_container
from hf_integration.encoders.wrapping import name_in_memory
from hf_integration.report import StripImages
from hf_integration.verdict import Verdict
from pytest_sslauth.marker import CheckRequest
from pytest_sslauth.options import Settings
from pytest_sslauth.outcome import MOST_BYTES, Kept, Outcome, fits, judged
from pytest_sslauth.report_folder import ReportNames


def encoder_around(subject: object, processor: Any, card: WatermarkCard | None = None) -> Encoder:
    """The encoder that a caller holds in memory: one of the engine's, or a module with its processor.

    Args:
        subject: what the caller holds.
        processor: what prepares raw samples for a module.
        card: what it is to be checked with; its modality decides between two towers.

    Raises:
        UsageError: it is neither.
    """
    from torch import nn

    if isinstance(subject, Encoder):
        if processor is not None:
            raise UsageError("processor= goes with a torch module; this encoder has its own")
        return subject
    contents = open_container(subject, processor)
    if not isinstance(contents.module, nn.Module):
        raise UsageError(
            f"cannot authenticate {type(subject).__name__!r}",
            remedy="give a folder, a Hub repo id, an Encoder, or a torch module and processor=",
        )
    if contents.processor is None:
        raise UsageError("a torch module alone cannot be fed raw samples", remedy="give processor= as well")
    return wrap_module(
        subject,
        processor,
        preferred=None if card is None else card.encoder,
    )


def told_apart(authentication: Authentication, subject: object) -> Authentication:
    """The same with the name that tells a module in memory apart from others of the run, by what it holds."""
    verdict = authentication.verdict
    name = name_in_memory(subject, open_container(subject, None).module, state=verdict.state)
    return replace(authentication, verdict=replace(verdict, encoder=name))


def modules_in(subject: object, encoder: Encoder) -> Iterator[object]:
    """What a user may have loaded of an encoder in memory: its model, and the containers around it."""
    from torch import nn

    yield encoder.model
    for outer in (subject, open_container(subject, None).module if subject is not encoder else None):
        yield from outer.modules() if isinstance(outer, nn.Module) else ()


def authenticate(subject: Subject, request: CheckRequest, settings: Settings) -> Authentication:
    """Check an encoder as the session's settings and the test's request say."""
    with _share_of_cores(settings.workers):
        return subject.authenticate(
            precision=request.precision or settings.precision,
            budget=settings.budget,
            accept_self_asserted=settings.accept_self_asserted,
        )


@contextmanager
def _share_of_cores(workers: int) -> Iterator[None]:
    """Compute on as many cores as are one worker's: more threads than cores wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, (os.cpu_count() or 1) // workers)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def outcome(
    authentication: Authentication,
    card: WatermarkCard,
    settings: Settings,
    names: ReportNames,
    *,
    source: str,
    pin: Pin | None,
) -> Outcome:
    """What came out of a check, with the pictures and names of files that the session wants of it.

    Args:
        authentication: verdict and pictures.
        card: that was checked with.
        settings: of the session.
        names: of files.
        source: where the encoder was found, in words.
        pin: the entry of ``sslauth.toml``, if the encoder is one.
    """
    verdict, kept = authentication.verdict, Kept()
    if settings.gathers and settings.keeps(authentic=verdict.authentic) and fits(verdict.to_dict()):
        kept = Kept(
            images=_images(authentication, card) if settings.html else None,
            picture=_picture(authentication, card) if settings.report_dir or settings.pytest_html else None,
            stem=names.of(verdict) if settings.report_dir else "",
        )
    return judged(verdict, settings, source=source, entry=None if pin is None else pin.name, kept=kept)


def _images(authentication: Authentication, card: WatermarkCard) -> StripImages | None:
    from hf_integration.report.pictures import strip_images

    images = strip_images(authentication, card)
    size = sum(map(len, (images.expected, *images.found, *images.difference)))
    return images if size <= MOST_BYTES else None


def _picture(authentication: Authentication, card: WatermarkCard) -> bytes | None:
    from hf_integration.report.pictures import picture_of

    picture = picture_of(authentication, card)
    return picture if len(picture) <= MOST_BYTES else None


def differences(subject: Subject, verdict: Verdict) -> tuple[str, ...]:
    """What was altered in this process since a subject was found authentic, in words.

    Digests of all tensors, settings and hooks, and a few key samples through the encoder as it is: attributes
    of modules, compiled code and patched functions have no digest. Where those samples miss the tolerance, as
    they may on another device than the card's in less than float64, the whole check is made again.

    Code in this process counts unless the verdict names it, which may be one of another process.

    Of an alteration that is waived only the state is compared: its key samples give no watermark.
    """
    encoder, before = subject.encoder, verdict.tensors
    now = compare(encoder, subject.card)
    if verdict.waiver is not None:
        same = now.state_of(encoder, encoder.in_process_changes()) == verdict.state
        return () if same else ("the altered encoder is another one than was waived",)
    tensors = now.tensors
    found = [] if subject.card.digest == verdict.card.digest else ["the card is another one"]
    if tensors.matches is None or (tensors.matches, tensors.kept) != (before.matches, before.kept):
        found += [f"tensor {name}" for name in (*tensors.changed, *tensors.missing, *tensors.unexpected)]
        found = found or ["the tensors were rounded to another precision"]
    found += [f"tensor {name}" for name in tensors.outside]
    found += now.files.changed
    found += [change for change in encoder.in_process_changes() if change not in verdict.process]
    if found or witness(encoder, subject.card, now.weights).intact:
        return tuple(found)
    # what the caller accepts was decided when the encoder was found authentic
    check = Authenticator(
        card=subject.card, precision=verdict.precision, trust=verdict.trust, accept_self_asserted=True
    )
    again = check.authenticate(encoder).verdict
    broken = tuple(f"strip {strip.name}" for strip in again.strips if not strip.intact)
    return () if again.authentic else broken or (again.reason,)


def in_evaluation_mode(encoder: Encoder) -> None:
    """Undo a ``train()`` that an earlier test left behind: dropout would change what the next one sees."""
    with suppress(AttributeError):
        encoder.model.eval()
