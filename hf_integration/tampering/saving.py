"""Saving an altered encoder: the clean folder with other values in its weight files, nothing else changed."""

import hashlib
import shutil
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from hf_integration.base.errors import EncoderError, OutputError
from hf_integration.encoders import Encoder

NOT_COPIED = ("*.bin", "*.onnx", "*.h5", "*.msgpack", "*.ot", "onnx", "openvino", ".git*", "sslauth")
"""Other formats of the same weights, which nothing here loads, and a card that may lie with the encoder."""


def copy_folder(encoder: Encoder, folder: Path) -> None:
    """Copy an encoder's folder without what loading does not need; links become files.

    Raises:
        EncoderError: the encoder does not come from a folder.
        OutputError: it could not be written.
    """
    if encoder.path is None:
        raise EncoderError(f"'{encoder.name}' is only in memory", remedy="save it to a folder and load that")
    try:
        shutil.copytree(encoder.path, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    except (OSError, shutil.Error) as error:
        raise OutputError(f"cannot write {folder}: {getattr(error, 'strerror', None) or error}") from error


def save_altered(encoder: Encoder, altered: Encoder, folder: Path) -> int:
    """Write the altered weights into a copy of the clean encoder's folder.

    The files keep their names, tensors and metadata. A tensor in them is found by its clean *value*, not by
    its name, since libraries rename tensors when loading; matrices of trained encoders are unique.

    Args:
        encoder: the clean encoder.
        altered: its altered copy.
        folder: a copy of the clean folder, see :func:`copy_folder`.

    Returns:
        Number of tensors that were replaced.

    Raises:
        EncoderError: nothing in the weight files was recognised.
        OutputError: it could not be written.
    """
    after = dict(altered.model.named_parameters())
    changed = {
        _fingerprint(clean): after[name].detach()
        for name, clean in encoder.model.named_parameters()
        if not torch.equal(clean, after[name])
    }
    replaced = 0
    for file in sorted(folder.rglob("*.safetensors")):
        with safe_open(file, framework="pt") as stored:
            metadata = stored.metadata()
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  # not a mapping
        matches = {name: changed.get(_fingerprint(tensor)) for name, tensor in tensors.items()}
        replacements = {
            name: match.contiguous().cpu() for name, match in matches.items() if match is not None
        }
        if replacements:
            replaced += len(replacements)
            try:
                save_file({**tensors, **replacements}, file, metadata=metadata)
            except OSError as error:
                raise OutputError(f"cannot write {file}: {error.strerror or error}") from error
    if not replaced:
        raise EncoderError(f"{folder}: none of the altered tensors is in its weight files")
    return replaced


def _fingerprint(tensor: Tensor) -> bytes:
    """Digest of shape and values, the same for every dtype that holds the values exactly."""
    values = tensor.detach().cpu().contiguous()
    header = f"{tuple(values.shape)}".encode()
    return hashlib.sha256(header + values.double().numpy().tobytes()).digest()
