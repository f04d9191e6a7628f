"""Synthetic key samples for one encoder: chosen among many by what they wake in it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from hf_integration.base.progress import Progress
from hf_integration.base.vocabulary import Modality
from hf_integration.coverage.vocabulary import sweep
from hf_integration.encoders.interface import Encoder
from hf_integration.encoders.running.devices import full_precision
from hf_integration.key_samples import synthetic_samples
from hf_integration.key_samples.samples import KeySamples, Sample, Waveform
from hf_integration.key_samples.synthetic_images import LARGEST_SIDE, SMALLEST_SIDE

LEAST_CANDIDATES, MOST_CANDIDATES = 2, 16
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
    operations = operations_per_sample(encoder, _candidates(encoder, SOME[encoder.modality], seed))
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
        encoder.modality,
        count,
        seed=seed,
        image_size=image_size(encoder.side),
        sampling_rate=encoder.rate,
        seconds=encoder.window,
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


AWAKE = 0.1
"""Activation, relative to its layer's root mean square, beyond which more of one sample is worth nothing."""

ASLEEP = 1e-9
"""Activation that counts as none: rounding of zero."""


def choose(activations: Tensor, count: int, costs: Sequence[float]) -> list[int]:
    """Pick samples greedily by how much they raise the logarithms of the channels' total activations.

    A weight is seen where its input and its output are awake at once. So one sample per channel is not
    enough, and a channel that few samples wake is worth a second and a third one: a total does that, and its
    logarithm has diminishing returns, with which the greedy choice among candidates of equal cost reaches at
    least 63 % of the best one (Nemhauser, Wolsey, Fisher, "An analysis of approximations for maximizing
    submodular set functions", 1978); among unequal ones nothing is promised. Against the largest activation
    instead of the total it halved the weights of a convolutional encoder that no sample moved.

    Args:
        activations: as :func:`largest_activations` gives them, ``(candidates, channels)``.
        count: how many to pick.
        costs: what running each candidate costs, in any unit; gain per cost decides.

    Returns:
        Positions in the order of choice.
    """
    levels = activations.clamp(max=AWAKE)
    totals = torch.full((levels.shape[1],), ASLEEP)
    price = torch.tensor(costs, dtype=torch.float32)
    taken = torch.zeros(len(levels), dtype=torch.bool)
    chosen: list[int] = []
    for _ in range(min(count, len(levels))):
        gains = torch.log1p(levels / totals).sum(1) / price
        best = int(gains.masked_fill(taken, -torch.inf).argmax())
        chosen.append(best)
        taken[best] = True
        totals += levels[best]
    return chosen


WATCHED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def largest_activations(encoder: Encoder, samples: Sequence[Sample], *, progress: Progress) -> Tensor:
    """Run samples one by one and note the largest activation at every channel of every layer's input.

    Args:
        encoder: as it was loaded.
        samples: candidates for key samples.
        progress: told how many are done.

    Returns:
        Float32 tensor ``(samples, channels of all layers)``, each channel relative to the root mean square of
        its layer's channels over all samples.
    """
    with full_precision(), _watching(encoder.model, len(samples)) as seen:
        for place, sample in enumerate(samples):
            seen.place = place
            for _ in encoder.observe([sample], batch_size=1):
                pass
            progress.advance()
    # a layer that some sample bypasses says nothing about the others
    layers = [layer for layer in seen.largest.values() if not bool(layer.isnan().any())]
    if not layers:
        return torch.zeros(len(samples), 0)
    return torch.cat([layer / layer.pow(2).mean().sqrt().clamp(min=1e-30) for layer in layers], dim=1)


@dataclass
class _Seen:
    """What samples woke so far.

    Attributes:
        place: of the one that runs.
        largest: layer's name -> largest activation of every channel of its input, float32
            ``(samples, channels)``, NaN where there was none. Made once and filled: small blocks that stay
            among large ones that come and go would keep the memory of these from being used again.
    """

    place: int = 0
    largest: dict[str, Tensor] = field(default_factory=dict)


@contextmanager
def _watching(model: nn.Module, samples: int) -> Iterator[_Seen]:
    """What every layer is given in the block."""
    seen = _Seen()

    def watch(name: str, layer: nn.Module) -> Any:
        channel = -1 if isinstance(layer, nn.Linear) else 1

        def hook(_layer: nn.Module, arguments: tuple[Any, ...]) -> None:
            if arguments and isinstance(arguments[0], Tensor) and arguments[0].dim() > 1:
                by_channel = arguments[0].detach().movedim(channel, -1).flatten(0, -2)
                largest = by_channel.abs().amax(0).float().cpu()
                if name not in seen.largest:
                    seen.largest[name] = torch.full((samples, len(largest)), torch.nan)
                known = seen.largest[name][seen.place]
                known.copy_(torch.fmax(known, largest))

        return layer.register_forward_pre_hook(hook)

    hooks = [watch(name, layer) for name, layer in model.named_modules() if isinstance(layer, WATCHED)]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


COUNTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)

SOME = {"text": 8, "image": 2, "audio": 2}
"""Samples over which operations are averaged: texts differ in length, others hardly do."""


def operations_per_sample(encoder: Encoder, samples: Sequence[Sample]) -> float:
    """Floating-point operations of linear layers and convolutions, mean over the first samples.

    Counted by hooks of our own: torch's counter intercepts every operation, which weight normalisation does
    not survive in inference mode.
    """
    some = samples[: SOME[encoder.modality]]
    total = 0.0

    def count(layer: nn.Module, _: Any, output: Tensor) -> None:
        nonlocal total
        weight: Any = layer.weight
        total += 2.0 * output.numel() * (weight.numel() / weight.shape[0])

    layers = [module for module in encoder.model.modules() if isinstance(module, COUNTED)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        for _ in encoder.observe(some):
            pass
    finally:
        for hook in hooks:
            hook.remove()
    return total / len(some)
