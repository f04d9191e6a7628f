"""Changing ``sslauth.toml``: comments, order and everything that is not meant stay as they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_integration.base.errors import OutputError, UsageError
from hf_integration.base.output_files import write_whole
from hf_integration.checking.pins.reading import PINS_FILE, parse_pins, read_pins
from hf_integration.checking.pins.schema import VERSION

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


Values = Mapping[str, str]

Entry = Mapping[str, str | Values]
"""Keys and values of a new entry; a table within it, such as that of its endpoint, comes last."""


def with_values(text: str, entries: Mapping[str, Values]) -> str:
    """The text with keys of some entries set.

    Args:
        text: a valid ``sslauth.toml``.
        entries: name of an entry -> its keys and their new values.

    Raises:
        UsageError: it is written in a way that cannot be edited without changing more.
    """
    document = _parsed(text)
    for name, values in entries.items():
        entry: Any = document["encoders"][name]
        for key, value in values.items():
            if key in entry:
                entry[key] = value
            else:
                _append(entry, key, value)
    return _checked(text, document.as_string(), entries)


def with_entry(text: str, name: str, entry: Entry) -> str:
    """The text with a further entry at its end.

    Args:
        text: a valid ``sslauth.toml``, or an empty text for a new one.
        name: of the entry, in none of the text's.
        entry: its keys and values.

    Raises:
        UsageError: there is no way to append it.
    """
    before = text or f"version = {VERSION}\n"
    newline = "\r\n" if _ends_in_crlf(before) else "\n"
    apart = "" if before.endswith("\n") else newline
    after = before + apart + newline + newline.join(entry_lines(name, entry)) + newline
    return _checked(before, after, {name: entry}, added=True)


def entry_lines(name: str, entry: Entry, *, within: str = "encoders") -> list[str]:
    """An entry as it is written into the file.

    Args:
        name: of the entry.
        entry: its keys and values.
        within: the table that it is in.
    """
    table = f"{within}.{_quoted(name)}"
    lines = [f"[{table}]"]
    lines += [f"{key} = {_string(value)}" for key, value in entry.items() if isinstance(value, str)]
    for key, inner in entry.items():
        if not isinstance(inner, str):
            lines += ["", *entry_lines(key, inner, within=table)]
    return lines


def write_pins(file: Path, text: str, *, before: str | None) -> None:
    """Replace the file, whole, unless somebody else changed it meanwhile.

    Args:
        file: the ``sslauth.toml``.
        text: what shall stand in it.
        before: what stood in it when it was read, or ``None`` if it was not there.

    Raises:
        OutputError: it was changed, is a link, or cannot be written.
    """
    if file.is_symlink():
        raise OutputError(f"{file.name} is a link, which would be replaced", remedy="work where it leads to")
    now = read_pins(file).text if file.exists() else None
    if now != before:
        raise OutputError(f"{file.name} was changed meanwhile", remedy="run the command again")
    write_whole(file, text.encode("utf-8"))


def _parsed(text: str) -> "TOMLDocument":
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:  # it parsed before, by the standard library
        raise UsageError(f"sslauth.toml cannot be edited: {error}", remedy="write it more plainly") from error


def _append(entry: Any, key: str, value: str) -> None:
    """Put a key behind the last one: at the end of the table stands the comment of what comes next."""
    last = next((str(k) for k in reversed(list(entry)) if not isinstance(entry[k], dict | list)), None)
    container = getattr(entry, "value", None)
    insert = getattr(container, "_insert_after", None)  # tomlkit has no public way to do it
    if insert is None or last is None or type(entry).__name__ != "Table":
        entry[key] = value
        return
    import tomlkit

    item = tomlkit.string(value)
    item.trivia.trail = "\n"
    insert(last, key, item)


def _checked(before: str, after: str, entries: Mapping[str, Entry], *, added: bool = False) -> str:
    """The edited text, if it says nothing else than was meant, and every command can read it."""
    import tomllib

    if _ends_in_crlf(before):
        after = after.replace("\r\n", "\n").replace("\n", "\r\n")
    expected = tomllib.loads(before)
    for name, values in entries.items():
        known = expected.setdefault("encoders", {}).get(name)
        if (known is None) != added:
            raise UsageError(f"'{name}' is{' not' if known is None else ''} in sslauth.toml already")
        expected["encoders"].setdefault(name, {}).update(values)
    try:
        same = tomllib.loads(after) == expected
    except tomllib.TOMLDecodeError:
        same = False
    if not same:
        shown = ", ".join(f"{key} = {value}" for values in entries.values() for key, value in values.items())
        raise UsageError(
            "sslauth.toml is written in a way that cannot be edited safely",
            remedy=f"use [encoders.NAME] tables, or write by hand: {shown}",
        )
    try:
        parse_pins(after, Path(PINS_FILE))
    except UsageError as error:
        raise UsageError(
            f"sslauth.toml could not be read again: {error.args[0]}",
            remedy="nothing was written there; call the encoder by a name or path that it takes",
        ) from None
    return after


def _ends_in_crlf(text: str) -> bool:
    """Whether every line ends as on Windows."""
    return "\r\n" in text and text.count("\n") == text.count("\r\n")


def _string(value: str) -> str:
    import tomlkit

    return tomlkit.string(value).as_string()


def _quoted(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() else _string(name)
