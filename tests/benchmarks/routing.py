"""Mixed routing: how often a server is noticed that answers one request in twenty with another encoder.

First each key sample is looked at by itself: does the other encoder's answer to it alone break the watermark?
From that follows how often a check notices, which is simulated as well, and tried: real checks over HTTP ask
a local server whose router draws for each request. The answers of both encoders are computed once.
"""

import random
from dataclasses import dataclass

import torch

from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.endpoints import Address, Endpoint
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.computing import Computed, tokens_of
from hf_integration.serving.noticing import requests_to_notice
from hf_integration.serving.probes import fresh_samples, texts_of
from hf_integration.serving.recipe import PLAIN
from hf_integration.serving.requests import BATCHES, Asked, ask
from hf_integration.serving.yardstick import Yardstick, yardstick
from hf_integration.tampering.weights.fine_tuning import fine_tune
from tests.benchmarks.subjects import Subject
from tests.endpoints.server import EmbeddingServer

SHARE, CONFIDENCE = 0.05, 0.99
MOST_REQUESTS = 90
SIMULATED = 100_000
RATES = (1e-4, 1e-6)
"""Of one AdamW step that makes another encoder of this one: the first a canary sees, the second none does."""

HONEST = 20
"""Checks of a server that routes nothing elsewhere."""

Answers = dict[str, list[float]]


@dataclass(frozen=True, eq=False)
class Scene:
    """The key samples, how many tokens each has, and what they are held against."""

    samples: KeySamples
    tokens: list[int]
    held: Yardstick
    right: Answers

    def notices(self, asked: Asked) -> bool:
        """Whether a check of these answers, which expects the encoder's own recipe, is no pass."""
        assert len(asked.samples) == len(self.samples)
        return not all(self.held.held_against(rows).intact for rows in (asked.embeddings, *asked.again))


def run(subject: Subject, *, checks: int) -> list[str]:
    """Print what is noticed: as it follows, simulated, and in so many real checks."""
    encoder = subject.encoder
    if not isinstance(encoder, TorchEncoder) or encoder.modality != "text":
        return []
    requests = requests_to_notice(SHARE, CONFIDENCE)
    print(f"one request in {1 / SHARE:g} goes to another encoder; {requests} requests in each check")
    short = [] if requests <= MOST_REQUESTS else [f"{requests} requests, goal {MOST_REQUESTS}"]
    samples = fresh_samples(encoder, requests)
    held = yardstick(encoder, PLAIN, samples)
    scene = Scene(samples, tokens_of(encoder, texts_of(samples)), held, _answers(encoder, samples))
    router = random.Random(0)  # noqa: S311  # to be repeated
    for rate in RATES:
        other = encoder.duplicate()
        fine_tune(1)(other, rate, 0)
        wrong = _answers(other, samples)
        shows = _shows(scene, wrong)
        follows = 1 - (1 - SHARE) ** sum(shows)
        print(
            f"one AdamW step at {rate:.0e}: {sum(shows)} of {requests} key samples show it, so that"
            f" {follows:.2%} of checks notice it; simulated: {_simulated(shows):.2%} of {SIMULATED:,}",
            flush=True,
        )
        noticed, met = _real(scene, wrong, router, checks)
        print(f"  real, over HTTP: {noticed} of {checks} checks notice it, {met} met it", flush=True)
        if noticed < met:
            short.append(f"one step at {rate:.0e}: {met - noticed} of {met} checks that met it passed")
        if follows < CONFIDENCE:
            short.append(f"one step at {rate:.0e}: {follows:.2%} are noticed, goal {CONFIDENCE:.0%}")
    alarms, _ = _real(scene, scene.right, router, HONEST)
    if alarms:
        short.append(f"{alarms} of {HONEST} checks of an honest server are no pass")
    print(f"an honest server, over HTTP: {alarms} of {HONEST} checks are no pass")
    return short


def _answers(encoder: TorchEncoder, samples: KeySamples) -> Answers:
    """What a server gives that computes in float32, one text at a time."""
    computed = Computed(encoder, PLAIN)
    rows = ((text, computed.embed([text], precision="float32")) for text in texts_of(samples))
    return {text: row.float().double()[0].tolist() for text, row in rows}


def _shows(scene: Scene, wrong: Answers) -> list[bool]:
    """Of each key sample, whether the other encoder's answer to it alone breaks the watermark."""
    texts = texts_of(scene.samples)
    answers = torch.tensor([scene.right[text] for text in texts], dtype=torch.float64)
    assert scene.held.held_against(answers).intact
    found = []
    for row, text in enumerate(texts):
        mixed = answers.clone()
        mixed[row] = torch.tensor(wrong[text], dtype=torch.float64)
        found.append(not scene.held.held_against(mixed).intact)
    return found


def _simulated(shows: list[bool]) -> float:
    """Share of checks in which a request went to the other encoder whose key sample shows it."""
    generator = torch.Generator().manual_seed(0)
    routed = torch.rand(SIMULATED, len(shows), generator=generator) < SHARE
    return float((routed & torch.tensor(shows)).any(dim=1).double().mean())


def _real(scene: Scene, wrong: Answers, router: random.Random, checks: int) -> tuple[int, int]:
    """Of real checks of a server that routes at random: how many are no pass, and how many met the other."""
    routed: list[bool] = []

    def embed(texts: list[str]) -> list[list[float]]:
        routed.append(router.random() < SHARE)
        chosen = wrong if routed[-1] else scene.right
        return [chosen[text] for text in texts]

    noticed = met = 0
    with EmbeddingServer("tei", embed) as server:
        for _ in range(checks):
            routed.clear()
            with Endpoint(Address(url=server.url, api="tei")) as endpoint:
                asked = ask(
                    endpoint, scene.samples, scene.tokens, batches=BATCHES, spread=0, told=lambda: None
                )
            assert asked.sent == len(routed) <= MOST_REQUESTS
            noticed, met = noticed + scene.notices(asked), met + any(routed)
    return noticed, met
