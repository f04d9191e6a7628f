"""What stands behind the servers of the table: the small encoder, others, and ways to answer with them."""

import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.computing import Computed
from hf_integration.serving.recipe import PLAIN, Recipe
from hf_integration.tampering.families import Family
from hf_integration.tampering.weights.fine_tuning import ONE_STEP
from tests.serving import small_encoders

Rows = list[list[float]]
Embed = Callable[[list[str]], Rows]


@dataclass(frozen=True)
class Encoders:
    """The small encoder in a folder, which is the trusted copy, and what is made of it.

    Attributes:
        folder: of the trusted copy.
    """

    folder: Path

    @cached_property
    def right(self) -> TorchEncoder:
        return small_encoders.opened(self.folder)

    @cached_property
    def another(self) -> TorchEncoder:
        """Of the same architecture and width, with other weights."""
        return small_encoders.opened(small_encoders.save(self.folder.with_name("another"), seed=1))

    def altered(self, family: Family, magnitude: float) -> TorchEncoder:
        return _altered(self.right, family, magnitude)

    def answers(
        self,
        encoder: TorchEncoder | None = None,
        recipe: Recipe = PLAIN,
        *,
        written: Callable[[Tensor], Tensor] = lambda rows: rows,
    ) -> Embed:
        """What a server answers: float32 numbers.

        Args:
            encoder: behind the door; the right one by default.
            recipe: how it is computed.
            written: turns embeddings into the numbers that are sent.
        """
        precision = recipe.arithmetic
        computed = Computed(encoder or self.right, recipe)

        def embed(texts: list[str]) -> Rows:
            with _LOCK:
                embeddings = computed.embed(texts, precision=precision).float().double()
            rows: Rows = written(recipe.form.rounded(embeddings)).tolist()
            return rows

        return embed


_LOCK = threading.Lock()


@cache
def _altered(encoder: TorchEncoder, family: Family, magnitude: float) -> TorchEncoder:
    found = family.at(magnitude, seed=1)(encoder)
    assert isinstance(found, TorchEncoder)
    return found


def int8_by_vector(rows: Tensor) -> Tensor:
    """The largest number of each vector becomes 127."""
    return (rows * 127 / rows.abs().amax(dim=1, keepdim=True)).round()


def int8_by_dimension(rows: Tensor) -> Tensor:
    """As ``quantize_embeddings`` of sentence-transformers does, with ranges of texts that only it has."""
    return (rows * (127.5 / _RANGES[: rows.shape[1]])).clamp(-128, 127).trunc()


_RANGES = 0.3 + 0.2 * torch.rand(small_encoders.WIDTH, generator=torch.Generator().manual_seed(0)).double()


def binary(rows: Tensor) -> Tensor:
    """Eight signs in each number of -128 to 127."""
    return ubinary(rows) - 128


def ubinary(rows: Tensor) -> Tensor:
    """Eight signs in each number of 0 to 255."""
    return torch.from_numpy(np.packbits(rows.numpy() > 0, axis=1)).double()


def every(number: int, other: Embed, right: Embed) -> Embed:
    """Every so many requests are answered by another encoder."""
    count = 0

    def embed(texts: list[str]) -> Rows:
        nonlocal count
        count += 1
        return other(texts) if count % number == 0 else right(texts)

    return embed


def replicas(encoders: Encoders, count: int) -> Embed:
    """Each request goes to the next of several encoders: all but the first are a step of fine-tuning away.

    Requests with several texts take turns by themselves, so that no two of a check meet the same encoder.
    """
    altered = [encoders.altered(ONE_STEP, 1e-7 * number) for number in range(1, count)]
    all_of_them = [encoders.answers(), *(encoders.answers(one) for one in altered)]
    alone, together = itertools.cycle(all_of_them), itertools.cycle(all_of_them)

    def embed(texts: list[str]) -> Rows:
        return next(together if len(texts) > 1 else alone)(texts)

    return embed


def cached(source: Embed, known: Mapping[str, list[float]]) -> Embed:
    """Equal texts get equal answers: from what is known, or from a source whose answer is kept."""
    kept = dict(known)

    def embed(texts: list[str]) -> Rows:
        for text in texts:
            if text not in kept:
                kept[text] = source([text])[0]
        return [kept[text] for text in texts]

    return embed


def nearest_known(source: Embed, texts: list[str]) -> Embed:
    """Answers are those of whichever known text has most words in common: a cache that goes by meaning."""
    known = dict(zip(texts, source(texts), strict=True))

    def embed(asked: list[str]) -> Rows:
        return [
            known[max(known, key=lambda text: len(set(text.split()) & set(one.split())))] for one in asked
        ]

    return embed
