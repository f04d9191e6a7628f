"""Checking the encoder behind an endpoint against a trusted copy, with key samples that nobody has seen."""

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor

from hf_integration.authentication import Authentication
from hf_integration.base.errors import EndpointError
from hf_integration.base.progress import Progress
from hf_integration.base.vocabulary import FEWEST_KEYS, USUAL_KEYS
from hf_integration.card import WatermarkCard
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.endpoints import Endpoint
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.judging import Judged, expected_recipe, judge_answers
from hf_integration.serving.noticing import CONFIDENCE, unnoticed_share
from hf_integration.serving.presets import Preset
from hf_integration.serving.probes import texts_of
from hf_integration.serving.recipe import Recipe
from hf_integration.serving.requests import BATCHES, Asked, ask, different_answers
from hf_integration.serving.sources import CopySource, Source
from hf_integration.serving.yardstick import Measured
from hf_integration.verdict import (
    Deployment,
    FileEvidence,
    KeySamplesRun,
    Near,
    TensorEvidence,
    Trust,
    Verdict,
)


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How an endpoint is asked.

    Attributes:
        serving: the recipe that the caller states; ``None`` for that of the encoder itself, not stated.
        keys: number of key samples, one request each.
        spread: seconds over which the requests are spread at random.
        confidence: with which the verdict states what share of requests may have gone unnoticed.
    """

    serving: Preset | None = None
    keys: int = USUAL_KEYS
    spread: float = 0.0
    confidence: float = CONFIDENCE


def check_endpoint(
    source: Source,
    endpoint: Endpoint,
    asking: Asking,
    *,
    trust: Trust,
    progress: Progress,
    accept_self_asserted: bool = False,
) -> tuple[Authentication, WatermarkCard]:
    """Ask an endpoint key samples, and hold its answers against a trusted copy or a card.

    Each request has one new text, see :mod:`~hf_integration.serving.requests`.

    Args:
        source: the copy or the card.
        endpoint: the server.
        asking: how it is asked.
        trust: why that is believed.
        progress: told how far it is.
        accept_self_asserted: let a copy or a card count that nobody pinned.

    Returns:
        The verdict with the pictures, and the card of this one check, with the key samples that were asked.

    Raises:
        EndpointError: the server did not answer, or not with embeddings.
    """
    started = time.perf_counter()
    stated = asking.serving
    own_tokenizer = stated is not None and stated.own_tokenizer
    # what the source does not know is said before the server is asked
    recipe = expected_recipe(source, None if stated is None else stated.recipe, endpoint.address.dimensions)
    progress.start(f"asking {endpoint.address.url}", asking.keys)
    samples, leaks = source.key_samples(asking.keys, ascii_only=own_tokenizer)
    tokens = source.tokens(texts_of(samples))
    with _Meanwhile(source, recipe, samples) as meanwhile:

        def told() -> None:
            progress.advance()
            meanwhile.go_on()

        asked = ask(
            endpoint,
            samples,
            tokens,
            batches=0 if leaks else BATCHES,
            spread=asking.spread,
            told=told,
        )
        progress.start("computing what the answers have to be", 1)
        measured = meanwhile.measured()
    judged = judge_answers(
        source,
        asked.samples,
        asked.embeddings,
        again=asked.again,
        expected=None if stated is None else stated.recipe,
        dimensions=endpoint.address.dimensions,
        noise=0.0 if stated is None else stated.noise,
        measured=measured.of(asked.samples),
        progress=progress,
    )
    if judged.status == "authentic" and len(asked.samples) < FEWEST_KEYS:
        few = f"only {len(asked.samples)} texts were answered, which are too few to judge by"
        judged = replace(judged, status="inconclusive", reason=f"{few}; {judged.reason}")
    differ = different_answers(asked.repeated, judged.tolerated)
    left_out = _left_out(asked, source, own_tokenizer=own_tokenizer)
    said = [judged.reason, *filter(None, [differ]), *left_out, *source.remarks()]
    judged = replace(judged, reason="; ".join(said))
    deployment = Deployment(
        address=endpoint.address.url,
        api=endpoint.address.api,
        expected=_words(judged.expected, source, stated),
        found=None if judged.found is None else _words(judged.found, source, stated),
        nearest=tuple(Near(str(near.recipe), near.distance, near.typical) for near in judged.nearest),
        requests=asked.sent,
        refused=asked.refused,
        unnoticed=unnoticed_share(asked.compared, asking.confidence),
        confidence=asking.confidence,
        tolerated=judged.tolerated,
        claims=dict(_claims(endpoint)),  # asked last, as the question gives the check away
    )
    if judged.status == "authentic" and (doubt := source.doubt(trust, accepted=accept_self_asserted)):
        judged = replace(judged, status="inconclusive", reason=f"{doubt}; {judged.reason}")
    seconds = time.perf_counter() - started
    return _authentication(source, asked, judged, deployment, trust=trust, seconds=seconds), judged.card


def ask_fresh(
    endpoint: Endpoint, encoder: TorchEncoder, *, keys: int, spread: float = 0.0
) -> tuple[KeySamples, Tensor]:
    """Ask an endpoint fresh key samples one by one, without any question about the answers.

    Args:
        endpoint: the server.
        encoder: the trusted copy, which takes texts.
        keys: number of key samples.
        spread: seconds over which the requests are spread at random.

    Returns:
        Those that were answered, and the answers: float64 ``(n, dim)``.

    Raises:
        EndpointError: the server did not answer, or not with embeddings.
    """
    source = CopySource(encoder)
    samples, _ = source.key_samples(keys, ascii_only=False)
    tokens = source.tokens(texts_of(samples))
    asked = ask(endpoint, samples, tokens, batches=0, spread=spread, told=lambda: None)
    return asked.samples, asked.embeddings


class _Meanwhile:
    """The reference, which a thread computes while the server is asked, from the second request on.

    A server that is not there is said to be so before anything is computed. The thread ends between two runs
    once nobody waits for it.

    Args:
        source: what the encoder gives. Nobody else may use a trusted copy meanwhile, nor its tokenizer.
        recipe: what is expected.
        samples: the key samples.
    """

    def __init__(self, source: Source, recipe: Recipe, samples: KeySamples) -> None:
        self._source, self._recipe, self._samples = source, recipe, samples
        self._thread = ThreadPoolExecutor(1)
        self._given_up = threading.Event()
        self._calls = 0
        self._found: Future[Measured] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._given_up.set()
        self._thread.shutdown(cancel_futures=True)

    def go_on(self) -> None:
        """A request is about to be sent."""
        self._calls += 1
        if self._calls == 2:  # the first was answered
            self._found = self._thread.submit(
                self._source.measure, self._recipe, self._samples, between=self._end
            )

    def measured(self) -> Measured:
        """What was computed, once it is."""
        if self._found is None:
            return self._source.measure(self._recipe, self._samples)
        return self._found.result()

    def _end(self) -> None:
        if self._given_up.is_set():
            raise CancelledError


def _left_out(asked: Asked, source: Source, *, own_tokenizer: bool) -> Iterator[str]:
    """What the key samples do not show, which a verdict has to say."""
    if asked.refused:
        yield f"the server refused {asked.refused} long texts"
    if asked.batches_refused:
        yield f"the server refused {asked.batches_refused} requests with several texts"
    if asked.longest <= source.length:
        yield f"no text of more than {asked.longest} tokens was answered, so it is not known where it cuts"
    if own_tokenizer:
        yield "only ASCII texts were asked, as such servers read other scripts by a tokenizer of their own"


def _claims(endpoint: Endpoint) -> Mapping[str, str]:
    """What the server says of itself: it may say nothing, or nonsense, without being the wrong encoder."""
    try:
        return endpoint.claims()
    except EndpointError as error:
        return {"about itself": f"nothing that can be read: {error}"}


def _words(recipe: Recipe, source: Source, stated: Preset | None) -> str:
    """A recipe as people know it: by the name that the caller gave, or its own if it has one."""
    if stated is not None and recipe == source.simplified(stated.recipe):
        return f"{stated.name}: {recipe}"
    preset = source.named(recipe)
    return str(recipe) if preset is None or not recipe.form.exact else f"{preset.name}: {recipe}"


def _authentication(
    source: Source,
    asked: Asked,
    judged: Judged,
    deployment: Deployment,
    *,
    trust: Trust,
    seconds: float,
) -> Authentication:
    found = judged.reconstruction
    verdict = Verdict(
        status=judged.status,
        reason=judged.reason,
        trust=trust,
        encoder=source.name,
        revision=source.commit,
        card=source.identity,
        precision=judged.expected.arithmetic,
        margin=None if judged.status == "inconclusive" else found.margin,
        strips=found.strips,
        tensors=TensorEvidence(checked=0),
        files=FileEvidence(checked=0),
        diagnosis=(),
        seconds=seconds,
        environment=dict(source.environment()),
        key_samples=KeySamplesRun(
            len(asked.samples), len(asked.samples) + asked.refused + asked.batches_refused
        ),
        deployment=deployment,
    )
    return Authentication(verdict, found)
