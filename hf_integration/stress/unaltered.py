"""Benign changes, each a real run: none of them may raise an alarm."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from hf_integration.authentication import Authenticator, observe_sketches
from hf_integration.authentication.observation import BATCH_SIZE
from hf_integration.authentication.reconstruction import reconstruct_first
from hf_integration.authentication.references import reference_for
from hf_integration.card import WatermarkCard
from hf_integration.encoders import Encoder, Precision, open_encoder
from hf_integration.errors import SSLAuthError
from hf_integration.minting.benign import Variant, one_thread, other_attention
from hf_integration.minting.effort import CHEAP
from hf_integration.minting.instruction_sets import INSTRUCTION_SETS, Run, run_under
from hf_integration.stress.findings import BenignChange

KEYS_IN_HALF = 16


@contextmanager
def _channels_last(encoder: Encoder) -> Iterator[None]:
    """Filters of images laid out as many pipelines lay them out for speed."""
    encoder.model.to(memory_format=torch.channels_last)
    try:
        yield
    finally:
        encoder.model.to(memory_format=torch.contiguous_format)


WAYS = (
    Variant("as authenticated", BATCH_SIZE),
    Variant("samples one by one", 1),
    Variant("batches of 7, shuffled, padded where masked", 7, shuffled=True),
    Variant("one batch of all, shuffled", 1024, shuffled=True),
    Variant("other attention kernel", BATCH_SIZE, setting=other_attention),
    Variant("one thread", BATCH_SIZE, setting=one_thread),
    Variant("memory in channels-last order", BATCH_SIZE, setting=_channels_last),
)


def benign_runs(encoder: Encoder, card: WatermarkCard, precision: Precision) -> Iterator[BenignChange]:
    """Run every way of carrying out a check, then every instruction set, in one precision.

    Half precision is slow on a CPU: there the first key samples stand for all.
    """
    reference = reference_for(card, "stored", precision)
    samples = card.key_samples if precision in CHEAP else card.key_samples[:KEYS_IN_HALF]
    for way in WAYS:
        with way.setting(encoder):
            running = encoder.at_precision(precision, weights=reference.weights)
            sketches = observe_sketches(
                running,
                samples,
                seed=card.seed,
                batch_size=way.batch_size,
                order=way.order(len(samples)),
            )
        yield BenignChange(way.name, precision, reconstruct_first(card, reference, sketches).margin)
    for name in INSTRUCTION_SETS if encoder.path is not None else ():
        work = Run(reference.weights, precision, BATCH_SIZE, len(samples))
        try:
            found = run_under(name, encoder, card.key_samples, [work], seed=card.seed)
        except SSLAuthError as error:
            yield BenignChange(f"instruction set {name}", precision, None, str(error))
            continue
        margin = reconstruct_first(card, reference, found[reference.weights, precision]).margin
        yield BenignChange(f"instruction set {name}", precision, margin)


def benign_files(encoder: Encoder, card: WatermarkCard, precision: Precision) -> Iterator[BenignChange]:
    """Save the encoder in other ways, load it again, and make the whole check, digests included."""
    if encoder.path is None:
        return
    with tempfile.TemporaryDirectory(prefix="sslauth-benign-") as scratch:
        for name, half in (("weight file under another metadata", False), ("weights cast to float16", True)):
            folder = Path(scratch, name.replace(" ", "-"))
            try:
                _save_again(encoder.path, folder, half=half)
                again = open_encoder(
                    folder, name=encoder.name, modality=encoder.modality, device=encoder.device
                )
                verdict = (
                    Authenticator(card=card, precision=precision, trust="local").authenticate(again).verdict
                )
            except SSLAuthError as error:
                yield BenignChange(name, precision, 0.0, str(error))
                continue
            margin = (verdict.margin or 0.0) if verdict.authentic else 0.0
            yield BenignChange(name, precision, margin, "" if verdict.authentic else verdict.reason)


def _save_again(source: Path, folder: Path, *, half: bool) -> None:
    """A copy of a folder with its weight files written anew."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(source, folder)
    for file in folder.rglob("*.safetensors"):
        tensors = load_file(file)
        if half:
            tensors = {name: t.half() if t.dtype == torch.float32 else t for name, t in tensors.items()}
        file.unlink()
        save_file(dict(reversed(tensors.items())), file, metadata={"format": "pt", "written": "again"})
