"""From an encoder with pickled weights to a folder with safetensors, whole or not at all."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_integration.base.children import Children, same_imports
from hf_integration.base.errors import EncoderError, FlawError, IntegrityError
from hf_integration.base.files import sha256_of
from hf_integration.base.output_files import free_folder, in_words, staging, sync_folder, write_file
from hf_integration.base.strict_json import parse
from hf_integration.base.text import listed, quoted
from hf_integration.base.vocabulary import CONVERSION_FILE
from hf_integration.card.source import ConversionRecord, conversion_bytes, read_conversion
from hf_integration.encoders.files.folder_files import refuse_pointers
from hf_integration.encoders.files.json_values import read_json
from hf_integration.encoders.files.safetensors_files import INDEX, read_header
from hf_integration.pickled.source import Pickled
from hf_integration.snapshot.copying import check_source, copy_files

READER = "hf_integration.pickled.reading"

_KEPT = (
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SYSTEMROOT",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TEMP",
)
"""What a process needs to find its libraries; no token, no proxy, no credentials."""

_MOST_VALUES = 2_000_000
_LONGEST_NAME = 512


@dataclass(frozen=True)
class Converted:
    """What a conversion gave.

    Attributes:
        record: what is written beside it.
        files: names of what was written.
        tensors: how many there are.
        beside: entries of the pickles that are no tensors, and were left out.
        bytes: of everything that was written.
    """

    record: ConversionRecord
    files: tuple[str, ...]
    tensors: int
    beside: tuple[str, ...]
    bytes: int


def convert(pickled: Pickled, out: Path) -> Converted:
    """Convert pickled weights into a new folder.

    The pickles are read in another process, see :mod:`hf_integration.pickled.reading`.

    Args:
        pickled: what to convert.
        out: the folder, which is made.

    Raises:
        EncoderError: a pickle is refused, with the reason; nothing is written.
        IntegrityError: a file changed meanwhile.
        OutputError: the folder is there already, or cannot be written.
    """
    target = free_folder(out)
    snapshot = pickled.snapshot
    refuse_pointers(snapshot.path, pickled.files)
    read = [*snapshot.files, *pickled.files]
    for name in read:
        check_source(snapshot, name)
        if len(name) > _LONGEST_NAME:
            raise EncoderError(f"{quoted(name)}: too long a name", remedy="give it a shorter one")
    before = {name: _state(snapshot.path / name) for name in read}
    digests = {name: _digest(snapshot.path, name) for name in read}
    with in_words(out), staging(target, secret=False) as place:
        copy_files(snapshot, snapshot.files, place)
        for name in pickled.files.values():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
        answers = _read(pickled, place)
        for name in pickled.files.values():
            read_header(place / name)
        _write_indexes(pickled, place, answers)
        for name in read:
            if _state(snapshot.path / name) != before[name]:
                raise IntegrityError(f"{quoted(name)} changed while it was converted", remedy="try again")
        record = _recorded(pickled, place, digests, answers)
        files = _names_below(place)
        size = sum((place / name).stat().st_size for name in files)
        for path in sorted({(place / name).parent for name in files}):
            sync_folder(path)
        place.rename(target)
        sync_folder(target.parent)
    tensors = sum(len(answer["tensors"]) for answer in answers.values())
    beside = tuple(name for answer in answers.values() for name in answer["beside"])
    return Converted(record, tuple(files), tensors, beside, size)


def _recorded(
    pickled: Pickled, place: Path, digests: Mapping[str, str], answers: Mapping[str, Mapping[str, Any]]
) -> ConversionRecord:
    """Write what was made of what beside the result.

    Raises:
        EncoderError: a name that no record can hold.
    """
    source = {
        "repo": pickled.snapshot.repo,
        "commit": pickled.snapshot.commit,
        "files": dict(digests),
        "weights": sorted(pickled.files),
        "tool": _tool(),
    }
    try:
        data = conversion_bytes(
            source,
            written={name: sha256_of(place / name) for name in _names_below(place)},
            tied=_joined(pickled, answers, "tied"),
            copies=_joined(pickled, answers, "copies"),
            left_out=sorted(pickled.snapshot.not_covered),
        )
        record = read_conversion(data)
    except FlawError as flaw:
        raise EncoderError(
            f"{CONVERSION_FILE} cannot hold what was found: {flaw}",
            remedy="no genuine encoder has such names",
        ) from None
    write_file(place / CONVERSION_FILE, data, secret=False)
    return record


def _names_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _state(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev


def _digest(folder: Path, name: str) -> str:
    try:
        return sha256_of(folder / name)
    except FlawError as flaw:
        raise EncoderError(f"{quoted(name)}: {flaw.reason}", remedy="check the folder") from None


def _read(pickled: Pickled, place: Path) -> dict[str, dict[str, Any]]:
    """Let the reader read, and give its answers by the names of the pickles.

    Raises:
        EncoderError: it refused a pickle, or did not come to an end.
    """
    folder = pickled.snapshot.path.absolute()
    jobs = list(pickled.files.items())
    job = {
        "parent": os.getpid(),
        "files": {str(folder / source): str(place / target) for source, target in jobs},
        "tied": _tied_by_the_library(folder),
    }
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    with Children() as children:
        ended = children.run(
            [sys.executable, "-m", READER],
            env={
                **environment,
                **same_imports(),
                "PYTHONNOUSERSITE": "1",
                "PYTHONDONTWRITEBYTECODE": "1",
                "HF_HUB_OFFLINE": "1",
                "OMP_NUM_THREADS": "1",
            },
            given=json.dumps(job).encode(),
        )
    if ended.status != 0:
        how = f"signal {-ended.status}" if ended.status < 0 else f"status {ended.status}"
        raise EncoderError(
            f"the process that read {listed(list(pickled.files))} ended with {how}; nothing was written",
            remedy="the file may be damaged or ask for too much memory; get it again from its publisher",
        )
    try:
        said = parse(ended.answer, most_values=_MOST_VALUES)
    except FlawError as flaw:  # names of a stranger's tensors are in it
        raise EncoderError(
            f"{listed(list(pickled.files))}: names that no tensor has: {flaw}",
            remedy="nothing was written; ask its publisher for safetensors",
        ) from None
    if "refused" in said:
        refused = quoted(said["refused"], longest=400)
        raise EncoderError(refused, remedy="nothing was written; ask its publisher for safetensors")
    return {source: answer for (source, _), answer in zip(jobs, said["files"], strict=True)}


def _tied_by_the_library(folder: Path) -> dict[str, str]:
    """What the class that saved the weights ties: tensor -> the one it is made of when it is loaded.

    Of a class that is not known, nothing: then every name is written.
    """
    import transformers

    try:
        named = read_json(folder / "config.json", dict).get("architectures")
    except EncoderError:  # a folder of a kind of its own
        return {}
    names = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    kind = getattr(transformers, names[0], None) if names and names[0].isidentifier() else None
    tied = getattr(kind, "_tied_weights_keys", None)
    if not isinstance(kind, type) or not isinstance(tied, Mapping):
        return {}
    return {str(name): str(of) for name, of in tied.items()}


def _write_indexes(pickled: Pickled, place: Path, answers: Mapping[str, Mapping[str, Any]]) -> None:
    """Write an index beside shards.

    Raises:
        EncoderError: two shards hold a tensor of one name.
    """
    for folder in sorted({target.rpartition("/")[0] for target in pickled.files.values()}):
        shards = {
            target.rpartition("/")[2]: answers[source]["tensors"]
            for source, target in pickled.files.items()
            if target.rpartition("/")[0] == folder
        }
        if len(shards) == 1:
            continue
        mapped: dict[str, str] = {}
        for shard, names in shards.items():
            for name in names:
                if mapped.setdefault(name, shard) != shard:
                    raise EncoderError(
                        f"two shards hold a tensor called {quoted(name)}", remedy="get the encoder again"
                    )
        total = sum(_payload(place / folder / shard) for shard in shards)
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(mapped.items()))}
        write_file(place / folder / INDEX, json.dumps(index, indent=2).encode() + b"\n", secret=False)


def _payload(file: Path) -> int:
    """Bytes of the numbers in a file of safetensors."""
    with file.open("rb") as stream:
        return file.stat().st_size - 8 - int.from_bytes(stream.read(8), "little")


def _joined(pickled: Pickled, answers: Mapping[str, Mapping[str, Any]], key: str) -> dict[str, str]:
    """Names of all pickles together; those of a folder below the root with the folder before them."""
    return {
        f"{_before(source)}{name}": f"{_before(source)}{other}"
        for source in pickled.files
        for name, other in answers[source][key].items()
    }


def _before(source: str) -> str:
    folder = source.rpartition("/")[0]
    return f"{folder}: " if folder else ""


def _tool() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"pytest-sslauth {version('pytest-sslauth')}"
    except PackageNotFoundError:
        return "pytest-sslauth, from a source tree"
