"""Checking the encoder behind an endpoint against a trusted copy, with key samples that nobody has seen."""

import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from hf_integration.authentication import Authentication
from hf_integration.authentication.references import environment_of
from hf_integration.base.errors import EndpointError
from hf_integration.base.progress import Progress
from hf_integration.card import WatermarkCard
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.endpoints import Endpoint
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.judging import Judged, judge_answers
from hf_integration.serving.presets import Preset, named
from hf_integration.serving.probes import fresh_samples
from hf_integration.serving.recipe import Recipe
from hf_integration.verdict import (
    CardIdentity,
    Deployment,
    FileEvidence,
    KeySamplesRun,
    Near,
    TensorEvidence,
    Trust,
    Verdict,
)

CONFIDENCE = 0.99
"""With which a verdict states what share of requests may have gone unnoticed."""


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How an endpoint is asked.

    Attributes:
        serving: the recipe that the caller states; ``None`` for that of the encoder itself, not stated.
        keys: number of key samples, one request each.
    """

    serving: Preset | None = None
    keys: int = 64


def requests_to_notice(share: float, confidence: float = CONFIDENCE) -> int:
    """Requests after which another encoder that answers a share of them shows with a confidence.

    Raises:
        ValueError: one of them is not between 0 and 1.
    """
    if not (0 < share < 1 and 0 < confidence < 1):
        raise ValueError(f"share {share} and confidence {confidence} must lie between 0 and 1")
    return math.ceil(math.log(1 - confidence) / math.log(1 - share))


def unnoticed_share(requests: int, confidence: float = CONFIDENCE) -> float:
    """Share of requests that another encoder may answer and go unnoticed with the confidence's complement."""
    return 1 - (1 - confidence) ** (1 / requests) if requests else 1.0


def check_endpoint(
    encoder: TorchEncoder,
    endpoint: Endpoint,
    asking: Asking,
    *,
    trust: Trust,
    progress: Progress,
    accept_self_asserted: bool = False,
) -> tuple[Authentication, WatermarkCard]:
    """Ask an endpoint fresh key samples, and hold its answers against a trusted copy.

    One text is sent in each request, in random order: whoever answers some requests with another encoder does
    not know which, and a batch would be one such request.

    Args:
        encoder: the trusted copy, which takes texts.
        endpoint: the server.
        asking: how it is asked.
        trust: why the copy is believed.
        progress: told how far it is.
        accept_self_asserted: let a copy count that nobody pinned.

    Returns:
        The verdict with the pictures, and the card of this one check, with the key samples that were asked.

    Raises:
        EndpointError: the server did not answer, or not with embeddings.
    """
    started = time.perf_counter()
    samples = fresh_samples(encoder, asking.keys)
    order = list(range(len(samples)))
    random.SystemRandom().shuffle(order)
    claims = _claims(endpoint)
    progress.start(f"asking {endpoint.address.url}", len(samples))
    answers = endpoint.embed([str(samples[place]) for place in order], per_request=1)
    rows = torch.empty(answers.embeddings.shape, dtype=torch.float64)
    rows[order] = torch.from_numpy(answers.embeddings)
    stated = asking.serving
    expected = None if stated is None else stated.recipe
    width = rows.shape[1]
    if expected is not None and endpoint.address.dimensions == width < encoder.description.embedding_dim:
        expected = expected.but(dimensions=width)  # the caller asked for so many
    judged = judge_answers(
        encoder, samples, rows, expected=expected, noise=0.0 if stated is None else stated.noise
    )
    deployment = Deployment(
        address=endpoint.address.url,
        api=endpoint.address.api,
        expected=_words(judged.expected),
        found=None if judged.found is None else _words(judged.found),
        nearest=tuple(Near(str(near.recipe), near.distance, near.typical) for near in judged.nearest),
        requests=answers.requests,
        unnoticed=unnoticed_share(len(samples)),
        noise=judged.noise,
        claims=dict(claims),
    )
    if trust == "self-asserted" and judged.status == "authentic" and not accept_self_asserted:
        unpinned = "nobody pinned the copy that the answers fit, so that it may be anybody's"
        judged = replace(judged, status="inconclusive", reason=unpinned)
    seconds = time.perf_counter() - started
    return _authentication(encoder, samples, judged, deployment, trust=trust, seconds=seconds), judged.card


def _claims(endpoint: Endpoint) -> Mapping[str, str]:
    """What the server says of itself: it may say nothing, or nonsense, without being the wrong encoder."""
    try:
        return endpoint.claims()
    except EndpointError as error:
        return {"about itself": f"nothing that can be read: {error}"}


def _words(recipe: Recipe) -> str:
    """A recipe as people know it: by its name, if it has one, and by what it does."""
    preset = named(recipe)
    return str(recipe) if preset is None or recipe.differences(preset.recipe) else f"{preset.name}: {recipe}"


def _authentication(
    encoder: TorchEncoder,
    samples: KeySamples,
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
        encoder=encoder.name,
        revision=encoder.commit,
        card=CardIdentity(digest="", location="fresh key samples, and what the trusted copy gives for them"),
        precision=judged.expected.arithmetic,
        margin=None if judged.status == "inconclusive" else found.margin,
        strips=found.strips,
        tensors=TensorEvidence(checked=0),
        files=FileEvidence(checked=0),
        diagnosis=(),
        seconds=seconds,
        environment=environment_of(encoder),
        key_samples=KeySamplesRun(len(samples), len(samples)),
        deployment=deployment,
    )
    return Authentication(verdict, found)
