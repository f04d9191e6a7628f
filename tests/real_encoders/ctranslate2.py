"""Reading a CTranslate2 model file, the form in which a package holds Whisper.

The format, little endian: version, name of the specification, its revision, number of variables; then for
each its name, rank, dimensions, type and bytes. https://github.com/OpenNMT/CTranslate2
"""

import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

_TYPES: dict[int, type[np.generic]] = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


def read_variables(path: Path, *, specification: str) -> dict[str, npt.NDArray[Any]]:
    """All variables of a model file by name.

    Raises:
        ValueError: another version or specification than asked for.
    """
    with path.open("rb") as file:
        (version,) = _numbers(file, "I")
        found = _name(file)
        if (version, found) != (6, specification):
            raise ValueError(f"{path.name} is version {version} of {found}, not version 6 of {specification}")
        _revision, count = _numbers(file, "II")
        return dict(_variable(file) for _ in range(count))


def _variable(file: BinaryIO) -> tuple[str, npt.NDArray[Any]]:
    name = _name(file)
    (rank,) = _numbers(file, "B")
    shape = _numbers(file, f"{rank}I")
    kind, size = _numbers(file, "BI")
    return name, np.frombuffer(file.read(size), _TYPES[kind]).reshape(shape)


def _numbers(file: BinaryIO, layout: str) -> tuple[int, ...]:
    pattern = struct.Struct("<" + layout)
    return pattern.unpack(file.read(pattern.size))


def _name(file: BinaryIO) -> str:
    (size,) = _numbers(file, "H")
    return file.read(size).rstrip(b"\0").decode()
