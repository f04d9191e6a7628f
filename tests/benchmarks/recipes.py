"""Which recipe ``sslauth identify`` names, of real deployments whose recipe is known beforehand."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.computing import own_length, simplified, tokens_of
from hf_integration.serving.explaining import Explanation, explain
from hf_integration.serving.probes import fresh_samples, texts_of
from hf_integration.serving.recipe import Recipe
from tests.benchmarks.real_deployments import DEPLOYMENTS, Deployment
from tests.benchmarks.real_runtimes import Place
from tests.benchmarks.subjects import Subject

KEYS = 24
FEWEST, GOAL = 20, 0.95


@dataclass(frozen=True)
class Named:
    """What came of one deployment.

    Attributes:
        best: the explanation that is printed first.
        right: whether it is the expected recipe, and explains the answers.
    """

    best: Explanation
    right: bool


def run(subject: Subject) -> list[str]:
    """Print a row for each deployment."""
    encoder = subject.encoder
    if not isinstance(encoder, TorchEncoder) or encoder.modality != "text":
        return []
    texts = texts_of(fresh_samples(encoder, KEYS, seed=20_261_129))
    counted: list[Named] = []
    with tempfile.TemporaryDirectory(prefix="sslauth-recipes-") as name:
        place = Place(encoder, subject.folder, Path(name))
        for deployment in DEPLOYMENTS:
            if missing := deployment.missing:
                print(f"{deployment.name:38} not installed: {', '.join(missing)}", flush=True)
                continue
            begin = time.perf_counter()
            try:
                found = _named(place, deployment, texts)
            except Exception as error:  # a runtime of somebody else raises what it likes
                print(f"{deployment.name:38} could not be asked: {type(error).__name__}: {error}", flush=True)
                continue
            counted.append(found)
            _print_row(deployment, found, time.perf_counter() - begin)
    right = sum(found.right for found in counted)
    print(f"the right recipe is named and explains the answers: {right} of {len(counted)} real deployments")
    short = [] if len(counted) >= FEWEST else [f"{len(counted)} deployments, goal {FEWEST}"]
    if right < GOAL * len(counted):
        short.append(f"{right} of {len(counted)} recipes are named, goal {GOAL:.0%}")
    return short


def _named(place: Place, deployment: Deployment, texts: list[str]) -> Named:
    answered, rows = deployment.answers(place, texts)
    samples = KeySamples(list(answered), origin="a benchmark")
    best = explain(place.encoder, samples, torch.from_numpy(rows))[0]
    expected = _shown(place.encoder, deployment.expected, answered)
    same = _shown(place.encoder, best.match.recipe, answered) == expected
    return Named(best, same and best.fits)


def _shown(encoder: TorchEncoder, recipe: Recipe, texts: Sequence[str]) -> tuple[Recipe, list[int]]:
    """A recipe as far as texts show it: cuts that cut the same texts at the same place are one."""
    length = recipe.length or own_length(encoder)
    cut = [min(count, length) for count in tokens_of(encoder, texts)]
    return simplified(encoder, recipe).but(length=None), cut


def _print_row(deployment: Deployment, found: Named, seconds: float) -> None:
    best = found.best
    print(
        f"{deployment.name:38} {'right' if found.right else 'WRONG':6} {'fits' if best.fits else '':5}"
        f" {best.match.typical:8.1e} {seconds:4.0f} s  {best.words}"
        + ("" if found.right else f"  (expected: {deployment.expected})"),
        flush=True,
    )
