"""The other process of :mod:`hf_integration.minting.instruction_sets`: one job in, sketches out.

Both go through pipes. A job may hold the key samples and the seed of a private card, which a process that is
killed must not leave on a disk.
"""

import base64
import ctypes
import json
import os
import signal
import sys
from contextlib import suppress
from typing import Any

from safetensors.torch import save
from torch import Tensor

from hf_integration.authentication import observe_sketches
from hf_integration.encoders import open_encoder
from hf_integration.key_samples.encoding import decode_sample

_SET_PARENT_DEATH_SIGNAL = 1
"""``PR_SET_PDEATHSIG`` of ``prctl(2)``."""


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
        sketches = observe_sketches(running, samples[:keys], seed=job["seed"], batch_size=batch_size)
        for strip, sketched in sketches.items():
            result[f"{weights}.{precision}/{strip}"] = sketched.contiguous()
    return save(result)


def _end_with(parent: int) -> None:
    """Let the system end this process with the one that started it, however that ends."""
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it could be said
        sys.exit(1)


def main() -> None:
    """Read a job from standard input and write the sketches to standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    job = json.loads(sys.stdin.buffer.read())
    _end_with(job["parent"])
    answers.write(run_job(job))
    answers.close()


if __name__ == "__main__":
    main()
