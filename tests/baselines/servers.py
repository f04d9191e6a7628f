"""What endpoints answer without any encoder: vectors that follow from the texts, with noise of every kind."""

import hashlib
from collections.abc import Callable, Mapping

import numpy as np

from hf_integration.baselines.baseline import MODES, Answered, Baseline, Mode
from hf_integration.stamps.forms import Array, form_of

WIDTH = 32
TEXTS = tuple(f"text number {place}" for place in range(24))

Answers = Callable[[np.random.Generator, int], Mapping[Mode, Array]]


def exact(text: str, *, encoder: int = 0) -> Array:
    """What an encoder of this number gives for a text, of length 1."""
    seed = int.from_bytes(hashlib.sha256(f"{encoder} {text}".encode()).digest()[:8], "big")
    drawn = np.random.default_rng(seed).standard_normal(WIDTH)
    return np.asarray((drawn / np.linalg.norm(drawn)).astype(np.float32).astype(np.float64))


def rows(*, encoder: int = 0) -> Array:
    """For all texts, ``(n, WIDTH)``."""
    return np.stack([exact(text, encoder=encoder) for text in TEXTS])


def noisy(size: float, *, together: float | None = None, encoder: int = 0, moved: float = 0.0) -> Answers:
    """Noise of a size, relative, and perhaps of another size where texts share a request.

    Args:
        size: of the noise.
        together: of texts that share a request, if it is another one.
        encoder: whose exact answers it is added to.
        moved: how far all answers are away from these, in the direction of encoder 99.
    """
    base = rows(encoder=encoder) + moved * rows(encoder=99)
    sizes = {"alone": size, "together": size if together is None else together}

    def draw(chance: np.random.Generator, rounds: int) -> Mapping[Mode, Array]:
        return {
            mode: base + sizes[mode] * chance.standard_normal((rounds, *base.shape)) / WIDTH**0.5
            for mode in MODES
        }

    return draw


def variants(count: int, distance: float) -> Answers:
    """So many different answers to each text, some of them rare."""
    found = np.stack([rows() + distance * rows(encoder=100 + place) for place in range(count)])
    shares = 0.5 ** np.arange(1, count + 1)

    def draw(chance: np.random.Generator, rounds: int) -> Mapping[Mode, Array]:
        texts = np.arange(len(TEXTS))
        size = (rounds, len(texts))
        return {
            mode: found[chance.choice(count, size=size, p=shares / shares.sum()), texts] for mode in MODES
        }

    return draw


def routed(usual: Answers, other: Answers, share: float) -> Answers:
    """Another endpoint behind a share of the requests."""

    def draw(chance: np.random.Generator, rounds: int) -> Mapping[Mode, Array]:
        most, some = usual(chance, rounds), other(chance, rounds)
        return {
            mode: np.where(chance.random((rounds, len(TEXTS), 1)) < share, some[mode], found)
            for mode, found in most.items()
        }

    return draw


def rounded(usual: Answers, decimals: int) -> Answers:
    """The same answers with so many decimals."""
    return lambda chance, rounds: {
        mode: np.round(found, decimals) for mode, found in usual(chance, rounds).items()
    }


def baseline(answers: Mapping[Mode, Array]) -> Baseline:
    """Of these answers."""
    return Baseline(
        url="https://example.com/v1",
        api="openai",
        model="model",
        begun="2026-11-28T12:00:00+00:00",
        created="2026-11-28T12:10:00+00:00",
        form=form_of(answers["alone"][0]),
        texts=TEXTS[: answers["alone"].shape[1]],
        answered={mode: Answered.of(found) for mode, found in answers.items()},
    )
