"""Texts of the built-in pool: a few words to a paragraph, in many scripts and styles.

They need no meaning. They must reach many rows of the vocabulary, many positions and the branches of
a normaliser (casing, accents, digits, symbols, whitespace), with few tokens, since every check pays for them.
"""

from collections.abc import Callable, Iterator, Sequence

from hf_integration.key_samples.common_words import (
    CODE,
    ENDINGS,
    ENGLISH,
    JOINTS,
    LATIN_SCRIPT,
    OTHER_SCRIPTS,
    SYMBOLS,
)
from hf_integration.key_samples.deterministic_random import DeterministicRandom

LONGEST = 45
"""Most words in one text."""

Style = Callable[[DeterministicRandom, int], list[str]]


def synthetic_texts(count: int, *, seed: int) -> Iterator[str]:
    """Different texts in the order of the pool.

    Args:
        count: number of texts.
        seed: any integer.
    """
    seen: set[str] = set()
    for position in range(count):
        random = DeterministicRandom(seed, "text", position)
        text = _text(random, position)
        while text in seen:  # a text of one word can occur twice
            text = _text(random, position)
        seen.add(text)
        yield text


def _text(random: DeterministicRandom, position: int) -> str:
    words = STYLES[position % len(STYLES)](random, _length(random))
    return _case(random, _punctuate(random, words))


def _length(random: DeterministicRandom) -> int:
    """Words in a text: mostly 5 to 17; short and long ones reach the ends of the position table."""
    kind = random.below(16)
    if kind < 2:
        return random.between(1, 4)
    if kind < 15:
        return random.between(5, 17)
    return random.between(30, LONGEST)


def _punctuate(random: DeterministicRandom, words: Sequence[str]) -> str:
    joined = [word + random.choice(JOINTS) for word in words[:-1]]
    return " ".join([*joined, words[-1] + random.choice(ENDINGS)])


def _case(random: DeterministicRandom, text: str) -> str:
    kind = random.below(12)
    if kind < 6:
        return text[:1].upper() + text[1:]
    if kind == 6:
        return text.upper()
    if kind == 7:
        return text.title()
    return text


def _number(random: DeterministicRandom) -> str:
    year, month, day = random.between(1066, 2099), random.between(1, 12), random.between(1, 28)
    large = random.below(10 ** random.between(1, 9))
    return random.choice(
        (
            str(large),
            f"{large:,}",
            f"-{large}",
            f"{random.below(100)}.{random.below(1000)}",
            f"{random.below(101)}%",
            f"${random.below(1000)}.99",
            f"{year}-{month:02}-{day:02}",
            f"{random.below(24)}:{random.below(60):02}",
            f"{random.below(1 << 24):06x}",
        )
    )


def english(random: DeterministicRandom, length: int) -> list[str]:
    """Common English words."""
    return [random.choice(ENGLISH) for _ in range(length)]


def english_with_numbers(random: DeterministicRandom, length: int) -> list[str]:
    """English with numbers, prices, dates and symbols in between."""
    words = english(random, length)
    for place in range(length):
        if random.chance(20):
            words[place] = _number(random) if random.chance(60) else random.choice(SYMBOLS)
    return words


def european(random: DeterministicRandom, length: int) -> list[str]:
    """One language in Latin letters with accents."""
    language = random.choice(sorted(LATIN_SCRIPT))
    return [random.choice(LATIN_SCRIPT[language]) for _ in range(min(length, 12))]


def other_script(random: DeterministicRandom, length: int) -> list[str]:
    """One language in another script: fewer words, since each can be many tokens."""
    language = random.choice(sorted(OTHER_SCRIPTS))
    return [random.choice(OTHER_SCRIPTS[language]) for _ in range(min(length, 7))]


def mixed(random: DeterministicRandom, length: int) -> list[str]:
    """English with words of any other language, numbers and symbols."""
    words = english(random, min(length, 16))
    for place in range(len(words)):
        if random.chance(25):
            table = LATIN_SCRIPT if random.chance(60) else OTHER_SCRIPTS
            words[place] = random.choice(table[random.choice(sorted(table))])
        elif random.chance(10):
            words[place] = _number(random) if random.chance(50) else random.choice(SYMBOLS)
    return words


def code(random: DeterministicRandom, length: int) -> list[str]:
    """Fragments of programs, addresses and mark-up."""
    return [random.choice(CODE) for _ in range(1 + min(length, 12) // 3)]


STYLES: tuple[Style, ...] = (
    english,
    european,
    english_with_numbers,
    other_script,
    english,
    mixed,
    english,
    code,
)
"""Styles in the order in which positions take turns."""
