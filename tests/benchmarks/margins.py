"""Margins of benign variants, in every precision, each against its own reference. Goal: at least 3."""

import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from torch import Tensor
from transformers import AutoModel

from hf_integration import WatermarkCard, load_encoder
from hf_integration.authentication import Authenticator, observe_sketches, reconstruct
from hf_integration.authentication.reconstruction import BATCH_SIZE
from hf_integration.authentication.references import reference_for
from hf_integration.base.vocabulary import PRECISIONS, Precision
from hf_integration.benign.variants import one_thread, other_attention
from hf_integration.encoders import Encoder
from hf_integration.minting.instruction_sets import INSTRUCTION_SETS, Run, run_under
from tests.benchmarks.subjects import Subject

GOAL = 3.0


def run(subject: Subject) -> list[str]:
    """Print a table of variants by precision; every run is a real one of the whole encoder."""
    short = []
    print(f"{'variant':44}" + "".join(f"{precision:>12}" for precision in PRECISIONS))
    for name, row in _rows(subject):
        print(f"{name:44}" + "".join(f"{row[precision]:12.1f}" for precision in PRECISIONS), flush=True)
        short += [f"{name} in {p}: margin {m:.2f}, goal {GOAL}" for p, m in row.items() if m < GOAL]
    return [*short, *_half_copy(subject)]


def _rows(subject: Subject) -> Iterator[tuple[str, dict[Precision, float]]]:
    encoder, card = subject.encoder, subject.card
    count = len(card.key_samples)
    shuffled = random.Random(1).sample(range(count), count)  # noqa: S311  # not a secret
    settings: list[tuple[str, int, list[int] | None, AbstractContextManager[None]]] = [
        (f"as authenticated: batches of {BATCH_SIZE} by length", BATCH_SIZE, None, nullcontext()),
        ("batches of 1", 1, None, nullcontext()),
        ("batches of 7, shuffled (padded if masked)", 7, shuffled, nullcontext()),
        ("one batch of all, shuffled", count, shuffled, nullcontext()),
        ("other attention kernel", 8, None, other_attention(encoder)),
        ("one thread", 8, None, one_thread(encoder)),
    ]
    for name, batch_size, order, setting in settings:
        with setting:
            yield name, {p: _margin(encoder, card, p, batch_size, order) for p in PRECISIONS}
    for instruction_set in INSTRUCTION_SETS:
        references = {precision: reference_for(card, "stored", precision) for precision in PRECISIONS}
        work = [
            Run(reference.weights, precision, 16, len(card.key_samples))
            for precision, reference in references.items()
        ]
        found = run_under(instruction_set, encoder, card.key_samples, work, seed=card.seed)
        yield (
            f"instruction set {instruction_set}",
            {
                precision: reconstruct(card, reference, found[reference.weights, precision]).margin
                for precision, reference in references.items()
            },
        )
    with tempfile.TemporaryDirectory() as folder:
        for name, options in (
            ("saved and loaded", {}),
            ("saved in shards of 5 MB", {"max_shard_size": "5MB"}),
        ):
            copy = resaved(encoder, Path(folder, name.replace(" ", "-")), **options)
            yield name, {p: _authentic_margin(copy, card, p) for p in PRECISIONS}


def resaved(encoder: Encoder, folder: Path, **options: str) -> Encoder:
    """A copy of the encoder's folder with the weights written anew by the library."""
    assert encoder.path is not None
    shutil.copytree(encoder.path, folder, ignore=shutil.ignore_patterns("model*.safetensors*"))
    model = encoder.model
    if model.config.is_encoder_decoder:  # the encoder is half of what a folder holds
        model = AutoModel.from_pretrained(encoder.path, dtype=model.dtype)
    model.save_pretrained(folder, **options)
    return load_encoder(str(folder), device="cpu")


def _margin(
    encoder: Encoder, card: WatermarkCard, precision: Precision, batch_size: int, order: list[int] | None
) -> float:
    reference = reference_for(card, "stored", precision)
    running = encoder.at_precision(precision, weights=reference.weights)
    sketches: dict[str, Tensor] = observe_sketches(
        running, card.key_samples, seed=card.seed, batch_size=batch_size, order=order
    )
    return reconstruct(card, reference, sketches).margin


def _authentic_margin(encoder: Encoder, card: WatermarkCard, precision: Precision) -> float:
    """Margin of a whole authentication, digests and files included; 0 unless authentic."""
    verdict = Authenticator(card=card, precision=precision).authenticate(encoder).verdict
    return verdict.margin or 0.0 if verdict.authentic else 0.0


def _half_copy(subject: Subject) -> list[str]:
    """A float16 copy is a re-encoding; its float16 run is not what the float32 reference holds."""
    short = []
    with tempfile.TemporaryDirectory() as folder:
        halved = subject.encoder.at_precision("float16", weights="float16")
        copy = resaved(_with_path(halved, subject.encoder), Path(folder, "half"))
        for precision in PRECISIONS[:3]:
            margin = _authentic_margin(copy, subject.card, precision)
            print(f"{'float16 copy checked in ' + precision:44}{margin:12.1f}")
            if margin < GOAL:
                short.append(f"float16 copy in {precision}: margin {margin:.2f}, goal {GOAL}")
        run16 = observe_sketches(halved, subject.card.key_samples, seed=subject.card.seed)
        against32 = reconstruct(subject.card, reference_for(subject.card, "stored", "float32"), run16).margin
        print(f"{'float16 run against the float32 reference':44}{against32:12.2f}  (must be below 1)")
        if against32 >= 1:
            short.append("a float16 run passed the float32 reference")
    return short


def _with_path(encoder: Encoder, original: Encoder) -> Encoder:
    encoder.path = original.path
    return encoder
