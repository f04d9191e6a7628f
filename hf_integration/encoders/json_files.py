"""JSON that came with an encoder: small, well-formed, of the expected kind, and never outside its folder."""

import json
from pathlib import Path, PurePosixPath
from typing import Any

from hf_integration.errors import EncoderError

# The largest tokenizer.json in use (250,000 pieces) takes 33 MB.
MAX_BYTES = 256 * 2**20


def read_json(path: Path, kind: type | tuple[type, ...] = (dict, list)) -> Any:
    """Parse one file.

    Raises:
        EncoderError: missing, unreadable, oversized, not JSON, or JSON of another kind.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise EncoderError(f"{path}: larger than {MAX_BYTES // 2**20} MB")
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise EncoderError(f"{path}: missing", remedy="the copy is incomplete: get it again") from error
    except OSError as error:
        raise EncoderError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # also bad UTF-8
        raise EncoderError(f"{path}: damaged JSON: {error}", remedy="download it again") from error
    if not isinstance(value, kind):
        raise EncoderError(f"{path}: holds a JSON {type(value).__name__}, which is not expected there")
    return value


def relative_folder(root: Path, name: object, where: str) -> Path:
    """A folder named inside another one's files.

    Raises:
        EncoderError: the name leads outside ``root``.
    """
    if not isinstance(name, str) or "\\" in name:
        raise EncoderError(f"{root / where}: {name!r} is no folder name")
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts:
        raise EncoderError(f"{root / where}: {name!r} leads outside the encoder's folder")
    return root / parts
