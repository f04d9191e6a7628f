"""What a whole check of an endpoint costs over the bare requests, with a real server on this machine.

The server is a process of its own, which computes with sentence-transformers. Both are timed within one run,
in pairs: the requests of a check alone, and a whole check with fresh key samples.
"""

import multiprocessing
import resource
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from hf_integration.base.progress import Silent
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.endpoints import Address, Endpoint
from hf_integration.serving.card_source import CardSource
from hf_integration.serving.endpoint_check import Asking, check_endpoint
from hf_integration.serving.presets import preset
from hf_integration.serving.probes import texts_of
from hf_integration.serving.requests import BATCHES, ask
from hf_integration.serving.sources import CopySource, Source
from tests.benchmarks.subjects import Subject
from tests.endpoints.server import EmbeddingServer

KEYS = 64
PAIRS = 3
LATENCIES = (0.0, 0.05)
"""Seconds that the server waits before each answer, as a network would."""

GOAL = 1.1


def run(subject: Subject) -> list[str]:
    """Print a row for each pair."""
    encoder = subject.encoder
    if not isinstance(encoder, TorchEncoder) or encoder.modality != "text":
        return []
    short = []
    sources: dict[str, Source] = {"a copy": CopySource(encoder), "a card": CardSource(subject.card)}
    for latency in LATENCIES:
        with _served(subject.folder, latency) as url:
            for what, source in sources.items():
                where = f"against {what}, a server with {1000 * latency:.0f} ms of latency a request"
                print(f"{where}, {KEYS} key samples", flush=True)
                ratios = [_pair(source, url) for _ in range(PAIRS + 1)][1:]  # the first one warms up
                ratio = statistics.median(ratios)
                print(f"median of {PAIRS}: {ratio:.2f} times the bare requests")
                if ratio > GOAL:
                    short.append(f"{where}: {ratio:.2f}, goal {GOAL}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"most memory that this process had: {peak:.0f} MiB")
    return short


def _pair(source: Source, url: str) -> float:
    """Time of a whole check by that of its bare requests."""
    with Endpoint(Address(url=url, api="tei")) as endpoint:
        samples, _ = source.key_samples(KEYS, ascii_only=False)
        tokens = source.tokens(texts_of(samples))
        begin, worked = time.perf_counter(), time.process_time()
        ask(endpoint, samples, tokens, batches=BATCHES, spread=0, told=lambda: None)
        middle, between = time.perf_counter(), time.process_time()
        asking = Asking(serving=preset("torch"), keys=KEYS)
        found, _ = check_endpoint(source, endpoint, asking, trust="pinned", progress=Silent())
        end, done = time.perf_counter(), time.process_time()
    assert found.verdict.status == "authentic", found.verdict.reason
    bare, whole = middle - begin, end - middle
    print(
        f"  bare {bare:5.2f} s, whole {whole:5.2f} s: {whole / bare:.2f}; processor time, the server's aside:"
        f" {between - worked:.2f} s and {done - between:.2f} s",
        flush=True,
    )
    return whole / bare


@contextmanager
def _served(folder: Path, latency: float) -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(str(folder), latency, theirs), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("enough")
        process.join(20)


def _serve(folder: str, latency: float, channel: Connection) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cpu")

    def embed(texts: list[str]) -> list[list[float]]:
        time.sleep(latency)
        rows: list[list[float]] = model.encode(texts, show_progress_bar=False).astype(float).tolist()
        return rows

    with EmbeddingServer("tei", embed) as server:
        channel.send(server.url)
        channel.recv()
