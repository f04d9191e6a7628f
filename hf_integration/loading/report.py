"""The report of what was loaded and never authenticated, as a file that ``sslauth adopt`` reads.

It may come from another machine: it is bounded and read strictly, and shown before it is used.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from hf_integration.base.checked_types import Commit, RepoId, line, read_record
from hf_integration.base.errors import FlawError, RecordError, UsageError
from hf_integration.base.files import open_bounded, read_exactly
from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless, quoted
from hf_integration.loading.calls import Place
from hf_integration.loading.observing import Load

FORMAT, SCHEMA = "sslauth-observed", 1

MOST_BYTES = 4 << 20
MOST_LOADS = 1000
"""As many as an ``sslauth.toml`` has entries."""

LONGEST = 500


def _bounded(value: object) -> object:
    if isinstance(value, list) and len(value) > MOST_LOADS:
        raise ValueError(f"{len(value)} entries, more than {MOST_LOADS}")
    return value


def _said(value: object) -> str:
    return "" if value == "" else line(value)


Line = Annotated[str, BeforeValidator(line)]
Said = Annotated[str, BeforeValidator(_said)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Load(_Record):
    api: Line
    reference: Line
    path: Line | None
    repo: RepoId | None
    commit: Commit | None
    url: Line | None
    model: Line | None
    part: Line | None
    revision: Line | None
    pinned: bool | None
    where: Said
    test: Said
    count: int


class _Report(_Record):
    format: str
    version: Annotated[int, Field(alias="schema")]
    encoders: Annotated[list[_Load], BeforeValidator(_bounded)]
    unknown: Annotated[list[Line], BeforeValidator(_bounded)]


def report_text(loads: Iterable[Load], unknown: Sequence[str], base: Path) -> str:
    """The report.

    Args:
        loads: what was never authenticated.
        unknown: processes of which it is not known what they loaded.
        base: the folder of ``sslauth.toml``; paths are relative to it.
    """
    encoders = [_to_json(load, base) for load in list(loads)[:MOST_LOADS]]
    names = [harmless(name, longest=LONGEST - 1) for name in list(unknown)[:MOST_LOADS]]
    return strict_json({"format": FORMAT, "schema": SCHEMA, "encoders": encoders, "unknown": names})


def _to_json(load: Load, base: Path) -> dict[str, Any]:
    def shown(text: str | None) -> str | None:
        return None if text is None else harmless(text, longest=LONGEST - 1)

    place, path = load.place, load.place.path
    return {
        "api": shown(load.api),
        "reference": shown(load.reference),
        "path": None if path is None else shown(_relative(path, base)),
        "repo": place.repo,
        "commit": place.commit,
        "url": shown(place.url),
        "model": shown(place.model),
        "part": shown(place.part),
        "revision": shown(load.revision),
        "pinned": load.is_pinned if place.repo and path is None else None,
        "where": shown(_within(load.where, base)),
        "test": shown(load.test),
        "count": load.count,
    }


def _within(where: str, base: Path) -> str:
    """A line of code, relative to the project where it is in it."""
    file, _, line = where.rpartition(":")
    inside = bool(file) and Path(file).is_relative_to(base.resolve())
    return f"{_relative(file, base)}:{line}" if inside else where


def _relative(path: str, base: Path) -> str:
    try:
        return Path(os.path.relpath(path, base.resolve())).as_posix()
    except ValueError:  # another drive
        return path


def read_report(file: Path, base: Path) -> tuple[tuple[Load, ...], tuple[str, ...]]:
    """Read a report.

    Args:
        file: where it is.
        base: the folder that its paths are relative to.

    Returns:
        What was never authenticated, and the processes of which nothing is known.

    Raises:
        UsageError: there is none, or it cannot be read.
        RecordError: it is damaged, or of another version.
    """
    name = quoted(file.name)
    if not file.exists():
        raise UsageError(
            f"there is no report {name}", remedy="write one with `pytest --sslauth-observe-report=FILE`"
        )
    try:
        with open_bounded(file, MOST_BYTES) as (stream, size):
            data = bytes(read_exactly(stream, size))
        record, _ = read_record(
            _Report,
            data,
            what="report of what was loaded",
            format=FORMAT,
            schema=SCHEMA,
            again="run pytest again",
        )
    except FlawError as error:
        raise RecordError(f"{name}: {error}", remedy="write it anew") from None
    return tuple(_from(load, base) for load in record.encoders), tuple(record.unknown)


def _from(said: _Load, base: Path) -> Load:
    path = None if said.path is None else str((base / said.path).resolve())
    place = Place(path, said.repo, said.commit, said.url, said.model, said.part)
    return Load(said.api, said.reference, place, said.revision, said.where, said.test, said.count)
