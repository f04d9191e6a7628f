"""What ``enforce`` adds to ``AutoModel.from_pretrained``, beside what hashing the same files takes.

Four times in each round: a plain load, the first enforced load of a process, a later one, and the hashing
alone. The files are in the page cache for all of them. The first load also compares what the
files say, which takes as long for a small encoder as for a large one of the same vocabulary.
"""

import hashlib
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import AutoModel

from hf_integration import enforce
from hf_integration.encoders.identity.tensor_digests import digest_tensors
from hf_integration.loading import verifying
from tests.benchmarks.subjects import Subject

ROUNDS = 11

GOAL = 1.0
"""Time that a load adds, as a multiple of the hashing: it is missed, see the documentation."""


def run(subject: Subject) -> list[str]:
    """Print the times and their ratio."""
    if subject.encoder.modality != "text":
        return []
    card = subject.card.location or ""
    project = Path(card).parent
    file = project / f"{subject.name}.toml"
    paths = {"path": str(subject.folder), "card": card}
    relative = {key: os.path.relpath(path, project) for key, path in paths.items()}
    lines = [f'{key} = "{value}"' for key, value in {**relative, "card_digest": subject.card.digest}.items()]
    file.write_text("\n".join(["version = 1", f"[encoders.{subject.name}]", *lines, ""]))
    folder = str(subject.folder)
    model: Any = AutoModel.from_pretrained(folder)
    tensors = {name: tensor.detach() for name, tensor in model.named_parameters()}
    others = [path for path in subject.folder.rglob("*") if path.is_file() and path.suffix != ".safetensors"]

    def enforced() -> None:
        with enforce(file, unpinned="refuse"):
            AutoModel.from_pretrained(folder)

    def first() -> None:
        verifying.COMPARED.clear()
        enforced()

    def hashed() -> None:
        digest_tensors(tensors)
        for path in others:
            hashlib.sha256(path.read_bytes()).hexdigest()

    works = (lambda: AutoModel.from_pretrained(folder), first, enforced, hashed)
    rounds = [[_seconds(work) for work in works] for _ in range(ROUNDS + 1)][1:]  # the first imports
    plain, once, later, hashing = (statistics.median(times) for times in zip(*rounds, strict=True))
    added_once = statistics.median((once - plain) / alone for plain, once, _, alone in rounds)
    added = statistics.median((later - plain) / alone for plain, _, later, alone in rounds)
    print(
        f"plain load {plain:.3f} s, hashing alone {hashing:.3f} s; enforced: {once:.3f} s at first, "
        f"{later:.3f} s later (medians of {ROUNDS}); added: {added_once:.2f} times the hashing at first, "
        f"{added:.2f} later"
    )
    found = {"the first load": added_once, "a later one": added}
    return [
        f"{which} adds {ratio:.2f} times the hashing, goal {GOAL}"
        for which, ratio in found.items()
        if ratio > GOAL
    ]


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
