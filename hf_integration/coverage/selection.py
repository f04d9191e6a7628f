"""Synthetic key samples for one encoder: chosen among many by what they wake in it."""

from collections.abc import Mapping, Sequence

from hf_integration.coverage.activations import largest_activations
from hf_integration.coverage.choice import choose
from hf_integration.coverage.operations import SOME, operations_per_sample
from hf_integration.coverage.vocabulary import sweep
from hf_integration.encoders.interface import Encoder
from hf_integration.key_samples import synthetic_samples
from hf_integration.key_samples.interface import KeySamples, Modality, Sample, Waveform
from hf_integration.key_samples.synthetic_images import LARGEST_SIDE, SMALLEST_SIDE
from hf_integration.progress import Progress

LEAST_CANDIDATES, MOST_CANDIDATES = 4, 16
"""Candidates for each key sample, by what running them costs."""

OPERATIONS = 2e11
"""What running all candidates may compute before there are fewer than the most: some seconds."""

OTHER_SIDE = 192
"""Side of key images where the largest is just what the processor resizes to."""

FULL: Mapping[Modality, int] = {"text": 64, "image": 256, "audio": 64}
"""Chosen key samples of a card with full coverage; texts that sweep the vocabulary come on top."""


def chosen_samples(encoder: Encoder, keys: int, *, seed: int, progress: Progress) -> KeySamples:
    """Synthetic key samples that wake as much of an encoder as so many of the candidates can.

    Texts are taken as they come: every text wakes every channel of the language encoders that were looked
    at, and choosing by what is gained per token gave shorter texts with half as many words in them.

    Args:
        encoder: as it was loaded.
        keys: number of key samples.
        seed: the candidates follow from it.
        progress: told how far it is.
    """
    if encoder.modality == "text":
        return synthetic_samples("text", keys, seed=seed)
    operations = operations_per_sample(encoder, _candidates(encoder, SOME, seed))
    affordable = int(OPERATIONS / max(operations, 1.0))
    count = min(max(affordable, LEAST_CANDIDATES * keys), MOST_CANDIDATES * keys)
    candidates = _candidates(encoder, count, seed)
    progress.start("choosing key samples", count)
    activations = largest_activations(encoder, candidates, progress=progress)
    places = choose(activations, keys, [_cost(sample) for sample in candidates])
    return KeySamples(
        [candidates[place] for place in places],
        origin=f"synthetic {encoder.modality}, seed {seed}, chosen among {count}",
    )


def _candidates(encoder: Encoder, count: int, seed: int) -> KeySamples:
    return synthetic_samples(
        encoder.modality, count, seed=seed, image_size=image_size(encoder.side), seconds=encoder.window
    )


def image_size(side: int | None) -> int:
    """Side of square key images for a processor that resizes to ``side`` pixels.

    Twice as large, where that is not too much for a card: shrinking an image from far more takes longer than
    a small encoder's pass over it. Never just as large: resizing would do nothing, and an edit of how it is
    done would not show.
    """
    size = LARGEST_SIDE if side is None else min(max(2 * side, SMALLEST_SIDE), LARGEST_SIDE)
    return OTHER_SIDE if size == side else size


def swept_samples(encoder: Encoder, samples: KeySamples, *, seed: int) -> tuple[KeySamples, int | None]:
    """The samples, and for a text encoder those behind them that look up every row that can be reached.

    Args:
        encoder: as it was loaded.
        samples: key samples of the usual number.
        seed: the texts that sweep the vocabulary follow from it.

    Returns:
        All samples, and the number of tokens that no text gives; ``None`` for other encoders than of text.
    """
    if encoder.modality != "text":
        return samples, None
    found = sweep(encoder, seed=seed)
    texts: Sequence[Sample] = found.texts
    whole = KeySamples(
        [*samples, *texts], origin=f"{samples.origin}, and {len(texts)} that sweep the vocabulary"
    )
    return whole, len(found.unreachable)


def _cost(sample: Sample) -> float:
    """What a sample takes to run, in any unit: images are all alike, recordings cost what they last."""
    return float(len(sample.samples)) if isinstance(sample, Waveform) else 1.0
