# ruff: noqa: RUF001  # letters of other scripts are meant
"""Texts that look up every row of a vocabulary that raw text can reach at all.

A row is reached when some text makes the tokenizer give its number. Which ones cannot be reached is found by
trying, not by reading the tokenizer's rules: normalisers, merges and special tokens decide together.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hf_integration.encoders.interface import Encoder

PREFIXES = ("", " ", "a", "1", "x", "the", "qz", "é", "ж", "ア", "न", "ا", "中", "_", "-")
"""Put before a token's own text in turn: pieces that continue a word need one to continue."""

CODE_POINTS = range(0x20, 0x30000)
"""Characters that are tried at the end, for byte tokens that are no text of their own."""

SURROGATES = range(0xD800, 0xE000)

BLOCK = 2048
"""Texts that are tokenised at once."""

ROUNDS = 3
"""Attempts to pack what earlier attempts lost, as neighbours change how a text is split."""


@dataclass
class Sweep:
    """What tokenising gave.

    Attributes:
        texts: each as long as the encoder reads.
        reached: token numbers that these texts give.
        unreachable: token numbers of the vocabulary that no text gave.
    """

    texts: list[str]
    reached: set[int]
    unreachable: set[int] = field(default_factory=set)


def sweep(encoder: Encoder, *, seed: int) -> Sweep:
    """Find texts that reach every row of an encoder's vocabulary that can be reached.

    Args:
        encoder: takes text.
        seed: which tokens share a text follows from it. Whoever knew them could make up for an edited row by
            its neighbours' rows, so the texts of a private card are nobody else's.
    """
    shuffled = random.Random(seed)  # noqa: S311  # nobody sees enough of it to predict it
    tokenizer = encoder.processor
    longest = int(encoder.behaviour().get("tokenizer_config.json")["max_length"])
    vocabulary = dict(sorted(((number, token) for token, number in tokenizer.get_vocab().items())))
    found = _texts_by_token(tokenizer, vocabulary)
    packed: list[str] = []
    reached: set[int] = set()
    for _ in range(ROUNDS):
        missing = [number for number in found if number not in reached]
        if not missing:
            break
        shuffled.shuffle(missing)
        fresh = list(_packed(tokenizer, (found[number] for number in missing), longest, set(reached)))
        numbers = _numbers(tokenizer, fresh, longest)
        for text, given in zip(fresh, numbers, strict=True):
            if not reached.issuperset(given):
                packed.append(text)
                reached.update(given)
    return Sweep(packed, reached, set(vocabulary) - reached)


def _texts_by_token(tokenizer: Any, vocabulary: dict[int, str]) -> dict[int, str]:
    """Token number -> shortest text that was found to give it."""
    found: dict[int, str] = {}
    for prefix in PREFIXES:
        missing = [number for number in vocabulary if number not in found]
        own = (tokenizer.convert_tokens_to_string([vocabulary[number]]) for number in missing)
        _try(tokenizer, [prefix + text.removeprefix("##").strip() for text in own], found)
    if len(found) < len(vocabulary):
        points = (chr(point) for point in CODE_POINTS if point not in SURROGATES)
        _try(tokenizer, [point for point in points if point.isprintable()], found)
    return {number: text for number, text in found.items() if number in vocabulary}


def _try(tokenizer: Any, texts: Sequence[str], found: dict[int, str]) -> None:
    for text, numbers in zip(texts, _numbers(tokenizer, texts, None), strict=True):
        for number in numbers:
            found.setdefault(number, text)


def _numbers(tokenizer: Any, texts: Sequence[str], longest: int | None) -> Iterator[list[int]]:
    """Token numbers of each text, with special tokens and cut off as the encoder's user gets them."""
    cut = {"truncation": True, "max_length": longest} if longest else {"add_special_tokens": False}
    for start in range(0, len(texts), BLOCK):
        yield from tokenizer(list(texts[start : start + BLOCK]), **cut)["input_ids"]


def _packed(tokenizer: Any, texts: Iterable[str], longest: int, reached: set[int]) -> Iterator[str]:
    """Texts joined with spaces, as many as fit; those that give nothing new are left out."""
    room = longest - tokenizer.num_special_tokens_to_add()
    pieces = list(dict.fromkeys(texts))
    parts: list[str] = []
    used = 0
    for text, numbers in zip(pieces, _numbers(tokenizer, pieces, None), strict=True):
        if reached.issuperset(numbers) or not text:
            continue
        if used + len(numbers) > room and parts:
            yield " ".join(parts)
            parts, used = [], 0
        parts.append(text)
        used += len(numbers)
        reached.update(numbers)
    if parts:
        yield " ".join(parts)
