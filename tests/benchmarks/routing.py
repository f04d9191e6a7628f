"""Mixed routing: a server that answers one request in twenty with another encoder, and how often it is noticed.

First each key sample is looked at by itself: does the other encoder's answer to it alone break the watermark?
Then many checks are simulated with these answers, and some are real: over HTTP, against a local server whose
router draws for each request.
"""

import random
import threading
from collections.abc import Callable
from functools import partial

import torch

from hf_integration.base.progress import Silent
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.endpoints import Address, Endpoint
from hf_integration.serving.computing import Computed
from hf_integration.serving.endpoint_check import Asking, check_endpoint
from hf_integration.serving.noticing import requests_to_notice
from hf_integration.serving.presets import preset
from hf_integration.serving.probes import fresh_samples, texts_of
from hf_integration.serving.recipe import PLAIN
from hf_integration.serving.yardstick import yardstick
from hf_integration.tampering.weights.fine_tuning import fine_tune
from tests.benchmarks.subjects import Subject
from tests.endpoints.server import EmbeddingServer

SHARE, CONFIDENCE = 0.05, 0.99
MOST_REQUESTS = 90
SIMULATED = 100_000
RATES = (1e-4, 1e-6)
"""Of one AdamW step that makes the other encoder of this one: one that a canary sees, and one that none does."""

Embed = Callable[[list[str]], list[list[float]]]


def run(subject: Subject, *, checks: int) -> list[str]:
    """Print what is noticed, simulated and in so many real checks."""
    encoder = subject.encoder
    if not isinstance(encoder, TorchEncoder) or encoder.modality != "text":
        return []
    requests = requests_to_notice(SHARE, CONFIDENCE)
    print(f"one request in {1 / SHARE:g} goes to another encoder; {requests} requests in each check")
    short = [] if requests <= MOST_REQUESTS else [f"{requests} requests, goal {MOST_REQUESTS}"]
    for rate in RATES:
        other = encoder.duplicate()
        fine_tune(1)(other, rate, 0)
        shows = _shows(encoder, other, requests)
        simulated = _simulated(shows)
        print(
            f"one AdamW step at {rate:.0e}: {sum(shows)} of {requests} key samples show it;"
            f" {simulated:.2%} of {SIMULATED:,} simulated checks notice it",
            flush=True,
        )
        noticed, passed = _real(encoder, other, requests, checks), _real(encoder, encoder, requests, 2)
        print(f"  over HTTP: {noticed} of {checks} checks notice it; {passed} of 2 without it", flush=True)
        if simulated < CONFIDENCE:
            short.append(f"one step at {rate:.0e}: {simulated:.2%} are noticed, goal {CONFIDENCE:.0%}")
        if passed:
            short.append("an honest server was taken for another")
    return short


def _shows(encoder: TorchEncoder, other: TorchEncoder, keys: int) -> list[bool]:
    """Of each key sample, whether the other encoder's answer to it alone breaks the watermark."""
    samples = fresh_samples(encoder, keys)
    right, wrong = (_answers(one)(texts_of(samples)) for one in (encoder, other))
    held = yardstick(encoder, PLAIN, samples)
    answers = torch.tensor(right, dtype=torch.float64)
    assert held.held_against(answers).intact
    found = []
    for row, answer in enumerate(wrong):
        mixed = answers.clone()
        mixed[row] = torch.tensor(answer, dtype=torch.float64)
        found.append(not held.held_against(mixed).intact)
    return found


def _simulated(shows: list[bool]) -> float:
    """Share of checks in which a request went to the other encoder whose key sample shows it."""
    generator = torch.Generator().manual_seed(0)
    routed = torch.rand(SIMULATED, len(shows), generator=generator) < SHARE
    return float((routed & torch.tensor(shows)).any(dim=1).double().mean())


def _real(encoder: TorchEncoder, other: TorchEncoder, requests: int, checks: int) -> int:
    """How many real checks of a server that routes at random were no pass."""
    right, wrong = _answers(encoder.duplicate()), _answers(other)
    router = random.Random(0)  # noqa: S311  # to be repeated
    lock = threading.Lock()

    def embed(texts: list[str]) -> list[list[float]]:
        with lock:
            return (wrong if router.random() < SHARE else right)(texts)

    asking = Asking(serving=preset("torch"), keys=requests)
    noticed = 0
    with EmbeddingServer("tei", embed) as server:
        for _ in range(checks):
            with Endpoint(Address(url=server.url, api="tei")) as endpoint:
                authentication, _ = check_endpoint(
                    encoder, endpoint, asking, trust="local", progress=Silent()
                )
            found = authentication.verdict
            assert found.deployment is not None
            assert found.deployment.requests <= MOST_REQUESTS
            noticed += found.status != "authentic"
    return noticed


def _answers(encoder: TorchEncoder) -> Embed:
    computed = Computed(encoder, PLAIN)
    return partial(_embed, computed)


def _embed(computed: Computed, texts: list[str]) -> list[list[float]]:
    rows = [computed.embed([text], precision="float32") for text in texts]
    answers: list[list[float]] = torch.cat(rows).float().double().tolist()
    return answers
