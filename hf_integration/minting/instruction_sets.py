"""Benign runs under other CPU instruction sets, each in a process of its own.

One machine is not the world: another instruction set moved the mean shift in float32 to 3.9 times the
largest run of the calibrating machine. Which kernels are used is decided once per process, so these runs need
processes of their own.
"""

import base64
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from hf_integration.base.children import Children, same_imports
from hf_integration.base.errors import InconclusiveError
from hf_integration.base.vocabulary import Precision, Weights
from hf_integration.encoders.interface import Encoder
from hf_integration.key_samples.encoding import encode_samples
from hf_integration.key_samples.samples import KeySamples

INSTRUCTION_SETS: dict[str, dict[str, str]] = {
    # MKL, oneDNN, NumPy and its OpenBLAS choose kernels on their own, so they are told as well
    "default": {
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_CBWR": "COMPATIBLE",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
        "OPENBLAS_CORETYPE": "NEHALEM",
    },
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_CBWR": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4",
        "OPENBLAS_CORETYPE": "HASWELL",
    },
}


@dataclass(frozen=True)
class Run:
    """One benign run: which pair of weights and precision, in which batches, on how many key samples."""

    weights: Weights
    precision: Precision
    batch_size: int
    keys: int

    @property
    def name(self) -> str:
        """Name of the run's tensors in the result file."""
        return f"{self.weights}.{self.precision}"


def run_under(
    instruction_set: str,
    encoder: Encoder,
    key_samples: KeySamples,
    runs: Sequence[Run],
    *,
    seed: int,
    share: int = 1,
    quickly: bool = False,
    children: Children | None = None,
) -> dict[tuple[Weights, Precision], dict[str, Tensor]]:
    """Run key samples under another instruction set.

    Args:
        instruction_set: key of ``INSTRUCTION_SETS``.
        encoder: loaded from a folder, which is loaded again in the other process.
        key_samples: raw samples.
        runs: what to run.
        seed: the card's seed.
        share: how many such processes share the processor; each takes its part of the cores.
        quickly: run half precision as :func:`~hf_integration.encoders.running.half_products.quick` does.
        children: ends the process where something else fails meanwhile.

    Returns:
        Pair of weights and precision -> strip name -> sketches, float64 ``(keys, SKETCH_DIM)``.

    Raises:
        InconclusiveError: the other process failed.
    """
    job = {
        "parent": os.getpid(),
        "encoder": str(encoder.path),
        "modality": key_samples.modality,
        "pooling": encoder.description.chosen_pooling,
        "never_padded": encoder.description.never_padded,
        "key_samples": [base64.b64encode(blob).decode() for blob in encode_samples(key_samples)],
        "seed": seed,
        "quickly": quickly,
        "runs": [[run.weights, run.precision, run.batch_size, run.keys] for run in runs],
    }
    ended = (children or Children()).run(
        [sys.executable, "-m", "hf_integration.minting.worker"],
        env={
            **os.environ,
            **INSTRUCTION_SETS[instruction_set],
            "WORLD_SIZE": "1",
            # threads that wait by spinning would take the cores of the process beside this one
            "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // share)),
            "OMP_WAIT_POLICY": "PASSIVE",
            **same_imports(),
        },
        given=json.dumps(job).encode(),
    )
    try:
        if ended.status != 0:
            raise ValueError
        flat = load(ended.answer)
    except (ValueError, SafetensorError):
        last = (ended.said.strip().splitlines() or ["no message"])[-1]
        raise InconclusiveError(
            f"the calibration run under instruction set '{instruction_set}' failed: {last}"
        ) from None
    sketches: dict[tuple[Weights, Precision], dict[str, Tensor]] = {}
    for run in runs:
        prefix = f"{run.name}/"
        sketches[run.weights, run.precision] = {
            name.removeprefix(prefix): tensor for name, tensor in flat.items() if name.startswith(prefix)
        }
    return sketches
