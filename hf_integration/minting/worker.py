"""The other process of :mod:`hf_integration.minting.instruction_sets`: one job in, sketches out.

Both go through pipes. A job may hold the key samples and the seed of a private card, which a process that is
killed must not leave on a disk.
"""

import base64
import json
import os
import sys
from contextlib import nullcontext
from typing import Any

from safetensors.torch import save
from torch import Tensor

from hf_integration.authentication import observe_sketches
from hf_integration.base.children import end_with
from hf_integration.encoders import open_encoder
from hf_integration.encoders.running.half_products import quick
from hf_integration.key_samples.encoding import decode_sample


def run_job(job: dict[str, Any]) -> bytes:
    """Run the job of a minting process, and give the sketches as a safetensors file."""
    encoder = open_encoder(
        job["encoder"], name="encoder", device="cpu", modality=job["modality"], pooling=job["pooling"]
    )
    if job["never_padded"]:
        encoder.never_pad()
    samples = [decode_sample(job["modality"], base64.b64decode(blob)) for blob in job["key_samples"]]
    result: dict[str, Tensor] = {}
    for weights, precision, batch_size, keys in job["runs"]:
        running = encoder.at_precision(precision, weights=weights, run_only=True)
        with quick(precision, everywhere=True) if job["quickly"] else nullcontext():
            sketches = observe_sketches(running, samples[:keys], seed=job["seed"], batch_size=batch_size)
        for strip, sketched in sketches.items():
            result[f"{weights}.{precision}/{strip}"] = sketched.contiguous()
    return save(result)


def main() -> None:
    """Read a job from standard input and write the sketches to standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    job = json.loads(sys.stdin.buffer.read())
    end_with(job["parent"])
    answers.write(run_job(job))
    answers.close()


if __name__ == "__main__":
    main()
