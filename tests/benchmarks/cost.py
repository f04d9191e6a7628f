"""Cost of a check against the bare forward passes that it needs, in processor time, paired within one run.

Goals: a loaded encoder costs at most 1.15 times its passes, and 1.10 times where they are those of a large
text encoder; the whole command at most 1.3 times a script that loads the model and runs them. The ratio to
``embed`` of the same samples, which prepares them as well, has no goal: it says how much of the cost of a
small encoder's check is preparation.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hf_integration.authentication import Authenticator
from hf_integration.authentication.reconstruction import BATCH_SIZE
from hf_integration.encoders import Encoder
from hf_integration.encoders.running.devices import full_precision
from hf_integration.key_samples.samples import KeySamples, Sample, Waveform
from tests.benchmarks.scale import processor_time
from tests.benchmarks.subjects import Subject

LOADED_GOAL, COMMAND_GOAL = 1.15, 1.3
LARGE, LARGE_GOAL = 100_000_000, 1.10
"""Parameters from which a text encoder is a large one, and what the check of a loaded one may cost."""

PAIRS, COMMAND_PAIRS = 15, 5
LARGE_PAIRS, LARGE_COMMAND_PAIRS = 5, 3


def run(subject: Subject) -> list[str]:
    """Print both ratios, median and range over pairs."""
    short = []
    authenticator = Authenticator(card=subject.card)
    check = partial(authenticator.authenticate, subject.encoder)
    running = subject.encoder.at_precision("float64")
    keys = list(subject.card.key_samples)
    passes, embed = _bare_passes(running, keys), partial(_embed, running, keys)
    command = ["-m", "hf_integration.cli", "verify", str(subject.folder), "--card", subject.card.location]
    samples = _written(subject.card.key_samples)
    script = [
        "-m",
        "tests.benchmarks.bare_script",
        subject.encoder.modality,
        str(subject.folder),
        str(samples),
    ]
    large = subject.encoder.modality == "text" and subject.encoder.description.parameters >= LARGE
    pairs, command_pairs = (LARGE_PAIRS, LARGE_COMMAND_PAIRS) if large else (PAIRS, COMMAND_PAIRS)
    loaded_goal = LARGE_GOAL if large else LOADED_GOAL
    for name, goal, first, second, count in (
        ("check of a loaded encoder / bare passes", loaded_goal, check, passes, pairs),
        ("check of a loaded encoder / embed", None, check, embed, pairs),
        ("whole command / script", COMMAND_GOAL, _process(command), _process(script), command_pairs),
    ):
        ratios = _paired(first, second, count)
        median = statistics.median(ratios)
        spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
        print(f"{name:44} median {median:.3f}, range {spread}, {len(ratios)} pairs", flush=True)
        if goal is not None and median > goal:
            short.append(f"{name}: {median:.3f}, goal {goal}")
    return short


def _paired(first: Callable[[], object], second: Callable[[], object], pairs: int) -> list[float]:
    """Ratios of the two times, taken in turn after a warm-up, so that drift of the machine cancels."""
    first()
    second()
    return [_seconds(first) / _seconds(second) for _ in range(pairs)]


def _seconds(work: Callable[[], object]) -> float:
    started = processor_time()
    work()
    return processor_time() - started


def _embed(running: Encoder, samples: list[Sample]) -> None:
    with full_precision():
        running.embed(samples, batch_size=BATCH_SIZE)


def _bare_passes(running: Encoder, samples: list[Sample]) -> Callable[[], None]:
    """The model's calls alone: inputs prepared and the float64 copy made beforehand."""
    caught: list[dict[str, Any]] = []

    def catch(_module: nn.Module, _arguments: tuple[Any, ...], inputs: dict[str, Any]) -> None:
        caught.append({**inputs, "output_hidden_states": False})

    handle = running.model.register_forward_pre_hook(catch, with_kwargs=True)
    for _ in running.observe(samples, batch_size=BATCH_SIZE):
        pass
    handle.remove()
    assert caught

    def passes() -> None:
        with torch.inference_mode(), full_precision():
            for inputs in caught:
                running.model(**inputs)

    return passes


def _written(samples: KeySamples) -> Path:
    """The key samples in a file that the bare script can read on its own."""
    folder = Path(tempfile.mkdtemp(prefix="sslauth-benchmark-"))
    if samples.modality == "text":
        file = folder / "samples.json"
        file.write_text(json.dumps(list(samples)))
        return file
    arrays = [sample.samples if isinstance(sample, Waveform) else np.asarray(sample) for sample in samples]
    np.savez(folder / "samples.npz", *arrays)
    return folder / "samples.npz"


def _process(arguments: list[str]) -> Callable[[], None]:
    def work() -> None:
        finished = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stderr

    return work
