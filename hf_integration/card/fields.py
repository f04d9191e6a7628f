"""What a field of ``card.json`` may hold: the bounds, and the types that pydantic checks a value by."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue

from hf_integration.base.text import is_plain
from hf_integration.base.vocabulary import read_date

MOST_KEYS = 4096
MOST_STRIPS = 512
MOST_TENSORS = 20_000
MOST_BEHAVIOUR_KEYS = 20_000
LONGEST_STRING = 512


def _plain(text: str) -> str:
    if not is_plain(text):
        raise ValueError("holds control characters")
    return text


def _plain_throughout(value: JsonValue) -> JsonValue:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            _plain(item)
        elif isinstance(item, list):
            pending += item
        elif isinstance(item, dict):
            pending += [*item, *item.values()]
    return value


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("the same name occurs twice")
    return names


def _behaviour_bounded(value: object) -> object:
    if isinstance(value, dict):
        count = sum(len(keys) for keys in value.values() if isinstance(keys, dict))
        if count > MOST_BEHAVIOUR_KEYS:
            raise ValueError(f"{count} keys, more than {MOST_BEHAVIOUR_KEYS}")
    return value


def _real_date(text: str) -> str:
    read_date(text)
    return text


def at_most(most: int) -> BeforeValidator:
    """Bound a collection before its members are validated: a message for each of them would take seconds."""

    def check(value: object) -> object:
        if isinstance(value, list | dict) and len(value) > most:
            raise ValueError(f"{len(value)} entries, more than {most}")
        return value

    return BeforeValidator(check)


Distinct = AfterValidator(_distinct)
Plain = Annotated[str, Field(max_length=LONGEST_STRING), AfterValidator(_plain)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_STRING), AfterValidator(_plain)]
Hexadecimal = Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
RealDate = Annotated[str, AfterValidator(_real_date)]
Amount = Annotated[int, Field(strict=True, ge=0, le=1 << 53)]
Count = Annotated[int, Field(strict=True, ge=1, le=1 << 53)]
Positive = Annotated[float, Field(strict=True, gt=0)]
Words = Annotated[dict[Name, Plain], at_most(256)]
Report = Annotated[dict[Name, JsonValue], at_most(MOST_TENSORS), AfterValidator(_plain_throughout)]
Strips = Annotated[list[Name], Field(min_length=1), at_most(MOST_STRIPS), Distinct]
TensorNames = Annotated[list[Name], Field(min_length=1), at_most(MOST_TENSORS), Distinct]
Files = Annotated[dict[Name, dict[Name, JsonValue]], BeforeValidator(_behaviour_bounded), at_most(256)]
