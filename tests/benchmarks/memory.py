"""What a strict check of a large encoder takes, with random weights of true shapes, in a process each.

Loading, digests of all tensors, and key samples in float64, as a check makes them; no card is minted for it.
The weights stay in their files, of which the system keeps in memory what it has room for.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import transformers

from hf_integration.authentication import observe_sketches
from hf_integration.encoders.identity.tensor_digests import digest_tensors
from hf_integration.encoders.opening import open_encoder
from hf_integration.key_samples import synthetic_samples
from tests.encoders.tiny_models import tokenizer

KEYS = 8

SHAPES: dict[str, tuple[Any, Any, torch.dtype, dict[str, int]]] = {
    "BERT-base": (
        transformers.BertConfig,
        transformers.BertModel,
        torch.float32,
        {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
    ),
    "Qwen2-1.5B": (
        transformers.Qwen2Config,
        transformers.Qwen2Model,
        torch.bfloat16,
        {
            "hidden_size": 1536,
            "num_hidden_layers": 28,
            "num_attention_heads": 12,
            "num_key_value_heads": 2,
            "intermediate_size": 8960,
            "vocab_size": 151_936,
        },
    ),
}
"""Configuration, model, dtype of the weights, and what is not the default."""

GOALS = {"BERT-base": 1.5e9, "Qwen2-1.5B": 5e9}
"""Bytes."""


def run() -> list[str]:
    """Print the peak of each."""
    short = []
    for name in SHAPES:
        with tempfile.TemporaryDirectory() as folder:
            for step in ("make", "check"):
                command = [sys.executable, "-m", "tests.benchmarks.memory", step, name, folder]
                ended = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        found = json.loads(ended.stdout)
        print(
            f"{name}: {found['parameters'] / 1e6:.0f} M parameters, "
            f"{found['weights'] / 1e9:.2f} GB as stored, "
            f"{8 * found['parameters'] / 1e9:.1f} GB in float64: at most {found['peak'] / 1e9:.2f} GB, "
            f"{found['file'] / 1e9:.2f} GB of them files and {found['start'] / 1e9:.2f} GB imports",
            flush=True,
        )
        if found["peak"] > GOALS[name]:
            short.append(f"{name}: {found['peak'] / 1e9:.2f} GB, goal {GOALS[name] / 1e9:.1f} GB")
    return short


def _make(name: str, folder: Path) -> None:
    configuration, kind, dtype, shape = SHAPES[name]
    torch.set_default_dtype(dtype)
    kind(configuration(**shape)).save_pretrained(folder, max_shard_size="1GB")
    tokenizer().save_pretrained(folder)


def _check(folder: Path) -> dict[str, int]:
    start = _memory("VmRSS")
    encoder = open_encoder(folder, name="encoder", modality="text", device="cpu")
    digest_tensors(encoder.tensors())
    running = encoder.at_precision("float64", run_only=True)
    observe_sketches(running, synthetic_samples("text", KEYS, seed=0), seed=0)
    return {
        "parameters": encoder.description.parameters,
        "weights": sum(tensor.numel() * tensor.element_size() for tensor in encoder.tensors().values()),
        "start": start,
        "peak": _memory("VmHWM"),
        "file": _memory("RssFile"),
    }


def _memory(which: str) -> int:
    """Bytes of this process, as the system counts them (``proc(5)``)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{which}:"))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        _make(sys.argv[2], Path(sys.argv[3]))
    else:
        print(json.dumps(_check(Path(sys.argv[3]))))
