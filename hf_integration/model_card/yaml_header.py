"""The YAML header of a README.md, edited as text: one top-level key is replaced, no other byte is touched.

A round trip through a YAML library would lose comments, quotes, order and line ends. So the library only says
where a key's lines begin and end, and afterwards whether the header still means what it meant.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

from hf_integration.base.errors import FlawError

MOST_BYTES = 1 << 20
"""Of a header; the longest on the Hub, with results of hundreds of benchmarks, have some 300,000."""

MOST_EVENTS = 200_000
"""Keys, values and brackets of a header; they take more memory than their bytes."""

DEEPEST = 100
"""Levels of nesting; libyaml takes time by their square, and evaluation results have some eight."""

_OPENING = re.compile(rb"(?:\xef\xbb\xbf)?\s*---(?P<spaces>[ \t]*)(?P<newline>\r\n|\r|\n)")
_CLOSING = re.compile(rb"(?:\A|(?<=[\r\n]))---[ \t]*(?=\r\n|\r|\n|\Z)")
_NEWLINE = re.compile(rb"\r\n|\r|\n")
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # what ends a line in YAML


@dataclass(frozen=True)
class Parts:
    """A README.md in three pieces that together are the file.

    Attributes:
        before: up to the header: a byte order mark, white space, the opening ``---`` and its line end.
        header: the lines of the header; ``None`` where there is none.
        after: from the closing ``---`` on; the whole file where there is no header.
        newline: how this file ends lines.
    """

    before: bytes
    header: bytes | None
    after: bytes
    newline: bytes


def split(readme: bytes) -> Parts:
    """Find the header as the Hub does.

    Raises:
        FlawError: it begins as a header does, and is none; or it is too long.
    """
    first = _NEWLINE.search(readme)
    newline = first.group() if first else b"\n"
    opening = _OPENING.match(readme)
    if opening is None:
        mark = 3 if readme.startswith(b"\xef\xbb\xbf") else 0  # a byte order mark stays the first thing
        return Parts(readme[:mark], None, readme[mark:], newline)
    if opening["spaces"]:
        raise FlawError(
            "", "its first line is '---' with white space behind it, which may be a header or not"
        )
    closing = _CLOSING.search(readme, opening.end())
    if closing is None:
        raise FlawError("", "its YAML header begins with '---' and never ends")
    header = readme[opening.end() : closing.start()]
    if len(header) > MOST_BYTES:
        raise FlawError("", f"a YAML header of {len(header)} bytes, more than {MOST_BYTES}")
    return Parts(readme[: opening.end()], header, readme[closing.start() :], opening["newline"])


@dataclass(frozen=True)
class Entry:
    """A top-level key and what belongs to it.

    Attributes:
        key: the key; ``None`` where it is no plain string.
        first: its first line, counted from 0.
        last: the last line of its value, comments behind it left aside.
        events: of the value, from PyYAML.
    """

    key: str | None
    first: int
    last: int
    events: tuple[Any, ...]


def read_key(header: bytes | None, key: str) -> Any:
    """Value of a top-level key: strings, whole numbers, booleans, ``None``, lists and mappings of these.

    Returns:
        The value, or ``None`` where the header has no such key.

    Raises:
        FlawError: the header is no YAML mapping, or the value is not of these kinds.
    """
    entry = _own(_entries(_text(header or b"")), key)
    return None if entry is None else read_value(entry.events, key)


def replace_key(parts: Parts, key: str, lines: Sequence[str] | None) -> Parts:
    """Give a top-level key other lines, or add it at the header's end, or begin a header with it.

    Args:
        parts: of the file.
        key: the key.
        lines: the key and its value, without line ends; ``None`` takes the key away.

    Raises:
        FlawError: the header is none that this can be done to without touching what is not ours.
    """
    newline = parts.newline.decode()
    text = _text(parts.header or b"")
    entries = _entries(text)
    own = _own(entries, key)
    new = "".join(f"{line}{newline}" for line in lines or ())
    if own is None:
        edited = text + new
    else:
        read_value(own.events, key)  # an anchor in it could be meant elsewhere
        starts = _line_starts(text)
        if not text.startswith(f"{key}:", starts[own.first]):
            raise FlawError(key, "not written as this command writes it")
        edited = text[: starts[own.first]] + new + text[starts[own.last + 1] :]
    _check_others(entries, _entries(edited), key, present=bool(new))
    before, after = parts.before, parts.after
    if parts.header is None:
        before, after = before + b"---" + parts.newline, b"---" + parts.newline + after
    return Parts(before, edited.encode(), after, parts.newline)


def _text(header: bytes) -> str:
    try:
        return header.decode()
    except UnicodeDecodeError as error:
        raise FlawError("", f"its YAML header is not UTF-8 at byte {error.start}") from None


def _line_starts(text: str) -> list[int]:
    starts = [0, *(match.end() for match in _LINE_BREAK.finditer(text))]
    return [*starts, len(text)] if starts[-1] != len(text) else [*starts, starts[-1]]


def _entries(text: str) -> list[Entry]:
    import yaml  # type: ignore[import-untyped]

    # events, and not objects: what a stranger nests or repeats by alias costs no more than its bytes
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        events = list(_no_deeper(islice(yaml.parse(text, Loader=loader), MOST_EVENTS)))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1} of it" if mark is not None else ""
        raise FlawError("", f"its YAML header is not valid{where}: {getattr(error, 'problem', '')}") from None
    if len(events) == MOST_EVENTS:
        raise FlawError("", f"its YAML header holds more than {MOST_EVENTS} values and brackets")
    events = events[1:-1]  # the stream's own
    if not events:
        return []
    if sum(isinstance(event, yaml.DocumentStartEvent) for event in events) > 1 or events[-1].explicit:
        raise FlawError("", "its YAML header holds more than one document")
    content = events[1:-1]
    if not isinstance(content[0], yaml.MappingStartEvent) or content[0].flow_style:
        if isinstance(content[0], yaml.ScalarEvent) and not content[0].value and len(content) == 1:
            return []
        raise FlawError("", "its YAML header is no mapping in lines of 'key: value'")
    entries = [_entry(group) for group in _pairs(content[1:-1])]
    seen: set[str] = set()
    for name in (entry.key for entry in entries if entry.key is not None):
        if name in seen:
            raise FlawError(name, "the YAML header has this key twice")
        seen.add(name)
    return entries


def _no_deeper(events: Iterator[Any]) -> Iterator[Any]:
    """The events as long as they are not nested too deep, while the rest of the text is still to be parsed.

    Raises:
        FlawError: they are.
    """
    import yaml

    depth = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise FlawError("", f"its YAML header is nested deeper than {DEEPEST} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        yield event


def _pairs(events: Sequence[Any]) -> Iterator[list[Any]]:
    """Keys of a mapping with their values: the events of each pair."""
    import yaml

    group: list[Any] = []
    depth = nodes = 0
    for event in events:
        group.append(event)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth == 0:
            nodes += 1
            if nodes % 2 == 0:
                yield group
                group = []


def _entry(events: Sequence[Any]) -> Entry:
    import yaml

    key = events[0]
    value = tuple(events[1:])
    if not isinstance(key, yaml.ScalarEvent):  # a collection or an alias as a key: nobody's of ours
        return Entry(None, key.start_mark.line, key.end_mark.line, value)
    last = key.end_mark.line
    for event in value:
        # a mapping in lines ends only where the next key begins, which may be lines of comments later
        ends_itself = not isinstance(event, yaml.CollectionEndEvent) or event.end_mark != event.start_mark
        if ends_itself and event.end_mark.index > event.start_mark.index:
            last = max(last, event.end_mark.line - (event.end_mark.column == 0))
    return Entry(key.value, key.start_mark.line, last, value)


def _own(entries: Sequence[Entry], key: str) -> Entry | None:
    return next((entry for entry in entries if entry.key == key), None)


def _check_others(before: Sequence[Entry], after: Sequence[Entry], key: str, *, present: bool) -> None:
    """That an edit left all other keys what they were."""

    def others(entries: Sequence[Entry]) -> list[tuple[str | None, list[str]]]:
        return [(entry.key, [str(event) for event in entry.events]) for entry in entries if entry.key != key]

    if others(before) != others(after) or (_own(after, key) is not None) != present:
        raise FlawError(key, "cannot be edited without changing what stands around it")


DEEPEST_VALUE = 12


def read_value(events: Iterable[Any], key: str) -> Any:
    """The value that events of PyYAML describe.

    Args:
        events: of one value.
        key: what it is called in messages.

    Raises:
        FlawError: anchors, aliases, tags, a key twice, or nested too deep.
    """
    events = iter(events)
    return _read(next(events), events, key, 0)


def _read(event: Any, events: Iterator[Any], key: str, depth: int) -> Any:
    import yaml

    if depth > DEEPEST_VALUE:
        raise FlawError(key, f"nested deeper than {DEEPEST_VALUE} levels")
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None or event.tag is not None:
        raise FlawError(key, "holds an anchor, an alias or a tag of YAML")
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event.value) if event.implicit[0] else event.value
    members = []
    while not isinstance(inner := next(events), yaml.CollectionEndEvent):
        members.append(_read(inner, events, key, depth + 1))
    if isinstance(event, yaml.SequenceStartEvent):
        return members
    names, values = members[::2], members[1::2]
    if any(not isinstance(name, str) for name in names):
        raise FlawError(key, "holds a key that is no string")
    if any(one == other for one, other in pairwise(sorted(names))):
        raise FlawError(key, "holds a key twice")
    return dict(zip(names, values, strict=True))


def _scalar(text: str) -> Any:
    """What stands without quotes; a date stays the text that it is."""
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text
