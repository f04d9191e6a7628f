"""``card.safetensors``: the whole header is checked against ``card.json`` before any data is read.

The format is a length, a JSON header and the data. Names, dtypes and shapes all follow from the counts in
``card.json``, so a header can only be right or wrong, and never decides what is allocated.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, BinaryIO

import torch
from safetensors.torch import save
from torch import Tensor

from hf_integration.base import strict_json
from hf_integration.base.errors import FlawError, KeySampleError
from hf_integration.base.files import read_exactly
from hf_integration.card.schema import CardRecord
from hf_integration.key_samples.encoding import decode_sample
from hf_integration.key_samples.samples import KeySamples, Sample, Waveform

MOST_HEADER_BYTES = 64 << 10
"""A card has at most some forty tensors, of about a hundred bytes each in the header."""

_DTYPES = {"F64": torch.float64, "F32": torch.float32, "I64": torch.int64, "U8": torch.uint8}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


@dataclass(frozen=True)
class TensorForm:
    """What a tensor must be.

    Attributes:
        dtype: element type.
        shape: exact shape, no dimension of zero.
    """

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{_NAMES[self.dtype]} {list(self.shape)}"


def write_tensors(tensors: Mapping[str, Tensor]) -> bytes:
    """The bytes of a safetensors file."""
    # clones, as safetensors refuses tensors that share memory, such as two references with the same sketches
    return save({name: tensor.cpu().contiguous().clone() for name, tensor in tensors.items()})


def read_tensors(
    stream: BinaryIO, size: int, sha256: str, forms: Mapping[str, TensorForm]
) -> dict[str, Tensor]:
    """Read the tensors of a card.

    Args:
        stream: the file, opened once; the bytes that are hashed are the bytes that are used.
        size: its size in bytes.
        sha256: its expected SHA-256.
        forms: the tensors that must be in it.

    Returns:
        Exactly the tensors of ``forms``; all float values are finite.

    Raises:
        FlawError: the file is anything else.
    """
    prefix = read_exactly(stream, min(size, 8))
    length = int.from_bytes(prefix, "little")
    if not 0 < length <= min(size - 8, MOST_HEADER_BYTES):
        raise FlawError("header", f"states {length} bytes for itself in a file of {size}")
    header = read_exactly(stream, length)
    offsets = _check_header(_parse_header(bytes(header)), forms)
    needed = sum(form.bytes for form in forms.values())
    if size != 8 + length + needed:
        raise FlawError("", f"holds {size - 8 - length} bytes of tensors where its header asks for {needed}")
    data = read_exactly(stream, needed)
    found = hashlib.sha256(prefix)
    found.update(header)
    found.update(data)
    if found.hexdigest() != sha256:
        raise FlawError("", "its SHA-256 is not the one in card.json: edited or damaged")
    tensors = {}
    for name, form in forms.items():
        flat = torch.frombuffer(data, dtype=form.dtype, count=math.prod(form.shape), offset=offsets[name])
        if form.dtype.is_floating_point and not bool(flat.isfinite().all()):
            raise FlawError(name, "holds NaN or infinity")
        tensors[name] = flat.view(form.shape)
    return tensors


def _parse_header(data: bytes) -> Any:
    try:
        return strict_json.parse(data)
    except FlawError as flaw:
        raise FlawError("header", str(flaw)) from None


def _check_header(header: Any, forms: Mapping[str, TensorForm]) -> dict[str, int]:
    """Offset of every tensor, once the header says what ``forms`` says and the data leave no gap."""
    if not isinstance(header, dict):
        raise FlawError("header", "not a JSON object")
    for name in forms:
        if name not in header:
            raise FlawError(name, "the tensor is missing")
    for name in header:
        if name not in forms:
            raise FlawError(name, "unknown tensor")
    places = []
    for name, form in forms.items():
        entry = header[name]
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise FlawError(name, "needs exactly dtype, shape and data_offsets")
        if entry["dtype"] != _NAMES[form.dtype] or not _equals(entry["shape"], list(form.shape)):
            found = f"{entry['dtype']} {entry['shape']}"
            raise FlawError(name, f"must be {form} by the counts in card.json, but is {found}")
        offsets = entry["data_offsets"]
        if not _is_integers(offsets) or len(offsets) != 2 or offsets[1] - offsets[0] != form.bytes:
            raise FlawError(name, f"its data_offsets do not span {form.bytes} bytes")
        if offsets[0] % form.dtype.itemsize:
            raise FlawError(name, "its data_offsets are not aligned")
        places.append((offsets[0], name, form.bytes))
    end = 0
    for start, name, length in sorted(places):
        if start != end:
            raise FlawError(name, "its data_offsets leave a gap or overlap another tensor")
        end += length
    return {name: start for start, name, _ in places}


def _is_integers(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int for item in value)


def _equals(found: Any, expected: list[int]) -> bool:
    return _is_integers(found) and found == expected


SAMPLES, OFFSETS = "key_samples.bytes", "key_samples.offsets"

MOST_SAMPLE_BYTES = 256 << 20
"""Decoded key samples of a card together. The limit of each sample is not enough: a few kilobytes can
unpack to megabytes, four thousand times over."""


def unpacked_samples(record: CardRecord, tensors: Mapping[str, Tensor]) -> KeySamples:
    """The key samples of a card that is read.

    Raises:
        FlawError: they are not those that ``card.json`` states, or more than may be unpacked.
    """
    offsets = tensors[OFFSETS].tolist()
    ascending = all(start < end for start, end in pairwise(offsets))
    if offsets[0] != 0 or offsets[-1] != record.key_samples.bytes or not ascending:
        raise FlawError(OFFSETS, f"not ascending from 0 to {record.key_samples.bytes}")
    blob = tensors[SAMPLES].numpy()
    samples: list[Sample] = []
    size = 0
    for position, (start, end) in enumerate(pairwise(offsets)):
        try:
            samples.append(decode_sample(record.encoder.modality, blob[start:end].tobytes()))
        except KeySampleError as error:
            raise FlawError(f"{SAMPLES}[{position}]", str(error)) from None
        size += _decoded_bytes(samples[-1])
        if size > MOST_SAMPLE_BYTES:
            raise FlawError(SAMPLES, f"the samples unpack to more than {MOST_SAMPLE_BYTES} bytes")
    found = KeySamples(samples, origin=record.key_samples.origin)
    if found.digest() != record.key_samples.sha256:
        raise FlawError(SAMPLES, "the samples are not those whose SHA-256 card.json states")
    return found


def _decoded_bytes(sample: Sample) -> int:
    if isinstance(sample, str):
        return len(sample)
    return sample.samples.nbytes if isinstance(sample, Waveform) else sample.nbytes
