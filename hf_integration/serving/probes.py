"""What a deployment is asked: fresh key samples, among them texts so long that a cut shows."""

import secrets
from collections.abc import Iterator
from itertools import islice

from hf_integration.base.errors import KeySampleError
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.key_samples.synthetic_text import synthetic_texts
from hf_integration.serving.computing import own_length, tokens_of

CUTS = (140, 300, 660)
"""Tokens: more than 128, 256 and 512, at which servers cut."""

MOST_TEXTS = 50_000


def fresh_samples(
    encoder: TorchEncoder, count: int, *, seed: int | None = None, ascii_only: bool = False
) -> KeySamples:
    """Texts that nobody can have prepared for, the last of them long.

    Of the long ones, one each has more tokens than the usual cuts, and two have one token less and one more
    than the encoder itself takes: whoever cuts elsewhere answers at least one of them differently. An encoder
    that takes more than all of these gets no longer text: it would cost more than all others together.

    Args:
        encoder: the trusted copy.
        count: number of texts.
        seed: by default one that nobody can guess.
        ascii_only: only texts that every tokenizer of the encoder reads alike.
    """
    seed = secrets.randbits(63) if seed is None else seed
    lengths = [*CUTS, *(own_length(encoder) + away for away in (-1, 1))]
    lengths = sorted({length for length in lengths if length <= max(CUTS)})[: max(count - 1, 0)]
    many = synthetic_texts(MOST_TEXTS, seed=seed)
    short = islice((text for text in many if text.isascii() or not ascii_only), count - len(lengths))
    words = (word for word in _words(seed) if word.isascii() or not ascii_only)
    return KeySamples([*short, *(_long(encoder, words, length) for length in lengths)], origin="fresh texts")


def texts_of(samples: KeySamples) -> list[str]:
    """The key samples of a text encoder.

    Raises:
        KeySampleError: some are no texts.
    """
    texts = [sample for sample in samples if isinstance(sample, str)]
    if len(texts) < len(samples):
        raise KeySampleError(f"key samples are {samples.modality}, and deployments are asked texts")
    return texts


def _words(seed: int) -> Iterator[str]:
    for text in synthetic_texts(MOST_TEXTS, seed=seed ^ 1):
        yield from text.split()


def _long(encoder: TorchEncoder, words: Iterator[str], tokens: int) -> str:
    """A text of at least so many tokens, by a few at most."""
    text: list[str] = []
    for word in words:
        text.append(word)
        # few words have more than eight tokens, so that most need no counting
        if len(text) * 8 >= tokens and tokens_of(encoder, [" ".join(text)])[0] >= tokens:
            break
    return " ".join(text)
