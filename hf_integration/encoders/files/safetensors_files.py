"""Headers of safetensors files: enough to know what a folder holds before anything is loaded."""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hf_integration.base.errors import EncoderError
from hf_integration.encoders.files.json_values import parse, read_json, relative_folder

MAX_HEADER = 100_000_000  # the format's own limit
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"

_FLOATING: Mapping[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}
_WIDTHS = {
    **{"F64": 8, "F32": 4, "F16": 2, "BF16": 2},
    **{"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1},
}
"""Bytes of one number; what is not here is quantised."""

_EXACT = frozenset({"I64", "I32", "I16", "BOOL", *_FLOATING})


@dataclass(frozen=True)
class Header:
    """What a file says about itself.

    Attributes:
        dtypes: tensor name -> dtype in the format's words, e.g. ``BF16``.
        scalars: numbers in all tensors together.
    """

    dtypes: Mapping[str, str]
    scalars: int = 0


def read_header(path: Path) -> Header:
    """Read and check a header; the tensors themselves are not touched.

    Raises:
        EncoderError: missing, truncated, or not safetensors.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= min(MAX_HEADER, size - 8):
                raise EncoderError(
                    f"{path}: not a safetensors file, or truncated", remedy="download it again"
                )
            entries = parse(file.read(length))
        entries.pop("__metadata__", None)
        dtypes = {name: str(entry["dtype"]) for name, entry in entries.items()}
        scalars = sum(_scalars(entry) for entry in entries.values())
        end = _end([tuple(entry["data_offsets"]) for entry in entries.values()])
    except FileNotFoundError as error:
        raise EncoderError(f"{path}: missing", remedy="download it again") from error
    except OSError as error:
        raise EncoderError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise EncoderError(f"{path}: damaged safetensors header", remedy="download it again") from error
    if size != 8 + length + end:
        raise EncoderError(
            f"{path}: {size} bytes where its header says {8 + length + end}: truncated or damaged",
            remedy="download it again",
        )
    return Header(dtypes, scalars)


def _scalars(entry: Mapping[str, Any]) -> int:
    """Numbers in one tensor, by its shape, which must fill the bytes that it claims.

    Raises:
        ValueError: it does not.
    """
    shape, (start, end) = entry["shape"], entry["data_offsets"]
    if not all(type(side) is int and side >= 0 for side in (*shape, start, end)):
        raise ValueError("sizes that are no sizes")
    count, width = int(math.prod(shape)), _WIDTHS.get(entry["dtype"])
    if width is not None and end - start != count * width:
        raise ValueError("a shape that does not fill its bytes")
    return count


def _end(places: list[tuple[int, ...]]) -> int:
    """Where the last tensor ends, if each begins where another ends: numbers that count twice fill nothing.

    Raises:
        ValueError: tensors that overlap, or a gap between them.
    """
    end = 0
    for start, stop in sorted(places):
        if start != end:
            raise ValueError("tensors that overlap or leave a gap")
        end = stop
    return end


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The files that hold a model's weights: one, or the shards of an index; none if there are none.

    Raises:
        EncoderError: the index is damaged or names a missing shard.
    """
    # The order in which transformers looks for them.
    if (folder / SINGLE).is_file():
        return (folder / SINGLE,)
    if not (folder / INDEX).is_file():
        return ()
    index: Any = read_json(folder / INDEX, dict).get("weight_map")
    if not isinstance(index, dict) or not index:
        raise EncoderError(f"{folder / INDEX}: no weight_map")
    shards = {str(name): relative_folder(folder, name, INDEX) for name in index.values()}
    if missing := sorted(name for name, path in shards.items() if not path.is_file()):
        raise EncoderError(
            f"{folder / INDEX}: {len(missing)} of {len(shards)} shards missing: {', '.join(missing[:3])}",
            remedy="download it again",
        )
    return tuple(shards[name] for name in sorted(shards))


def stored_dtype(headers: list[Header], where: Path) -> torch.dtype:
    """The narrowest dtype that holds every stored floating value exactly.

    Raises:
        EncoderError: weights of a quantised dtype (8 bits and less).
    """
    names = {dtype for header in headers for dtype in header.dtypes.values()}
    if quantised := sorted(names - _EXACT - {"U8", "I8", "U16", "U32", "U64"} | (names & {"I8", "U8"})):
        raise EncoderError(
            f"{where}: weights stored as {', '.join(quantised)}: quantised encoders are not supported",
            remedy="use the original, unquantised encoder",
        )
    floating = [_FLOATING[name] for name in sorted(names) if name in _FLOATING]
    dtype = floating[0] if floating else torch.float32
    for other in floating[1:]:
        dtype = torch.promote_types(dtype, other)
    return dtype
