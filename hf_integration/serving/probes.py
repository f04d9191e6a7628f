"""What a deployment is asked: fresh key samples, among them texts so long that a cut shows."""

import secrets
from itertools import islice

from hf_integration.base.errors import KeySampleError
from hf_integration.coverage.lengths import length_probes
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.key_samples.synthetic_text import synthetic_texts
from hf_integration.serving.computing import own_length, tokens_of

MOST_TEXTS = 50_000


def fresh_samples(
    encoder: TorchEncoder, count: int, *, seed: int | None = None, ascii_only: bool = False
) -> KeySamples:
    """Texts that nobody can have prepared for, the last of them long.

    The long ones are :func:`~hf_integration.coverage.lengths.length_probes`, of ASCII alone: they ask where
    texts are cut, and a tokenizer that reads other scripts differently would answer something else.

    Args:
        encoder: the trusted copy.
        count: number of texts.
        seed: by default one that nobody can guess.
        ascii_only: only texts that every tokenizer of the encoder reads alike.
    """
    seed = secrets.randbits(63) if seed is None else seed
    long = length_probes(
        lambda text: tokens_of(encoder, [text])[0],
        own_length(encoder),
        count - 1,
        seed=seed,
        ascii_only=True,
    )
    many = synthetic_texts(MOST_TEXTS, seed=seed)
    short = islice((text for text in many if text.isascii() or not ascii_only), count - len(long))
    return KeySamples([*short, *long], origin="fresh texts")


def texts_of(samples: KeySamples) -> list[str]:
    """The key samples of a text encoder.

    Raises:
        KeySampleError: some are no texts.
    """
    texts = [sample for sample in samples if isinstance(sample, str)]
    if len(texts) < len(samples):
        raise KeySampleError(f"key samples are {samples.modality}, and deployments are asked texts")
    return texts
