"""Stamping an endpoint: what it answers, where nobody holds the encoder behind it."""

from datetime import UTC, datetime

import numpy as np

from hf_integration.base.errors import InconclusiveError, RequestRefusedError
from hf_integration.endpoints import Endpoint
from hf_integration.stamps.forms import form_of, in_float32
from hf_integration.stamps.likeness import likeness
from hf_integration.stamps.stamp import MOST_TOLERATED, Stamp, unit
from hf_integration.stamps.texts import LONG, key_texts

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
    if alone.shape != together.shape:
        raise InconclusiveError("two answers to one text are not equally wide")
    noise = float(np.linalg.norm(unit(alone) - unit(together), axis=1).max())
    if not noise <= MOST_NOISE:
        raise InconclusiveError(
            f"two answers to one text are {noise:.1e} apart, so that a stamp would tell nothing",
            remedy="use `sslauth baseline`, which asks more often",
        )
    made = Stamp(
        encoder=endpoint.address.model or endpoint.address.url,
        commit=None,
        card=None,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        recipe="as the endpoint answers",
        form=form_of(alone),
        tolerance=max(FLOOR, TIMES * noise),
        texts=tuple(kept),
        long=len(kept) - short,
        embeddings=in_float32(alone),
    )
    likeness(
        made, together
    )  # raises where answers are rounded so coarsely that later ones would tell nothing
    return made
