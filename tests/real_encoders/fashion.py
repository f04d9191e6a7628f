"""Fashion-MNIST, 70,000 labelled grey images of 28 pixels, from a Debian package."""

import gzip
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from hf_integration.key_samples import Image

PACKAGE = "dataset-fashion-mnist"
MISSING = f"the Debian package {PACKAGE} is not installed (apt-get install {PACKAGE})"

_FOLDER = Path("/usr/share/datasets/fashion-mnist")

Bytes = npt.NDArray[np.uint8]


def fashion_is_installed() -> bool:
    """Whether the images are on this machine."""
    return (_FOLDER / "train-images-idx3-ubyte.gz").is_file()


def fashion(split: Literal["train", "t10k"], count: int) -> tuple[Bytes, Bytes]:
    """The first images of a split, which are in random order, and their labels.

    Returns:
        uint8 ``(count, 28, 28)`` and uint8 ``(count,)`` from 0 to 9.
    """
    pixels = _read(f"{split}-images-idx3-ubyte.gz", header=16, size=count * 28 * 28)
    return pixels.reshape(count, 28, 28), _read(f"{split}-labels-idx1-ubyte.gz", header=8, size=count)


def _read(name: str, *, header: int, size: int) -> Bytes:
    with gzip.open(_FOLDER / name) as file:
        return np.frombuffer(file.read(header + size), np.uint8, offset=header)


def fashion_images(count: int) -> list[Image] | None:
    """Images of the test split as RGB samples with shape ``(28, 28, 3)``; None where not installed."""
    if not fashion_is_installed():
        return None
    pixels, _ = fashion("t10k", count)
    return [np.repeat(image[:, :, None], 3, axis=2) for image in pixels]
