"""Texts from plain files: one per line, or one column of a table."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hf_integration.base.errors import KeySampleError
from hf_integration.key_samples.pools.pool import TEXT_COLUMNS, named

MOST_CHARACTERS = 2000
"""Length kept of each text: beyond the longest position table of common text encoders."""

MOST_FILE_BYTES = 256 * 1024 * 1024
"""Larger files are refused: they are read whole, and a pool of key samples needs no gigabytes."""


def clean_text(text: str) -> str:
    """A text as key samples hold it: stripped, cut, and without lone surrogates, which have no UTF-8."""
    valid = text.encode("utf-8", "ignore").decode("utf-8")
    return valid.strip()[:MOST_CHARACTERS].rstrip()


def read_texts(path: Path, name: object) -> list[str]:
    """All texts of a .txt, .jsonl, .json or .csv file, cleaned; blank ones are left out.

    Args:
        path: the file.
        name: what messages call it.

    Raises:
        KeySampleError: not readable, not UTF-8, not of its format, or without a column of texts.
    """
    try:
        if path.stat().st_size > MOST_FILE_BYTES:
            raise KeySampleError(
                f"the text file {named(name)} is larger than {MOST_FILE_BYTES >> 20} MiB",
                remedy="give a part of it, or a parquet file",
            )
        content = path.read_text(encoding="utf-8-sig")
        texts = map(clean_text, _READERS[path.suffix.lower()](content))
        return [text for text in texts if text]
    except KeySampleError as error:
        raise KeySampleError(f"{named(name)}: {error}") from None
    except UnicodeDecodeError as error:
        raise KeySampleError(f"the text file {named(name)} is not UTF-8 at byte {error.start}") from None
    except OSError as error:
        raise KeySampleError(f"the text file {named(name)} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError, csv.Error) as error:
        raise KeySampleError(
            f"the text file {named(name)} is not valid {path.suffix[1:].lower()} ({type(error).__name__})"
        ) from None


def text_column(columns: Iterable[object]) -> str:
    """The column of a table that holds its texts: by its name, or because it is the only one.

    Raises:
        KeySampleError: none or several could be meant.
    """
    names = [column for column in columns if isinstance(column, str)]
    by_lower_case = {name.lower(): name for name in reversed(names)}
    for wanted in TEXT_COLUMNS:
        if wanted in by_lower_case:
            return by_lower_case[wanted]
    if len(names) == 1:
        return names[0]
    shown = ", ".join(map(named, names[:6])) or "none"
    raise KeySampleError(f"no column of texts among {shown}", remedy="name the column 'text'")


def _lines(content: str) -> Iterator[str]:
    # Not splitlines, which also cuts at form feeds and at separators that occur within texts.
    yield from content.replace("\r\n", "\n").split("\n")


def _json_lines(content: str) -> Iterator[str]:
    yield from _values([json.loads(line) for line in _lines(content) if line.strip()])


def _json(content: str) -> Iterator[str]:
    rows = json.loads(content)
    if not isinstance(rows, list):
        raise KeySampleError("not a list of texts or of objects")
    yield from _values(rows)


def _csv(content: str) -> Iterator[str]:
    rows = csv.DictReader(content.splitlines(keepends=True), strict=True)
    column = text_column(rows.fieldnames or ())
    for row in rows:
        yield row[column] or ""


def _values(rows: list[Any]) -> Iterator[str]:
    """Texts of a list of strings, or of one column of a list of objects."""
    objects = [row for row in rows if isinstance(row, dict)]
    column = (
        text_column(key for key, value in objects[0].items() if isinstance(value, str)) if objects else ""
    )
    for row in rows:
        value = row.get(column, "") if isinstance(row, dict) else row
        if not isinstance(value, str | None):
            raise KeySampleError(f"a text is a {type(value).__name__}, not a string")
        yield value or ""


_READERS = {".txt": _lines, ".jsonl": _json_lines, ".json": _json, ".csv": _csv}

SUFFIXES = frozenset(_READERS)
"""Endings of the files that hold texts."""
