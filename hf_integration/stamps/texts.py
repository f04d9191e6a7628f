"""What a stamped encoder is asked: short texts of many scripts, and long ones in which a cut shows."""

import secrets
from collections.abc import Iterator

from hf_integration.key_samples.common_words import ENGLISH
from hf_integration.key_samples.deterministic_random import DeterministicRandom
from hf_integration.key_samples.synthetic_text import synthetic_texts

SHORT, LONG = 9, (140, 270, 520)
"""How many short texts, and words of the long ones: a word is one token or more, so these have more tokens
than 128, 256 and 512, at which servers cut."""

MOST_WORDS, MOST_CHARACTERS = 12, 90
"""Of a short text, so that none of the usual cuts reaches it."""

MANY = 10_000


def key_texts(short: int = SHORT, *, seed: int | None = None) -> tuple[str, ...]:
    """Key samples: so many short texts, and then the long ones.

    Args:
        short: how many short ones.
        seed: by default one that nobody knows, so that two stamps share no text.
    """
    seed = secrets.randbits(63) if seed is None else seed
    texts = (text for text in synthetic_texts(MANY, seed=seed) if _is_short(text))
    words = _words(seed)
    long = (" ".join(next(words) for _ in range(count)) for count in LONG)
    return (*(next(texts) for _ in range(short)), *long)


def _is_short(text: str) -> bool:
    return len(text.split()) <= MOST_WORDS and len(text) <= MOST_CHARACTERS


def _words(seed: int) -> Iterator[str]:
    random = DeterministicRandom(seed, "long texts")
    while True:
        yield random.choice(ENGLISH)
