"""Converted encoders: how far benign ones are, the smallest step of fine-tuning that shows, and the files.

Every runtime converts and runs the encoder itself, by its own converter. A runtime that is not installed is
said not to be.
"""

import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hf_integration.base.vocabulary import EMBEDDING_STRIP
from hf_integration.converted.behaviour import AGREE, SHARE, Expected
from hf_integration.converted.original import of_copy
from hf_integration.converted.recognising import open_converted
from hf_integration.converted.runtime import Converted
from hf_integration.converted.weights import Explained, explain
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.probes import fresh_samples, texts_of
from hf_integration.serving.yardstick import yardstick
from hf_integration.tampering.weights.fine_tuning import fine_tune
from tests.benchmarks.subjects import Subject
from tests.converted.making import ALL, Kind, saved

KEYS = 64
RATES = (1e-9, 1e-8, 1e-7, 1e-6, 1e-5)
"""Learning rates of one AdamW step."""


def run(subject: Subject) -> list[str]:
    """Print a row for each runtime and precision."""
    encoder = subject.encoder
    if not isinstance(encoder, TorchEncoder) or encoder.modality != "text":
        return []
    short: list[str] = []
    print(f"{'runtime and precision':22} {'file':34} {'benign':>18} {'seen from':>10} {'file from':>10}")
    with tempfile.TemporaryDirectory(prefix="sslauth-converted-") as name:
        root = Path(name)
        altered = dict(_stepped(encoder, subject.folder, root))
        for row, kind in ALL.items():
            if find_spec(kind.module) is None:
                print(f"{row:22} not installed", flush=True)
                continue
            short += _row(row, kind, encoder, altered, root)
    return short


def _row(
    row: str, kind: Kind, encoder: TorchEncoder, altered: dict[float, TorchEncoder], root: Path
) -> list[str]:
    texts = texts_of(fresh_samples(encoder, KEYS, seed=20_261_128))
    plain, explained = _made(kind, encoder, encoder, root / row)
    weights = "every weight" if explained.equal else "NOT every weight"
    rules = [name for name in explained.roundings if name != "stored"]
    file = f"{weights}, {rules[0] if rules else 'stored'}"
    stepped = {rate: _made(kind, copy, encoder, root / f"{row}-{rate:.0e}") for rate, copy in altered.items()}
    from_file = min((rate for rate, (_, found) in stepped.items() if found.changed), default=None)
    if plain.cannot_run():
        print(f"{row:22} {file[:34]:34} {'not run here':>18} {'':>10} {_shown(from_file):>10}", flush=True)
        return [] if explained.equal else [f"{row}: not every weight is explained"]
    answers = _answers(plain, texts)
    if plain.chaotic:
        same = plain.reference(encoder, explained.roundings)
        if isinstance(same, str):
            print(f"{row:22} {same}")
            return [f"{row}: {same}"]
        exact = _answers(same, texts)
        benign = f"{_share(answers, exact):.0%} agree"
        shares = {rate: _share(_answers(copy, texts), exact) for rate, (copy, _) in stepped.items()}
        seen = [rate for rate, share in shares.items() if share < SHARE]
        intact = _share(answers, exact) >= SHARE
    else:
        expected = Expected.named(kind.serving)
        samples = fresh_samples(encoder, KEYS, seed=20_261_128)
        held = yardstick(
            _reference(encoder, explained), expected.recipe, samples, noise=expected.noise, seed=1
        )
        found = held.held_against(answers)
        (strip,) = (strip for strip in found.strips if strip.name == EMBEDDING_STRIP)
        benign, intact = f"{strip.deviation:.2f} tolerances", found.intact
        seen = [
            rate for rate, (copy, _) in stepped.items() if not held.held_against(_answers(copy, texts)).intact
        ]
    from_answers = min(seen, default=None)
    print(
        f"{row:22} {file[:34]:34} {benign:>18} {_shown(from_answers):>10} {_shown(from_file):>10}", flush=True
    )
    return [] if intact and explained.equal else [f"{row}: the unaltered encoder does not fit"]


def _reference(encoder: TorchEncoder, explained: Explained) -> TorchEncoder:
    from hf_integration.converted.copy_knowledge import with_integers

    return with_integers(encoder, explained.numbers) if explained.numbers else encoder


def _made(kind: Kind, copy: TorchEncoder, encoder: TorchEncoder, folder: Path) -> tuple[Converted, Explained]:
    kind.make(copy, folder)
    converted = open_converted(folder, of_copy(encoder), kind.runtime)
    return converted, explain(encoder, converted.tensors(), tail=False)


def _stepped(encoder: TorchEncoder, source: Path, root: Path) -> Iterator[tuple[float, TorchEncoder]]:
    for rate in RATES:
        copy = encoder.duplicate()
        fine_tune(1)(copy, rate, 0)
        yield rate, saved(copy, source, root / f"altered-{rate:.0e}")


def _answers(converted: Converted, texts: list[str]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(converted.embed(texts)))


def _share(answers: Tensor, exact: Tensor) -> float:
    """Share of key samples in which both did the same."""
    away = (answers - exact).norm(dim=1) / exact.norm(dim=1)
    return float((away <= AGREE).double().mean())


def _shown(rate: float | None) -> str:
    return "none" if rate is None else f"{rate:.0e}"
