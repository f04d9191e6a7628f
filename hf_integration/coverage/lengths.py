"""Length probes: texts so long that a cut shows, wherever somebody makes it.

A text of a few words says nothing of where texts are cut: an encoder that cuts at 128 tokens and one that
cuts at 512 give the same for it.
"""

from collections.abc import Callable, Iterator
from itertools import islice

from hf_integration.encoders.interface import Encoder
from hf_integration.key_samples.synthetic_text import synthetic_texts

CUTS = (140, 300, 580, 660)
"""Tokens: more than 128, 256 and 512, at which servers cut. Two are more than the last, the limit of most
encoders, as one long text alone says little of how it was cut."""

MOST_WORDS = 50_000
"""Texts that words are taken from at most."""

TOKENS_IN_A_WORD = 8
"""Few words have more, so that a text need not be counted again after each of its words."""


def length_probes(
    count: Callable[[str], int],
    limit: int,
    most: int,
    *,
    seed: int,
    beyond: bool = True,
    ascii_only: bool = False,
) -> list[str]:
    """Texts of more tokens than the usual cuts, and of one less and one more than the encoder takes.

    Whoever cuts elsewhere answers at least one of them differently. An encoder that takes more than all of
    the usual cuts gets no longer text: it would cost more than all others together.

    Args:
        count: gives the tokens of a text, wherever it would be cut.
        limit: tokens at which the encoder itself cuts.
        most: texts; the shortest are kept.
        seed: the words follow from it.
        beyond: also texts that are far longer than the encoder takes. They tell *where* somebody else cuts,
            and cost a card as much as those that tell *that* he does.
        ascii_only: only words that every tokenizer of the encoder reads alike.

    Returns:
        The texts, the shortest first.
    """
    longest = max(CUTS) if beyond else min(limit + 1, max(CUTS))
    lengths = sorted({length for length in (*CUTS, limit - 1, limit + 1) if length <= longest})
    words = (word for word in _words(seed) if word.isascii() or not ascii_only)
    return [_long(count, words, length) for length in lengths[: max(most, 0)]]


def long_texts(encoder: Encoder, most: int, *, seed: int) -> list[str]:
    """The length probes of a text encoder's card.

    Args:
        encoder: takes text.
        most: see :func:`length_probes`.
        seed: see :func:`length_probes`.
    """
    tokenizer = encoder.processor
    limit = int(encoder.behaviour().get("tokenizer_config.json")["max_length"])
    return length_probes(
        lambda text: len(tokenizer([text], truncation=False, verbose=False)["input_ids"][0]),
        limit,
        most,
        seed=seed,
        beyond=False,
    )


def _words(seed: int) -> Iterator[str]:
    for text in synthetic_texts(MOST_WORDS, seed=seed ^ 1):  # other words than those of the short texts
        yield from text.split()


def _long(count: Callable[[str], int], words: Iterator[str], tokens: int) -> str:
    """A text of at least so many tokens, by a few at most."""
    text: list[str] = []
    while (missing := tokens - count(" ".join(text))) > 0:
        more = list(islice(words, max(missing // TOKENS_IN_A_WORD, 1)))
        if not more:
            break
        text += more
    return " ".join(text)
