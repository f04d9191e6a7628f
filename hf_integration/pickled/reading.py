"""The process that reads pickles: the only place in this package where one is read.

It gets a job on standard input, writes safetensors into the folder that the job names, and answers with the
names of what it found. It runs with nothing in its environment that it has no use for.
"""

import json
import os
import re
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import torch
from safetensors.torch import save_file
from torch import Tensor

from hf_integration.base.children import end_with
from hf_integration.base.errors import in_one_line
from hf_integration.pickled.confinement import confine, leave_the_network

MOST_TENSORS = 200_000
"""In one file."""

MOST_PICKLE = 64 << 20
"""Bytes of the names and shapes in a file; of the largest encoders they take one."""

_MOST_TIMES = 4
"""What is written, in sizes of what was read: tied tensors may be written under each of their names."""

_GLOBAL = re.compile(r"GLOBAL (\S{1,100})")
_REASON = re.compile(r"(?:Unsupported|Trying to|Can only)[^\n]{1,100}")
_PLAIN = (str, int, float, bool, bytes, type(None))


class Job(TypedDict):
    """What is to be done.

    Attributes:
        parent: process id of whoever waits.
        files: what is read -> what is written.
        tied: tensor -> the tensor that the library ties it to.
    """

    parent: int
    files: dict[str, str]
    tied: dict[str, str]


class Answer(TypedDict):
    """What was found in one file.

    Attributes:
        tensors: that were written.
        tied: left out, as the library makes them of another -> that other one.
        copies: written although another tensor has the same memory -> that other one.
        beside: entries that are no tensors, and were left out.
    """

    tensors: list[str]
    tied: dict[str, str]
    copies: dict[str, str]
    beside: list[str]


class RefusedError(Exception):
    """A file that is not converted, and why, in one line."""


def read(path: Path) -> dict[str, Any]:
    """Read one file as tensors, on the CPU.

    Raises:
        RefusedError: it is none of PyTorch's, asks for something to be run, or contradicts itself.
    """
    records = _records(path) if zipfile.is_zipfile(path) else None
    if records is None and tarfile.is_tarfile(path):
        raise RefusedError("is in the tar format of PyTorch before 0.1.10, which nothing safe reads")
    try:
        found = torch.load(path, weights_only=True, map_location="cpu", mmap=records is not None)
    except MemoryError:
        raise RefusedError("asks for more memory than a file of its size needs") from None
    except Exception as error:  # whatever a stranger's bytes make of the reader
        raise RefusedError(_explained(error)) from None
    if not isinstance(found, Mapping):
        raise RefusedError(f"holds a {type(found).__name__}, not tensors by name")
    if len(found) > MOST_TENSORS:
        raise RefusedError(f"holds {len(found)} entries, more than any encoder has")
    if records is not None:
        _check_storages(found, records)
    return dict(found)


def _records(path: Path) -> Counter[int]:
    """How many records of which size an archive holds.

    Raises:
        RefusedError: it is not as PyTorch writes them, and would be read as something else than it says.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise RefusedError(f"is a damaged archive ({in_one_line(error)})") from None
    if len(entries) > MOST_TENSORS:
        raise RefusedError(f"holds {len(entries)} records, more than any encoder has")
    if any(entry.filename.endswith("/constants.pkl") for entry in entries):
        raise RefusedError("is a TorchScript archive, which is a program and not weights")
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
        raise RefusedError("holds compressed or encrypted records, which PyTorch does not write")
    if len({entry.filename for entry in entries}) < len(entries):
        raise RefusedError("holds two records of one name")
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise RefusedError("holds records that overlap")
    if any(entry.file_size > MOST_PICKLE for entry in entries if entry.filename.endswith("data.pkl")):
        raise RefusedError(f"holds a pickle of more than {MOST_PICKLE} bytes beside its tensors")
    return Counter(entry.file_size for entry in entries)


def _check_storages(found: Mapping[Any, Any], records: Counter[int]) -> None:
    """Hold the memory of tensors against the records: a mapped file gives whatever follows a record.

    Raises:
        RefusedError: a tensor has more or less memory than any record.
    """
    storages = {
        value.untyped_storage().data_ptr(): value.untyped_storage().nbytes()
        for value in found.values()
        if isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta and value.numel()
    }
    if Counter(storages.values()) - records:
        raise RefusedError("declares tensors of other sizes than its records have")


def _explained(error: Exception) -> str:
    """Why a file was not read, in one line; PyTorch's own messages advise to run what it refused."""
    said = str(error)
    if found := _GLOBAL.search(said):
        return f"asks for {found[1]}, which is no tensor: it may run code, and none of it was run"
    found = _REASON.search(said)
    return f"is no file of weights that PyTorch reads ({found[0] if found else in_one_line(error)[:200]})"


def sort_out(
    found: Mapping[Any, Any], tied: Mapping[str, str], size: int
) -> tuple[dict[str, Tensor], Answer]:
    """What of a file is written.

    Args:
        found: what was read.
        tied: tensor -> the tensor that the library ties it to.
        size: bytes of the file.

    Raises:
        RefusedError: it holds tensors that safetensors cannot hold, or in another place than encoders have
            them.
    """
    tensors: dict[str, Tensor] = {}
    beside = []
    for name, value in found.items():
        if not isinstance(name, str):
            raise RefusedError(f"calls an entry by a {type(name).__name__}, not by a name")
        if isinstance(value, Tensor):
            tensors[name] = _checked(name, value)
        elif isinstance(value, _PLAIN):
            beside.append(name)
        else:
            raise RefusedError(
                f"holds a {type(value).__name__} called {name[:100]!r}: a checkpoint, not weights"
            )
    if not tensors:
        raise RefusedError("holds no tensors")
    first: dict[tuple[Any, ...], str] = {}
    same = {}  # in the order of names, so that the same file always gives the same bytes
    for name in sorted(tensors, key=lambda name: (name in tied, name)):
        kept = first.setdefault(_memory(tensors[name]), name)
        if kept != name:
            same[name] = kept
    left = {name: kept for name, kept in same.items() if tied.get(name) == kept and kept not in tied}
    written = {name: tensor for name, tensor in tensors.items() if name not in left}
    if sum(_bytes(tensor) for tensor in written.values()) > _MOST_TIMES * size:
        raise RefusedError("declares more numbers than it holds")
    shared = Counter(tensor.untyped_storage().data_ptr() for tensor in written.values())
    whole = {
        name: tensor.clone(memory_format=torch.contiguous_format)
        if shared[tensor.untyped_storage().data_ptr()] > 1
        else tensor.contiguous()
        for name, tensor in written.items()
    }
    copies = {name: kept for name, kept in same.items() if name not in left}
    return whole, {"tensors": sorted(whole), "tied": left, "copies": copies, "beside": beside}


def _checked(name: str, tensor: Tensor) -> Tensor:
    """The bare tensor.

    Raises:
        RefusedError: it is of a kind that safetensors has no place for.
    """
    tensor = tensor.detach()
    shown = repr(name[:100])
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        kind = "quantised" if tensor.is_quantized else str(tensor.layout).removeprefix("torch.")
        where = "" if tensor.device.type == "cpu" else f" on the device {tensor.device.type}"
        raise RefusedError(f"holds a {kind} tensor{where} called {shown}: only dense tensors are converted")
    if type(tensor) is not Tensor or tensor.is_conj() or tensor.is_neg():
        raise RefusedError(f"holds a tensor of a special kind called {shown}")
    if _bytes(tensor) > tensor.untyped_storage().nbytes():
        raise RefusedError(f"declares more numbers in {shown} than it holds")
    return tensor


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _memory(tensor: Tensor) -> tuple[Any, ...]:
    if not tensor.numel():
        return (id(tensor),)
    return tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride()


def run(job: Job) -> list[Answer]:
    """Read and write every file of a job.

    Raises:
        RefusedError: one of them is not converted; names it.
    """
    answers = []
    for source, target in job["files"].items():
        path = Path(source)
        try:
            tensors, answer = sort_out(read(path), job["tied"], path.stat().st_size)
            try:
                save_file(tensors, target, metadata={"format": "pt"})
            except Exception as error:  # of Rust: a full disk, or a dtype that safetensors does not know
                raise RefusedError(f"cannot be written as safetensors ({in_one_line(error)[:200]})") from None
        except RefusedError as error:
            raise RefusedError(f"{path.name}: {error}") from None
        except MemoryError:
            raise RefusedError(f"{path.name}: asks for more memory than a file of its size needs") from None
        answers.append(answer)
        del tensors
    return answers


def main() -> None:
    """Read a job from standard input, do it, and answer on standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    job: Job = json.loads(sys.stdin.buffer.read())
    leave_the_network()  # first, as new rights take away what ends this process with its parent
    end_with(job["parent"])
    torch.set_num_threads(1)
    said: dict[str, Any]
    refused = confine(max(Path(source).stat().st_size for source in job["files"]))
    try:
        said = {"files": run(job)}
    except RefusedError as error:
        said = {"refused": str(error)}
    if refused:  # also where a library went on after it
        said = {"refused": f"the reader was about to do something else than read ({refused[0]})"}
    answers.write(json.dumps(said).encode())
    answers.close()
    os._exit(0)  # nothing that was read has a say in how this process ends


if __name__ == "__main__":
    main()
