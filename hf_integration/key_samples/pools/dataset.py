"""A pool of one column of a `datasets.Dataset`.

Media are taken as bytes and decoded here, under this
package's bounds. A row may only name a file by its path if that lies where the data set itself lies.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_integration.base.errors import KeySampleError
from hf_integration.base.vocabulary import Modality
from hf_integration.key_samples.pools.audio import read_audio
from hf_integration.key_samples.pools.images import read_image
from hf_integration.key_samples.pools.local_files import read_bytes, wrong_modality
from hf_integration.key_samples.pools.pool import Pool, named
from hf_integration.key_samples.pools.texts import clean_text, text_column
from hf_integration.key_samples.samples import Sample


def library() -> Any:
    """The library ``datasets``, an extra: it and what it needs take 270 MB, and only pools use them.

    Raises:
        KeySampleError: it is not installed.
    """
    try:
        import datasets
    except ImportError as error:
        raise KeySampleError(
            "key samples from a data set need the extra 'pool'",
            remedy="run: python -m pip install 'pytest-sslauth[pool]'",
        ) from error
    return datasets


class DatasetPool(Pool):
    """The rows of one column of a data set.

    Args:
        dataset: a `datasets.Dataset`.
        modality: kind of raw sample, which decides the column.
        source: what messages call the data set.
        name: what a card records as the origin.
        roots: folders in which files named by a row may lie.

    Raises:
        KeySampleError: no column of that modality.
    """

    def __init__(
        self, dataset: Any, modality: Modality, *, source: str, name: str, roots: tuple[Path, ...] = ()
    ) -> None:
        self.name = name
        self.modality = modality
        self._source = source
        self._roots = tuple(root.resolve() for root in roots)
        self._column = self._choose_column(dataset.features)
        self._rows = self._undecoded(dataset.select_columns([self._column]))

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, position: int) -> Sample:
        """The text, or the decoded image or recording, in a row."""
        value = self._rows[position][self._column]
        name = f"row {position} of {self._source}"
        if self.modality == "text":
            return clean_text(value or "")
        content = self._content(value, name)
        return read_image(content, name) if self.modality == "image" else read_audio(content, name)

    def _choose_column(self, features: Mapping[str, Any]) -> str:
        kinds = {column: _kind(feature) for column, feature in features.items()}
        fitting = [column for column, kind in kinds.items() if kind == self.modality]
        if self.modality != "text" and not fitting:
            # A struct of bytes and path says nothing of its content: the decoder will.
            fitting = [column for column, kind in kinds.items() if kind == "bytes"]
        if not fitting:
            shown = ", ".join(f"{named(column)} ({kind})" for column, kind in list(kinds.items())[:6])
            raise wrong_modality(self._source, self.modality, f"columns {shown}" if shown else "no columns")
        if self.modality == "text":
            try:
                return text_column(fitting)
            except KeySampleError as error:
                raise KeySampleError(f"the data set {named(self._source)}: {error}") from None
        return fitting[0]

    def _undecoded(self, rows: Any) -> Any:
        datasets = library()
        match _kind(rows.features[self._column]):
            case "image":
                return rows.cast_column(self._column, datasets.Image(decode=False))
            case "audio":
                return rows.cast_column(self._column, datasets.Audio(decode=False))
        return rows

    def _content(self, value: Any, name: str) -> bytes:
        content = value.get("bytes") if isinstance(value, Mapping) else value
        if isinstance(content, bytes):
            return content
        path = value.get("path") if isinstance(value, Mapping) else None
        if not isinstance(path, str):
            raise KeySampleError(f"{named(name)} is blank")
        # A hostile data set must not pull a private picture of this machine into a published card.
        file = Path(path).resolve()
        if not any(file.is_relative_to(root) for root in self._roots):
            raise KeySampleError(
                f"{named(name)} names a file outside the data set", remedy="embed the files in the data set"
            )
        return read_bytes(file, name)


def _kind(feature: Any) -> str:
    datasets = library()
    if isinstance(feature, datasets.Image):
        return "image"
    if isinstance(feature, datasets.Audio):
        return "audio"
    if isinstance(feature, datasets.Value) and feature.dtype in {"string", "large_string"}:
        return "text"
    if isinstance(feature, datasets.Value) and feature.dtype in {"binary", "large_binary"}:
        return "bytes"
    if isinstance(feature, Mapping) and "bytes" in feature:
        return "bytes"
    return str(feature.dtype) if isinstance(feature, datasets.Value) else type(feature).__name__
