"""Values of a YAML header, read strictly: strings, whole numbers, booleans, lists and mappings of these."""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from hf_integration.flaw import FlawError

DEEPEST = 12


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
    import yaml  # type: ignore[import-untyped]

    if depth > DEEPEST:
        raise FlawError(key, f"nested deeper than {DEEPEST} levels")
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
