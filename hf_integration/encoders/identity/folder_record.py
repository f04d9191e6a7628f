"""The files of an encoder's folder as values: as they stand, key by key, and as the library understands them.

What a file says and what a library makes of it are two things. A loader that nobody thought of obeys the
first; a library that saves the encoder anew writes the second. Both are recorded.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_integration.encoders.canonical import canonical, condensed
from hf_integration.encoders.json_files import read_json
from hf_integration.errors import EncoderError
from hf_integration.flaw import is_plain

Keys = Mapping[str, Any]

WHOLE = "(whole file)"
"""Key of a file that is compared by one digest."""

MOST_KEYS = 256
"""Entries of an object up to which they are kept one by one; a vocabulary is one value."""

_DEEPEST = 4
_LONGEST_KEY = 80
_FLAT = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_VOCABULARIES = ("added_tokens.json", "vocab.json", "entity_vocab.json", ".index.json")
_CODE = ("auto_map", "custom_pipelines", "custom_generate")


@dataclass(frozen=True)
class FolderRecord:
    """What an encoder's folder says beside its weights.

    Attributes:
        files: file -> key -> value as it stands; long values are digests.
        in_effect: file -> key -> value that the library would write if it saved what it loaded.
        dtype: what the weights are stored in.
        not_covered: what lies in the folder, could act in the encoder's name, and was not looked at.
    """

    files: Mapping[str, Keys] = field(default_factory=dict)
    in_effect: Mapping[str, Keys] = field(default_factory=dict)
    dtype: str = "float32"
    not_covered: tuple[str, ...] = ()

    def remote_code(self) -> tuple[str, ...]:
        """Where the files name code of the repository, which is never run here: ``config.json: auto_map``."""
        return tuple(
            f"{file}: {key}"
            for file, keys in self.files.items()
            for key in keys
            if key.partition(".")[0] in _CODE
        )

    def unread(self) -> tuple[str, ...]:
        """What could act in the encoder's name and was not looked at, code that is named included."""
        code = (f"code of the repository, which was not run ({where})" for where in self.remote_code())
        return (*self.not_covered, *code)


def read_files(root: Path, names: Sequence[str], *, model: str = "") -> dict[str, Keys]:
    """Read every file that is no weight file.

    Args:
        root: the encoder's folder.
        names: the files below it that belong to the encoder.
        model: folder below it that holds the transformers model; its files are called as if they were at the
            root, where newer libraries put them.

    Raises:
        EncoderError: a file cannot be read.
    """
    found: dict[str, Keys] = {}
    for name in sorted(names):
        if name.endswith(".safetensors"):
            continue
        short = name.removeprefix(f"{model}/") if model else name
        found[name if short in found or (short != name and short in names) else short] = _read(root / name)
    return found


def flattened(values: Mapping[str, Any], *, deepest: int = _DEEPEST) -> dict[str, Any]:
    """Nested objects as one, their keys joined by dots: ``vision_config.hidden_size``.

    Dots within a key are escaped, so that no two keys become one.
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = _name(str(key))
        if isinstance(value, Mapping) and 0 < len(value) <= MOST_KEYS and deepest > 1:
            inner = flattened(value, deepest=deepest - 1)
            flat |= {f"{name}.{below}": item for below, item in inner.items()}
        else:
            flat[name] = condensed(value)
    return dict(sorted(flat.items()))


def _name(key: str) -> str:
    """A key as it may be written into a card: short, and nothing that steers a terminal."""
    if len(key) > _LONGEST_KEY or not is_plain(key):
        return f"sha256:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return key.replace("\\", "\\\\").replace(".", "\\.")


def whole(data: bytes) -> dict[str, Any]:
    """The record of a file that is compared as a whole."""
    return {WHOLE: f"sha256:{hashlib.sha256(data).hexdigest()}"}


def _read(path: Path) -> Keys:
    if path.suffix == ".json":
        try:
            value = read_json(path)
        except EncoderError:
            if not path.is_file():
                raise
        else:
            return as_keys(path.name, value)
    try:
        return whole(path.read_bytes())
    except OSError as error:
        raise EncoderError(f"{path}: cannot be read: {error.strerror}") from error


def as_keys(name: str, value: Any) -> Keys:
    """The content of a JSON file as keys and values.

    Args:
        name: of the file, without its folder.
        value: its content.
    """
    if isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value):
        value = {str(place): entry for place, entry in enumerate(value)}  # modules.json
    if not isinstance(value, Mapping) or len(value) > MOST_KEYS or name.endswith(_VOCABULARIES):
        return whole(canonical(value).encode())  # not the bytes: white space and order are nobody's behaviour
    if name in _FLAT:
        return {_name(key): condensed(item) for key, item in sorted(value.items())}
    return flattened(value)
