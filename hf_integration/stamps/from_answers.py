"""Stamping what answers, where nobody holds an encoder: an endpoint, or any function that embeds texts."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from hf_integration.base.errors import InconclusiveError, RequestRefusedError
from hf_integration.endpoints import Endpoint
from hf_integration.stamps.embedding import embeddings_of
from hf_integration.stamps.forms import Array, form_of, in_float32
from hf_integration.stamps.likeness import likeness
from hf_integration.stamps.stamp import MOST_TOLERATED, Stamp, unit
from hf_integration.stamps.texts import LONG, MOST_CHARACTERS, key_texts

FLOOR = 4e-6
"""Tolerance at least: float32 runtimes differ from the exact embedding by up to 1.1e-6, and so by twice that
from each other."""

TIMES = 4.0
"""Times the largest difference of two answers to one text that is tolerated: two may be near by chance."""

MOST_NOISE = MOST_TOLERATED / TIMES
"""Of answers to one text, with which a stamp says anything."""


def stamp_endpoint(endpoint: Endpoint, *, seed: int | None = None) -> Stamp:
    """Stamp what an endpoint answers now.

    Every text is asked alone, and once more together with others: how far these two are apart says how far
    answers of the same encoder may be. Texts that are refused as too long are not part of the stamp.

    Args:
        endpoint: the server.
        seed: the texts follow from it; by default one that nobody knows.

    Raises:
        EndpointError: it did not answer.
        InconclusiveError: its answers to one text differ so much, or are rounded so coarsely, that a stamp
            would tell nothing.
    """
    texts = key_texts(seed=seed)
    short = len(texts) - len(LONG)
    answers = endpoint.embed(texts, may_refuse=range(short, len(texts)))
    kept = [text for place, text in enumerate(texts) if place not in answers.refused]
    alone = answers.embeddings
    try:
        together = endpoint.embed(kept, per_request=len(kept)).embeddings
    except RequestRefusedError:  # it bounds the tokens of a request, and not of a text
        together = endpoint.embed(kept).embeddings
    return _stamp(
        endpoint.address.model or endpoint.address.url,
        "as the endpoint answers",
        kept,
        short,
        alone,
        together,
    )


def stamp_function(
    embed: object, *, name: str, texts: Sequence[str] | None = None, seed: int | None = None
) -> Stamp:
    """Stamp what a function embeds texts to now.

    Every text is embedded alone, and once more together with the others, as of an endpoint. Long texts that
    it refuses are not part of the stamp.

    Args:
        embed: see :func:`~hf_integration.stamps.checking.check_stamp`.
        name: what the stamp calls it.
        texts: those of an earlier stamp, which the new one is to be compared with.
        seed: the texts follow from it, if none are given; by default one that nobody knows.

    Raises:
        UsageError: nothing that embeds.
        InconclusiveError: it gives no embeddings, or such that a stamp would tell nothing.
    """
    known = tuple(texts or key_texts(seed=seed))
    short = len([text for text in known if len(text) <= MOST_CHARACTERS])
    kept = list(known)
    try:
        together = embeddings_of(embed, kept)
    except InconclusiveError:
        if short == len(kept):
            raise
        kept = kept[:short]
        together = embeddings_of(embed, kept)
    alone = np.concatenate([embeddings_of(embed, [text]) for text in kept])
    return _stamp(name, "as the function under test embeds", kept, short, alone, together)


def _stamp(
    encoder: str, recipe: str, texts: Sequence[str], short: int, alone: Array, together: Array
) -> Stamp:
    """A stamp of what texts are embedded to, if it would tell anything.

    Raises:
        InconclusiveError: it would not.
    """
    if alone.shape != together.shape:
        raise InconclusiveError("two answers to one text are not equally wide")
    noise = float(np.linalg.norm(unit(alone) - unit(together), axis=1).max())
    if not noise <= MOST_NOISE:
        raise InconclusiveError(
            f"two answers to one text are {noise:.1e} apart, so that a stamp would tell nothing",
            remedy="use `sslauth baseline`, which asks more often",
        )
    made = Stamp(
        encoder=encoder,
        commit=None,
        card=None,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        recipe=recipe,
        form=form_of(alone),
        tolerance=max(FLOOR, TIMES * noise),
        texts=tuple(texts),
        long=len(texts) - short,
        embeddings=in_float32(alone),
    )
    likeness(
        made, together
    )  # raises where answers are rounded so coarsely that later ones would tell nothing
    return made
