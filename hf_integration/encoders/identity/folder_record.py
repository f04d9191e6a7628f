"""The files of an encoder's folder as values: as they stand, key by key, and as the library understands them.

What a file says and what a library makes of it are two things. A loader that nobody thought of obeys the
first; a library that saves the encoder anew writes the second. Both are recorded.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_integration.base.errors import EncoderError
from hf_integration.base.text import is_plain
from hf_integration.encoders.files.json_values import canonical, condensed, read_json
from hf_integration.snapshot import CHAT_TEMPLATES

Keys = Mapping[str, Any]

WHOLE = "(whole file)"
"""Key of a file that is compared by one digest."""

MOST_KEYS = 256
"""Entries of an object up to which they are kept one by one; a vocabulary is one value."""

AT_ROOT = "./"
"""Start of the names of files at the root that are none of the model's, which lies in a folder below."""

_OF_THE_WHOLE = frozenset({"modules.json", "config_sentence_transformers.json"})
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


def read_files(
    root: Path, names: Iterable[str], *, model: str = "", digested: Collection[str] = ()
) -> dict[str, Keys]:
    """Read every file but the weights whose tensors are compared one by one.

    Args:
        root: the encoder's folder.
        names: the files below it that belong to the encoder.
        model: folder below it that holds the transformers model.
        digested: weight files whose tensors have digests of their own; any other is compared as a whole.

    Raises:
        EncoderError: a file cannot be read.
    """
    kept = (name for name in sorted(names) if name not in digested)
    return {recorded_name(name, model): _read(root / name) for name in kept}


def recorded_name(name: str, model: str) -> str:
    """What a record calls a file.

    The files of the transformers model are called as if they were at the root, where newer libraries put
    them. What lies at the root beside such a model makes another encoder, and is called ``./config.json``.

    Args:
        name: of the file, within the encoder's folder.
        model: folder below it that holds the transformers model, empty where that is the root.
    """
    folder, _, file = name.removeprefix(f"{CHAT_TEMPLATES}/").rpartition("/")
    if not model or file in _OF_THE_WHOLE:
        return name
    if not folder:
        return f"{AT_ROOT}{name}"
    return name.removeprefix(f"{model}/") if folder in (model, f"{model}/{CHAT_TEMPLATES}") else name


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
        if path.suffix == ".safetensors":  # may be large
            with path.open("rb") as file:
                return {WHOLE: f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"}
        data = path.read_bytes()
        return whole(_lines(path.name, data) if path.suffix == ".txt" else data)
    except OSError as error:
        raise EncoderError(f"{path}: cannot be read: {error.strerror}") from error


def _lines(name: str, data: bytes) -> bytes:
    """A text with line ends of one kind; a return alone is left, as it ends a line to some readers only."""
    data = data.replace(b"\r\n", b"\n")
    # readers of merges leave out what follows the last line end, and with it a merge that has none
    ended = name != "vocab.txt" or not data or data.endswith((b"\n", b"\r"))
    return data if ended else data + b"\n"


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
