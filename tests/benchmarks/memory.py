"""What a strict check of a large encoder takes, with random weights of true shapes, in a process each.

Loading, digests of all tensors, and key samples in float64, as a check makes them; no card is minted for it.
The weights stay in their files, of which the system keeps in memory what it has room for.
``python -m tests.benchmarks memory`` is of the first two; ``python -m tests.benchmarks.memory NAME...`` is of
others, which need room on the disk for their weights.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file

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
    "Qwen3-8B": (
        transformers.Qwen3Config,
        transformers.Qwen3Model,
        torch.bfloat16,
        {
            "hidden_size": 4096,
            "num_hidden_layers": 36,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "intermediate_size": 12_288,
            "vocab_size": 151_936,
        },
    ),
}
"""Configuration, model, dtype of the weights, and what is not the default."""

GOALS = {"BERT-base": 1.5e9, "Qwen2-1.5B": 5e9, "Qwen3-8B": 20e9}
"""Bytes; of the last one, which a machine with 24 GB is to check: its weights and two layers in float64."""

SHARD = 1 << 30
"""Bytes of a file of weights."""


def run(names: tuple[str, ...] = ("BERT-base", "Qwen2-1.5B")) -> list[str]:
    """Print the peak of each."""
    short = []
    for name in names:
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
    config = configuration(**shape, architectures=[kind.__name__], dtype=str(dtype).removeprefix("torch."))
    with torch.device("meta"):
        wanted = kind(config).state_dict()
    # file by file: the whole may be more than there is memory for
    where: dict[str, str] = {}
    part: dict[str, torch.Tensor] = {}
    for place, (tensor, like) in enumerate(wanted.items(), 1):
        whole = tensor.endswith("norm.weight") or "layernorm" in tensor.lower()
        part[tensor] = (
            torch.ones(like.shape, dtype=dtype) if whole else torch.randn(like.shape, dtype=dtype) * 0.02
        )
        if place == len(wanted) or sum(each.nbytes for each in part.values()) >= SHARD:
            file = f"model-{len(set(where.values()))}.safetensors"
            save_file(part, folder / file, metadata={"format": "pt"})
            where |= dict.fromkeys(part, file)
            part = {}
    index = {"metadata": {}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    config.save_pretrained(folder)
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
    step, *rest = sys.argv[1:]
    if step == "make":
        _make(rest[0], Path(rest[1]))
    elif step == "check":
        print(json.dumps(_check(Path(rest[1]))))
    else:
        print("\n".join(run((step, *rest))))
