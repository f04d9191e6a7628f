"""How much longer a tokenizer may make a text, found out from its steps before any text goes through them.

Steps multiply: nine that write ten letters for one make a thousand million letters of one. What asks for the
memory is a library in Rust, which ends the process when it gets none, so nobody can catch it.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hf_integration.base.errors import EncoderError
from hf_integration.base.text import quoted

TEXT_STEPS = ("normalizer", "pre_tokenizer")
"""What is done to a text before it is looked up in the vocabulary."""

MOST_GROWTH = 10_000
"""Bytes made of one, at worst; the known tokenizers stay below 6,000, and far below it on any real text."""

LITTLE_GROWTH = 100
"""What costs nothing to speak of."""

MOST_STEPS = 1_000

MOST_ADDED = 1 << 30
"""Bytes made of all added tokens: the library sends them through the normalizer while it loads."""

_UNICODE = {
    # what Unicode's tables do to a character at worst, in bytes; done twice in a row they find nothing to do
    **{"NFC": 3, "NFD": 3, "NFKC": 11, "NFKD": 11, "Lowercase": 2, "BertNormalizer": 6},
    **{"StripAccents": 1, "Strip": 1, "Nmt": 1},
}
_NOTHING_ADDED = (
    *("BertPreTokenizer", "CharDelimiterSplit", "Digits", "FixedLength", "Punctuation"),
    *("Split", "UnicodeScripts", "Whitespace", "WhitespaceSplit"),
)


def check_growth(path: Path, pipeline: Mapping[str, Any], *, added: int = 0) -> None:
    """Refuse a tokenizer that could make far more of a text than any genuine one does.

    Args:
        path: where it comes from, for messages.
        pipeline: content of ``tokenizer.json``, or the steps of a loaded tokenizer.
        added: bytes of the added tokens of other files.

    Raises:
        EncoderError: it could, or it is not known what one of its steps does.
    """
    try:
        found = growth(pipeline)
        added += sum(_bytes(token["content"]) for token in pipeline.get("added_tokens") or ())
    except EncoderError as error:
        raise EncoderError(f"{path}: {error}", remedy=_REMEDY) from None
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise EncoderError(f"{path}: damaged tokenizer", remedy="download it again") from error
    if found > MOST_GROWTH:
        raise EncoderError(
            f"{path}: normalizer and pre_tokenizer could make a text more than {MOST_GROWTH} times as long",
            remedy=_REMEDY,
        )
    if found * added > MOST_ADDED:
        raise EncoderError(
            f"{path}: the normalizer could make more than {MOST_ADDED} bytes of the added tokens",
            remedy=_REMEDY,
        )


def growth(pipeline: Mapping[str, Any]) -> int:
    """The most bytes that the steps of a tokenizer make of one, the end of a text counted as one.

    Raises:
        EncoderError: steps that are too many, or one of an unknown type.
    """
    total, of_unicode = 1, 0
    steps = [step for part in TEXT_STEPS for step in _flat(pipeline.get(part))]
    if len(steps) > MOST_STEPS:
        raise EncoderError(f"{len(steps)} steps of normalizer and pre_tokenizer are more than any has")
    for step in steps:
        if (factor := _UNICODE.get(step["type"])) is not None:
            of_unicode += factor  # a row of them is bounded by the sum
        else:
            total *= max(1, of_unicode) * _factor(step)
            of_unicode = 0
    return total * max(1, of_unicode)


def is_costly(pipeline: Mapping[str, Any]) -> bool:
    """Whether it is not known that the steps of a tokenizer are quick with any text.

    A regular expression may take hours over a text that it was made for.
    """
    steps = [step for part in TEXT_STEPS for step in _flat(pipeline.get(part))]
    if any("Regex" in step["pattern"] for step in steps if isinstance(step.get("pattern"), Mapping)):
        return True
    try:
        return growth(pipeline) > LITTLE_GROWTH
    except EncoderError:
        return True


def text_steps(tokenizer: Any) -> Mapping[str, Any]:
    """The steps of a loaded tokenizer; none where it is not made of such."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    found = {part: getattr(backend, part, None) for part in TEXT_STEPS}
    return {part: json.loads(step.__getstate__()) for part, step in found.items() if step is not None}


def text_within(value: Any) -> int:
    """Bytes of all texts in a file of added tokens, which are keys or values."""
    if isinstance(value, str):
        return _bytes(value)
    if isinstance(value, Mapping):
        # a token is written as an object with flags, whose names are no text
        inner = value.values() if "content" in value else (*value, *value.values())
        return sum(map(text_within, inner))
    return sum(map(text_within, value)) if isinstance(value, list) else 0


_REMEDY = "get the folder again from its publisher; no genuine tokenizer does this"


def _flat(step: Any) -> Iterator[Mapping[str, Any]]:
    """One step after another; sequences of them hold sequences."""
    if step is None:
        return
    if step["type"] != "Sequence":
        yield step
        return
    for inner in step["normalizers" if "normalizers" in step else "pretokenizers"]:
        yield from _flat(inner)


def _factor(step: Mapping[str, Any]) -> int:
    kind = step["type"]
    if kind in _NOTHING_ADDED:
        return 1
    if kind == "ByteLevel":  # a character of two bytes for each byte, and a space in front
        return 3
    if kind == "Metaspace":  # another character for a space, and another in front of every piece
        return 2 * _bytes(step["replacement"])
    if kind == "Prepend":
        return 1 + _bytes(step["prepend"])
    if kind == "Precompiled":
        return _longest_replacement(step["precompiled_charsmap"])
    if kind == "Replace":
        content, searched = _bytes(step["content"]), step["pattern"].get("String")
        if searched:
            return max(1, -(-content // _bytes(searched)))
        return 1 + content  # a pattern may find nothing, between any two characters
    raise EncoderError(f"a step of type {quoted(str(kind))} is not known")


def _longest_replacement(charsmap: str | None) -> int:
    """Of SentencePiece's table: the size of a tree, the tree, and texts that end in a zero byte."""
    table = base64.b64decode(charsmap or "")
    texts = table[4 + int.from_bytes(table[:4], "little") :]
    return max(1, *map(len, texts.split(b"\0")))


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
