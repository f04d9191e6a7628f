"""Stamps: which recipes are named, the smallest step that is seen, milliseconds, sizes."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from hf_integration.base.progress import Silent
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.computing import Computed
from hf_integration.serving.numeric import Form
from hf_integration.serving.recipe import PLAIN, Recipe
from hf_integration.serving.stamping import make_stamp
from hf_integration.stamps.checking import check_stamp
from hf_integration.stamps.forms import FORMS
from hf_integration.stamps.stamp import Stamp
from hf_integration.tampering.weights.fine_tuning import fine_tune
from tests.benchmarks.subjects import Subject

RATES = (1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4)
"""Learning rates of one AdamW step."""

RECIPES: tuple[dict[str, Any], ...] = (
    {"gelu": "tanh"},
    *({"weights": name} for name in ("float16", "bfloat16", "gguf-f16")),
    *({"arithmetic": name} for name in ("float16", "bfloat16")),
    *({"pooling": name} for name in ("cls", "max", "weightedmean", "lasttoken")),
    *({"prompt": text} for text in ("query: ", "passage: ", "search_query: ")),
    {"normalised": False},
    *({"length": length} for length in (64, 128, 512)),
    *({"dimensions": count} for count in (64, 128, 256)),
    *(
        {"form": Form.read(name, where="a benchmark")}
        for name in FORMS
        if name not in ("digits:1", "decimals:1")
    ),
    {"gelu": "tanh", "weights": "gguf-f16"},
    {"gelu": "tanh", "length": 128},
)
BATCHES = (1, 2, 7, 32)
WIDTHS = (384, 1024, 4096)
GOAL_MS, GOAL_RATE = 5.0, 1e-7
REPEATS = 50


def run(subject: Subject) -> list[str]:
    """Print a row for each recipe and step, and give what falls short."""
    encoder = subject.encoder
    if not isinstance(encoder, TorchEncoder) or encoder.modality != "text":
        return []
    begin = time.perf_counter()
    stamp = make_stamp(encoder, progress=Silent(), seed=20_261_128)
    print(f"stamped in {time.perf_counter() - begin:.0f} s; tolerance {stamp.tolerance:.1e}")
    return [
        *_benign(encoder, stamp),
        *_recipes(encoder, stamp),
        *_steps(encoder, stamp),
        *_milliseconds(stamp),
        *_sizes(stamp),
    ]


def _benign(encoder: TorchEncoder, stamp: Stamp) -> Iterator[str]:
    found = [
        check_stamp(stamp, lambda texts, size=size: encoder.embed(texts, batch_size=size)) for size in BATCHES
    ]
    alarms = sum(one.status != "same" for one in found)
    print(
        f"batches of {BATCHES}: {alarms} of {len(found)} false alarms,"
        f" {max(one.distance for one in found):.1e} away"
    )
    if alarms:
        yield f"{alarms} false alarms"


def _recipes(encoder: TorchEncoder, stamp: Stamp) -> Iterator[str]:
    named = 0
    for changes in RECIPES:
        recipe = PLAIN.but(**changes)
        answers = _answer(encoder, recipe, stamp).numpy()
        found = check_stamp(stamp, lambda _, answers=answers: answers)
        named += bool(found.differences)
        print(f"{str(recipe)[:75]:76} {found.status:7} {'; '.join(found.differences)[:90]}", flush=True)
        if found.status == "same":
            yield f"{recipe} passes for the same space"
    print(f"named: {named} of {len(RECIPES)}")


def _steps(encoder: TorchEncoder, stamp: Stamp) -> Iterator[str]:
    first = None
    for rate in RATES:
        copy = encoder.duplicate()
        fine_tune(1)(copy, rate, 0)
        found = check_stamp(stamp, copy)
        print(f"one AdamW step at {rate:.0e}: {found.status}, {found.distance:.1e} away", flush=True)
        if found.status != "same" and first is None:
            first = rate
    if first is None or first > GOAL_RATE:
        yield f"one step is seen from {first}, goal {GOAL_RATE:.0e}"


def _milliseconds(stamp: Stamp) -> Iterator[str]:
    """Of everything besides the embeddings: reading the line, and comparing."""
    line, answers = str(stamp), stamp.embeddings.astype(np.float32)
    reading, comparing = [], []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        kept = Stamp.load(line)
        middle = time.perf_counter()
        check_stamp(kept, lambda _: answers)
        reading.append(1000 * (middle - begin))
        comparing.append(1000 * (time.perf_counter() - middle))
    read, compared = statistics.median(reading), statistics.median(comparing)
    print(f"median of {REPEATS}: {read:.1f} ms to read the stamp once, {compared:.1f} ms for each check")
    if compared > GOAL_MS:
        yield f"a check takes {compared:.1f} ms, goal {GOAL_MS} ms"


def _sizes(stamp: Stamp) -> Iterator[str]:
    for width in WIDTHS:
        drawn = np.random.default_rng(width).standard_normal((len(stamp.texts), width))
        wide = replace(stamp, embeddings=drawn)
        without = replace(wide, others=())
        print(f"{width} dimensions: {len(str(wide))} characters, {len(str(without))} of an endpoint")
    yield from ()


def _answer(encoder: TorchEncoder, recipe: Recipe, stamp: Stamp) -> Tensor:
    """What a deployment answers in batches, as float32 holds it."""
    given = Computed(encoder, recipe).embed(stamp.texts, precision=recipe.arithmetic, batch_size=7)
    return recipe.form.rounded(given.float().double())
