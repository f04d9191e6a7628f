"""Files that callers give to commands: texts, and embeddings of them."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_integration.base.errors import FlawError, UsageError
from hf_integration.base.files import open_bounded, read_exactly
from hf_integration.base.strict_json import parse
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import MOST_KEYS, MOST_WIDTH

if TYPE_CHECKING:
    from torch import Tensor

    from hf_integration.key_samples.samples import KeySamples

MOST_BYTES = 256 << 20


def texts_and_embeddings(texts: Path, embeddings: Path) -> "tuple[KeySamples, Tensor]":
    """Texts and their embeddings from files.

    Returns:
        The texts, and a float64 tensor ``(n, dim)``.

    Raises:
        UsageError: a file cannot be read or holds something else, or they do not go together.
    """
    import torch

    from hf_integration.key_samples.samples import KeySamples

    lines, rows = texts_in(texts), _rows(embeddings)
    if len(lines) != len(rows):
        raise UsageError(
            f"{texts.name} holds {len(lines)} texts and {embeddings.name} {len(rows)} embeddings",
            remedy="give one embedding for each text, in the same order",
        )
    return KeySamples(lines, origin="given texts"), torch.from_numpy(rows)


def texts_in(file: Path) -> list[str]:
    """Texts of a file: one on each line, or a JSON list of strings.

    Raises:
        UsageError: it cannot be read, holds something else, or more than :data:`MOST_KEYS`.
    """
    data = _read(file)
    if file.suffix == ".json":
        found: list[str] = _json(file, data)
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            raise UsageError(f"{quoted(file.name)} is no list of strings")
    else:
        try:
            lines = data.decode("utf-8").replace("\r\n", "\n")
            found = lines.removesuffix("\n").split("\n")  # other line breaks may be part of a text
        except UnicodeDecodeError as error:
            raise UsageError(f"{quoted(file.name)} is not UTF-8 at byte {error.start}") from None
    if not 0 < len(found) <= MOST_KEYS:
        raise UsageError(f"{quoted(file.name)} holds {len(found)} texts", remedy=f"give 1 to {MOST_KEYS}")
    return found


def _rows(file: Path) -> Any:
    import numpy as np

    data = _read(file)
    try:
        if file.suffix == ".npy":
            found = np.load(io.BytesIO(data), allow_pickle=False)
        else:
            found = np.array(_json(file, data), dtype=np.float64)
    except (ValueError, TypeError, EOFError, SyntaxError) as error:
        raise UsageError(f"{quoted(file.name)} holds no embeddings: {quoted(str(error))}") from None
    if not isinstance(found, np.ndarray) or found.dtype.kind != "f" or found.ndim != 2 or not found.size:
        raise UsageError(f"{quoted(file.name)} holds no table of floating-point numbers, one row per text")
    found = found.astype(np.float64)
    if not np.isfinite(found).all() or found.shape[1] > MOST_WIDTH:
        raise UsageError(
            f"{quoted(file.name)} holds numbers that are not finite, or rows of more than {MOST_WIDTH}"
        )
    return found


def _read(file: Path) -> bytes:
    try:
        with open_bounded(file, MOST_BYTES) as (stream, size):
            return bytes(read_exactly(stream, size))
    except FlawError as error:
        raise UsageError(f"{quoted(file.name)}: {error.reason}", remedy="check the path") from None


def _json(file: Path, data: bytes) -> Any:
    try:
        return parse(data, most_values=len(data))
    except FlawError as error:
        raise UsageError(f"{quoted(file.name)}: {error.reason}") from None
