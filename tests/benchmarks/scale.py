"""What minting takes at real sizes, with random weights of true shapes, in a process each.

Processor time of all processes, over a bare pass in float32 of the same key samples in the same process; and
the most memory that one process had. ``python -m tests.benchmarks scale`` is of a BERT-base;
``python -m tests.benchmarks.scale NAME...`` is of others, which take long.
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import transformers as hf

from hf_integration import load_encoder, mint
from tests.real_encoders.minilm import minilm_folder
from tests.real_encoders.whisper import whisper_folder

TIMES, BESIDES = 25, 15
"""Bare passes that minting may take, and seconds besides."""

WEIGHTS = 2.5
"""Memory that it may take, in the weights' in float32."""

_BERT_LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
}


def _copy(source: Path | None, folder: Path) -> None:
    if source is None:
        sys.exit("the package with this encoder is not installed")
    shutil.copytree(source, folder, dirs_exist_ok=True)


def random_bert(folder: Path, shape: dict[str, int]) -> None:
    """Write a BERT with random weights of a shape, and MiniLM's tokenizer."""
    hf.BertModel(hf.BertConfig(**shape)).save_pretrained(folder)
    for file in (minilm_folder() or Path()).glob("*token*.json"):
        shutil.copy(file, folder)


def _vision(folder: Path) -> None:
    hf.ViTModel(hf.ViTConfig()).save_pretrained(folder)
    hf.ViTImageProcessorPil().save_pretrained(folder)


SUBJECTS: dict[str, tuple[Callable[[Path], Any], int]] = {
    "MiniLM": (lambda folder: _copy(minilm_folder(), folder), 64),
    "BERT-base": (lambda folder: random_bert(folder, {}), 64),
    "BERT-large": (lambda folder: random_bert(folder, _BERT_LARGE), 64),
    "ViT-B/16": (_vision, 64),
    "Whisper-tiny": (lambda folder: _copy(whisper_folder(), folder), 8),
}
"""What writes each encoder, and how many key samples its card has."""


def run(names: tuple[str, ...] = ("BERT-base",)) -> list[str]:
    """Print a line for each encoder."""
    short = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            for step in ("make", "mint"):
                command = [sys.executable, "-m", "tests.benchmarks.scale", step, name, folder]
                ended = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        found = json.loads(ended.stdout)
        most, weights = TIMES * found["bare"] + BESIDES, 4 * found["parameters"]
        print(
            f"{name}: {found['parameters'] / 1e6:.0f} M parameters, {SUBJECTS[name][1]} key samples: "
            f"{found['minting']:.0f} s of processor time, {found['minting'] / found['bare']:.1f} times the "
            f"bare passes of {found['bare']:.1f} s; at most {found['peak'] / 1e9:.2f} GB, "
            f"{found['peak'] / weights:.1f} times the weights",
            flush=True,
        )
        if found["minting"] > most:
            short.append(f"{name}: {found['minting']:.0f} s, goal {most:.0f} s")
        if found["peak"] > WEIGHTS * weights:
            short.append(f"{name}: {found['peak'] / 1e9:.2f} GB, goal {WEIGHTS * weights / 1e9:.2f} GB")
    return short


def _mint(folder: Path, keys: int) -> dict[str, float]:
    encoder = load_encoder(str(folder), device="cpu")
    before = processor_time()
    card = mint(encoder, keys=keys)
    minting = processor_time() - before
    bare = []
    for _ in range(2):  # the first one also warms up
        before = processor_time()
        encoder.embed(list(card.key_samples))
        bare.append(processor_time() - before)
    peaks = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "parameters": encoder.description.parameters,
        "minting": minting,
        "bare": min(bare),
        "peak": 1024 * max(peaks),
    }


def processor_time() -> float:
    """Processor time of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    step, *rest = sys.argv[1:]
    if step == "make":
        SUBJECTS[rest[0]][0](Path(rest[1]))
    elif step == "mint":
        print(json.dumps(_mint(Path(rest[1]), SUBJECTS[rest[0]][1])))
    else:
        print("\n".join(run((step, *rest))))
