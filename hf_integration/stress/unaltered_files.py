"""Benign changes of files: the same encoder saved in other ways, loaded again, and put to the whole check."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from hf_integration.authentication import Authenticator
from hf_integration.authentication.references import reference_for
from hf_integration.base.errors import InconclusiveError, SSLAuthError, UsageError
from hf_integration.base.vocabulary import Precision, Weights
from hf_integration.card import WatermarkCard
from hf_integration.encoders import Encoder, open_encoder
from hf_integration.encoders.files.folder import inspect_folder
from hf_integration.encoders.files.loading import silent_transformers
from hf_integration.encoders.files.safetensors_files import INDEX, SINGLE, weight_files
from hf_integration.stress.findings import BenignChange

SHARDS = 3

Rewriting = Callable[[Encoder, Path], None]
"""Writes the weights in a copy of the encoder's folder anew."""


def benign_files(encoder: Encoder, card: WatermarkCard, precision: Precision) -> Iterator[BenignChange]:
    """Save the encoder in other ways, load it again, and make the whole check, digests included.

    Args:
        encoder: one that is only in memory has no files, and gives nothing.
        card: the card.
        precision: arithmetic of the checks.
    """
    if encoder.path is None:
        return
    for name, (rewrite, weights) in WAYS.items():
        try:
            reference_for(card, weights, precision)
            with tempfile.TemporaryDirectory(prefix="sslauth-benign-") as scratch:
                folder = Path(scratch, "encoder")
                shutil.copytree(encoder.path, folder)
                rewrite(encoder, folder)
                yield _checked(name, encoder, folder, card, precision)
        except (UsageError, InconclusiveError) as error:  # this card or this encoder has no such thing
            yield BenignChange(name, precision, None, str(error))


def _checked(
    name: str, encoder: Encoder, folder: Path, card: WatermarkCard, precision: Precision
) -> BenignChange:
    try:
        again = open_encoder(folder, name=encoder.name, preferred=encoder.description, device=encoder.device)
        verdict = Authenticator(card=card, precision=precision, trust="local").authenticate(again).verdict
    except SSLAuthError as error:
        return BenignChange(name, precision, 0.0, str(error))
    margin = (verdict.margin or 0.0) if verdict.authentic else 0.0
    return BenignChange(name, precision, margin, "" if verdict.authentic else verdict.reason)


def _weight_folders(folder: Path) -> list[Path]:
    """The folders within that hold weights: the model's, and those of dense modules behind the pooling."""
    return sorted({file.parent for name in (SINGLE, INDEX) for file in folder.rglob(name)})


def _save_again(_: Encoder, folder: Path) -> None:
    """Other metadata, and tensors in another order within their files."""
    for part in _weight_folders(folder):
        for file in weight_files(part):
            _save(dict(reversed(load_file(file).items())), file)


def _cast(dtype: torch.dtype, *, dimensions: int = 0) -> Rewriting:
    """Round the tensors that have at least so many dimensions."""

    def rounded(tensor: Tensor) -> Tensor:
        return tensor.to(dtype) if tensor.is_floating_point() and tensor.ndim >= dimensions else tensor

    def rewrite(_: Encoder, folder: Path) -> None:
        for part in _weight_folders(folder):
            for file in weight_files(part):
                _save({name: rounded(tensor) for name, tensor in load_file(file).items()}, file)

    return rewrite


def _in_shards(count: int) -> Rewriting:
    """Spread the tensors over files of about one size, with an index that names the file of each."""

    def rewrite(_: Encoder, folder: Path) -> None:
        for part in _weight_folders(folder):
            files = weight_files(part)
            tensors = {name: tensor for file in files for name, tensor in load_file(file).items()}
            for file in (*files, part / INDEX):
                file.unlink(missing_ok=True)
            total, before = sum(tensor.nbytes for tensor in tensors.values()), 0
            shards: dict[str, dict[str, Tensor]] = {}
            for name, tensor in tensors.items():
                place = min(before * count // max(total, 1), count - 1) + 1
                shards.setdefault(f"model-{place:05}-of-{count:05}.safetensors", {})[name] = tensor
                before += tensor.nbytes
            for shard, held in shards.items():
                _save(held, part / shard)
            index = {
                "metadata": {"total_size": total},
                "weight_map": {name: shard for shard, held in shards.items() for name in held},
            }
            (part / INDEX).write_text(json.dumps(index), "utf-8")

    return rewrite


def _by_transformers(encoder: Encoder, folder: Path) -> None:
    """What ``save_pretrained`` writes: configuration and weights.

    Raises:
        InconclusiveError: the encoder is a part of what its folder holds: saved alone, it is another kind.
    """
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    model: Any = encoder.model
    kind = MODEL_MAPPING.get(type(model.config), None)
    if type(model) is not kind:
        raise InconclusiveError(
            f"{type(model).__name__} is a part of a model: saved alone, it is another kind"
        )
    target = inspect_folder(folder).model
    for file in (*weight_files(target), target / INDEX):
        file.unlink(missing_ok=True)
    with silent_transformers():
        model.save_pretrained(target)


def _save(tensors: dict[str, Tensor], file: Path) -> None:
    file.unlink(missing_ok=True)  # the tensors may be mapped from it: it must not be written into
    save_file(tensors, file, metadata={"format": "pt", "written": "again"})


WAYS: dict[str, tuple[Rewriting, Weights]] = {
    "weight file under another metadata": (_save_again, "stored"),
    "saved and reloaded by transformers": (_by_transformers, "stored"),
    f"weights in {SHARDS} shards": (_in_shards(SHARDS), "stored"),
    "weight file renamed, with an index": (_in_shards(1), "stored"),
    "weights cast to float16": (_cast(torch.float16), "float16"),
    "weights cast to bfloat16": (_cast(torch.bfloat16), "bfloat16"),
    "matrices cast to bfloat16, vectors kept": (_cast(torch.bfloat16, dimensions=2), "bfloat16"),
}
"""Name -> how the weights are written, and which of the card's references they are held against."""
