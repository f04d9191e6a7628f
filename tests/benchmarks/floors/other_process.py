"""Observations under another CPU instruction set, in a process of its own.

Minting's own worker gives sketches alone; the rivals judge whole embeddings.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from hf_integration.base.vocabulary import Precision, Weights
from hf_integration.encoders import Encoder, open_encoder
from hf_integration.key_samples.encoding import decode_sample, encode_samples
from hf_integration.key_samples.samples import KeySamples, Sample
from hf_integration.minting.instruction_sets import INSTRUCTION_SETS
from tests.benchmarks.floors.observation import Observation, observe

EMBEDDINGS = "whole"


@dataclass(frozen=True)
class Batches:
    """What the other process runs: one pair of weights and precision, once per batch size."""

    weights: Weights
    precision: Precision
    batch_sizes: tuple[int, ...]


def observe_under(
    instruction_set: str, encoder: Encoder, samples: Sequence[Sample], work: Batches, *, seed: int
) -> list[Observation]:
    """Observe samples under a key of ``INSTRUCTION_SETS``, once per batch size.

    Args:
        instruction_set: which.
        encoder: loaded from a folder, which is loaded again in the other process.
        samples: the first key samples.
        work: what to run.
        seed: the card's seed.
    """
    with tempfile.TemporaryDirectory(prefix="sslauth-benchmark-") as folder:
        job, result = Path(folder, "job.json"), Path(folder, "observations.safetensors")
        some = KeySamples(samples, origin="the first key samples")
        job.write_text(
            json.dumps(
                {
                    "encoder": str(encoder.path),
                    "modality": some.modality,
                    "samples": [base64.b64encode(blob).decode() for blob in encode_samples(some)],
                    "seed": seed,
                    "weights": work.weights,
                    "precision": work.precision,
                    "batch_sizes": work.batch_sizes,
                    "result": str(result),
                }
            )
        )
        finished = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.floors.other_process", str(job)],
            env={**os.environ, **INSTRUCTION_SETS[instruction_set]},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        flat = load_file(result)
    found = []
    for size in work.batch_sizes:
        mine = {
            name.removeprefix(f"{size}/"): tensor
            for name, tensor in flat.items()
            if name.startswith(f"{size}/")
        }
        embeddings = mine.pop(EMBEDDINGS)
        found.append(Observation(mine, embeddings))
    return found


def main(job_file: str) -> None:
    """Run a job that :func:`observe_under` wrote."""
    job = json.loads(Path(job_file).read_text())
    encoder = open_encoder(Path(job["encoder"]), name="encoder", device="cpu")
    samples = [decode_sample(job["modality"], base64.b64decode(blob)) for blob in job["samples"]]
    running = encoder.at_precision(job["precision"], weights=job["weights"])
    result: dict[str, Tensor] = {}
    for size in job["batch_sizes"]:
        seen = observe(running, samples, seed=job["seed"], batch_size=size)
        for name, tensor in {**seen.sketches, EMBEDDINGS: seen.embeddings}.items():
            result[f"{size}/{name}"] = tensor.contiguous()
    save_file(result, job["result"])


if __name__ == "__main__":
    main(sys.argv[1])
