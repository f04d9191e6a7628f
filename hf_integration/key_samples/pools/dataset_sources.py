"""Where data sets come from: a folder of `save_to_disk`, parquet or arrow files, or the Hub.

Nothing here runs code from a data set: the library dropped loading scripts before the oldest version
that this package accepts.
"""

import re
from pathlib import Path
from typing import Any

from hf_integration.base.errors import InconclusiveError, KeySampleError, SSLAuthError
from hf_integration.base.vocabulary import Modality
from hf_integration.key_samples.pools.dataset import DatasetPool, library
from hf_integration.key_samples.pools.local_files import files_under
from hf_integration.key_samples.pools.pool import named
from hf_integration.snapshot.transport import guarded_transport

SUFFIXES = (".parquet", ".arrow")
"""Endings of the files that are read as a data set."""

_SAVED = ("dataset_dict.json", "dataset_info.json", "state.json")
_HUB_ID = re.compile(
    r"(?P<repo>[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})"
    r"(:(?P<config>[\w.-]{1,96}))?(@(?P<split>[\w.-]{1,96}))?",
    re.ASCII,
)


def is_hub_dataset(source: str) -> bool:
    """Whether a source has the form ``org/name``, ``org/name:config`` or ``org/name:config@split``."""
    return _HUB_ID.fullmatch(source) is not None


def hub_dataset(source: str, modality: Modality) -> DatasetPool:
    """The pool of a data set on the Hub, downloaded into the library's cache.

    Args:
        source: ``org/name``, with ``:config`` and ``@split`` where it has several.
        modality: kind of raw sample.

    Raises:
        KeySampleError: no such data set, configuration, split or column.
        InconclusiveError: the Hub cannot be reached and the data set is not in the cache.
        IntegrityError: a server tries to write elsewhere than into the cache.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    datasets = library()
    parts = _HUB_ID.fullmatch(source)
    if parts is None:
        raise KeySampleError(f"{named(source)} is not a data set id", remedy="write org/name:config@split")
    repo, config, split = parts["repo"], parts["config"], parts["split"]
    try:
        with guarded_transport():
            loaded = datasets.load_dataset(repo, config)
        dataset = _one_split(loaded, split, source)
    except datasets.exceptions.DatasetNotFoundError:
        raise KeySampleError(
            f"the pool {named(source)} is neither a local folder or file nor a data set on the Hub",
            remedy="check the spelling, or log in if it is private",
        ) from None
    except ConnectionError:
        raise InconclusiveError(
            f"the data set {named(source)} cannot be reached and is not in the cache",
            remedy="if a local folder was meant, it does not exist",
        ) from None
    except SSLAuthError:
        raise
    except Exception as error:  # damaged files, unknown configurations, missing decoders, full disks
        raise _not_loadable(source, error) from None
    roots = (
        Path(HF_HUB_CACHE, f"datasets--{repo.replace('/', '--')}"),
        Path(datasets.config.HF_DATASETS_CACHE, "downloads"),
    )
    return DatasetPool(dataset, modality, source=source, name=source, roots=roots)


def is_local_dataset(source: Path) -> bool:
    """Whether a path is a saved data set, or a file or folder of parquet or arrow files."""
    if source.is_file():
        return source.suffix.lower() in SUFFIXES
    return _is_saved(source) or any(path.suffix.lower() in SUFFIXES for path in files_under(source))


def local_dataset(source: Path, modality: Modality) -> DatasetPool:
    """The pool of a saved data set, or of parquet or arrow files.

    Args:
        source: an existing path for which ``is_local_dataset`` holds.
        modality: kind of raw sample.

    Raises:
        KeySampleError: it cannot be loaded, or has no column of that modality.
    """
    datasets = library()
    try:
        if source.is_dir() and _is_saved(source):
            dataset = _one_split(datasets.load_from_disk(str(source)), None, str(source))
        else:
            dataset = _from_files(source)
    except Exception as error:  # pyarrow's and datasets' own kinds for damaged files
        raise _not_loadable(source, error) from None
    return DatasetPool(dataset, modality, source=str(source), name=source.resolve().name, roots=(source,))


def _is_saved(source: Path) -> bool:
    return any((source / name).is_file() for name in _SAVED)


def _from_files(source: Path) -> Any:
    """The rows of all parquet files under a path, or of all arrow files where there is no parquet."""
    datasets = library()
    files = sorted(map(str, files_under(source)))
    parquet = [file for file in files if file.lower().endswith(".parquet")]
    if parquet:
        return datasets.Dataset.from_parquet(parquet)
    arrow = [file for file in files if file.lower().endswith(".arrow")]
    return datasets.concatenate_datasets([datasets.Dataset.from_file(file) for file in arrow])


def _one_split(loaded: Any, wanted: str | None, source: str) -> Any:
    """The wanted split of what was loaded; else the one named ``train``, else the first."""
    datasets = library()
    if not isinstance(loaded, datasets.DatasetDict):
        return loaded
    chosen = wanted or ("train" if "train" in loaded else next(iter(loaded)))
    if chosen not in loaded:
        raise KeySampleError(
            f"the data set {named(source)} has no split {named(chosen)}",
            remedy=f"it has {', '.join(map(named, loaded))}",
        )
    return loaded[chosen]


def _not_loadable(source: object, error: Exception) -> KeySampleError:
    # The library's messages are long and can carry text from the data set: the first line is enough.
    first = next(iter(str(error).splitlines()), "")
    return KeySampleError(
        f"the data set {named(source)} cannot be loaded: {type(error).__name__} {named(first)}"
    )
