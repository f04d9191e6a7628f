"""Checking the encoder behind an endpoint against a trusted copy, with key samples that nobody has seen."""

import math
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hf_integration.authentication import Authentication
from hf_integration.authentication.references import environment_of
from hf_integration.base.errors import EndpointError
from hf_integration.base.progress import Progress
from hf_integration.card import WatermarkCard
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.endpoints import Endpoint
from hf_integration.key_samples.samples import KeySamples
from hf_integration.minting.padding import padding_leaks
from hf_integration.serving.computing import own_length, tokens_of
from hf_integration.serving.judging import Judged, judge_answers
from hf_integration.serving.presets import Preset, named
from hf_integration.serving.probes import CUTS, fresh_samples, texts_of
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
    stated = asking.serving
    own_tokenizer = stated is not None and stated.own_tokenizer
    claims = _claims(endpoint)
    progress.start(f"asking {endpoint.address.url}", asking.keys)
    samples = _fresh(encoder, asking.keys, ascii_only=own_tokenizer)
    asked = _ask(endpoint, encoder, samples)
    progress.advance(asking.keys)
    judged = judge_answers(
        encoder,
        asked.samples,
        asked.embeddings,
        expected=None if stated is None else stated.recipe,
        dimensions=endpoint.address.dimensions,
        noise=0.0 if stated is None else stated.noise,
    )
    judged = replace(
        judged, reason="; ".join([judged.reason, *_left_out(asked, encoder, own_tokenizer=own_tokenizer)])
    )
    deployment = Deployment(
        address=endpoint.address.url,
        api=endpoint.address.api,
        expected=_words(judged.expected, encoder),
        found=None if judged.found is None else _words(judged.found, encoder),
        nearest=tuple(Near(str(near.recipe), near.distance, near.typical) for near in judged.nearest),
        requests=asked.requests,
        refused=asked.refused,
        unnoticed=unnoticed_share(len(asked.samples)),
        tolerated=judged.tolerated,
        claims=dict(claims),
    )
    if trust == "self-asserted" and judged.status == "authentic" and not accept_self_asserted:
        unpinned = f"nobody pinned the copy: give --revision COMMIT, or pin it; {judged.reason}"
        judged = replace(judged, status="inconclusive", reason=unpinned)
    seconds = time.perf_counter() - started
    return _authentication(
        encoder, asked.samples, judged, deployment, trust=trust, seconds=seconds
    ), judged.card


@dataclass(frozen=True, eq=False)
class _Asked:
    """Key samples that were answered, and what it took.

    Attributes:
        samples: those that were answered.
        embeddings: float64 ``(n, dim)`` in their order.
        requests: that were sent.
        refused: how many key samples the server refused, all of them long.
        longest: tokens of the longest that was answered.
    """

    samples: KeySamples
    embeddings: Tensor
    requests: int
    refused: int
    longest: int


def ask_fresh(endpoint: Endpoint, encoder: TorchEncoder, *, keys: int) -> tuple[KeySamples, Tensor]:
    """Ask an endpoint fresh key samples, without any question about the answers.

    Args:
        endpoint: the server.
        encoder: the trusted copy, which takes texts.
        keys: number of key samples.

    Returns:
        Those that were answered, and the answers: float64 ``(n, dim)``.

    Raises:
        EndpointError: the server did not answer, or not with embeddings.
    """
    asked = _ask(endpoint, encoder, _fresh(encoder, keys, ascii_only=False))
    return asked.samples, asked.embeddings


def _fresh(encoder: TorchEncoder, keys: int, *, ascii_only: bool) -> KeySamples:
    """Fresh key samples; the copy is made to embed them as a server does that has one text at a time."""
    samples = fresh_samples(encoder, keys, ascii_only=ascii_only)
    if padding_leaks(encoder, samples, seed=0):
        encoder.never_pad()  # each text is asked by itself, so that the server has nothing to pad it to
    return samples


def _ask(endpoint: Endpoint, encoder: TorchEncoder, samples: KeySamples) -> _Asked:
    """Ask each key sample by itself, in random order. Long ones may be refused, as many servers do not cut.

    Raises:
        EndpointError: the server did not answer one of the others.
    """
    texts = texts_of(samples)
    order = list(range(len(texts)))
    random.SystemRandom().shuffle(order)
    tokens = tokens_of(encoder, texts)
    long = {place for place, index in enumerate(order) if tokens[index] >= min(CUTS)}
    answers = endpoint.embed([texts[index] for index in order], per_request=1, may_refuse=long)
    answered = [index for place, index in enumerate(order) if place not in answers.refused]
    back = sorted(range(len(answered)), key=answered.__getitem__)
    kept = sorted(answered)
    return _Asked(
        KeySamples([texts[index] for index in kept], origin=samples.origin),
        torch.from_numpy(answers.embeddings[back]),
        answers.requests,
        refused=len(answers.refused),
        longest=max(tokens[index] for index in kept),
    )


def _left_out(asked: _Asked, encoder: TorchEncoder, *, own_tokenizer: bool) -> Iterator[str]:
    """What the key samples do not show, which a verdict has to say."""
    if asked.refused:
        yield f"the server refused {asked.refused} long texts"
    if asked.longest <= own_length(encoder):
        yield f"no text of more than {asked.longest} tokens was answered, so it is not known where it cuts"
    if own_tokenizer:
        yield "only ASCII texts were asked, as such servers read other scripts by a tokenizer of their own"


def _claims(endpoint: Endpoint) -> Mapping[str, str]:
    """What the server says of itself: it may say nothing, or nonsense, without being the wrong encoder."""
    try:
        return endpoint.claims()
    except EndpointError as error:
        return {"about itself": f"nothing that can be read: {error}"}


def _words(recipe: Recipe, encoder: TorchEncoder) -> str:
    """A recipe as people know it: by its name, if it has one, and by what it does."""
    preset = named(recipe, encoder)
    return str(recipe) if preset is None or not recipe.form.exact else f"{preset.name}: {recipe}"


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
        key_samples=KeySamplesRun(len(samples), len(samples) + deployment.refused),
        deployment=deployment,
    )
    return Authentication(verdict, found)
