"""Asking whatever embeds texts: a function, a model, an endpoint; and reading whatever it gives, strictly.

No library is imported for this: a tensor is known by what it can do.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from hf_integration.base.errors import ENDING, InconclusiveError, SSLAuthError, UsageError, in_one_line
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import MOST_WIDTH
from hf_integration.endpoints.answers import LARGEST
from hf_integration.stamps.forms import Array

METHODS = ("encode", "embed_documents", "embed")
"""What an object is asked by, in this order: sentence-transformers' models (which can also be called, with
something else than texts), langchain's embeddings, and the encoders and endpoints of this package."""

_GIVE = "give a function from a list of texts to one embedding for each"


def embedder(embed: object) -> Callable[[list[str]], Any]:
    """The function that embeds a list of texts.

    Raises:
        UsageError: there is none.
    """
    if not isinstance(embed, type | str | bytes):  # which have methods of these names
        for name in METHODS:
            method = getattr(embed, name, None)
            if callable(method):
                return method  # type: ignore[no-any-return]  # what it gives is read strictly
        if callable(embed):
            return embed
    raise UsageError(f"a {type(embed).__name__} does not embed texts", remedy=_GIVE)


def embeddings_of(embed: object, texts: Sequence[str]) -> Array:
    """Embeddings of texts, float64 ``(n, dim)``.

    Args:
        embed: a function from a list of texts to something like an array, or an object with such a method.
        texts: raw texts.

    Raises:
        UsageError: nothing that embeds.
        InconclusiveError: it raised something, or gave something else than one embedding for each text.
    """
    function = embedder(embed)
    try:
        given = function(list(texts))
        # a generator runs here, and may raise as well
        values = _plain(getattr(given, "embeddings", given))
    except ENDING:
        raise
    except SSLAuthError:
        raise
    except BaseException as error:
        raise InconclusiveError(
            f"what embeds the texts raised {quoted(in_one_line(error))}", remedy=_GIVE
        ) from error
    return _checked(values, len(texts))


def _plain(value: Any) -> Any:
    """Something like an array as numpy's, or as lists of numbers."""
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        raise TypeError("it is asynchronous: wrap it, as by lambda texts: asyncio.run(embed(texts))")
    if hasattr(value, "detach"):  # a tensor: half precision and other devices are not numpy's
        value = value.detach().cpu()
        return (value.double() if value.is_floating_point() else value).numpy()
    if isinstance(value, np.ndarray) or hasattr(value, "__array__"):
        return np.asarray(value)
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        return value
    rows = [_plain(row) if not isinstance(row, float | int) else row for row in value]
    return np.stack(rows) if rows and all(isinstance(row, np.ndarray) for row in rows) else rows


def _checked(values: Any, count: int) -> Array:
    """One finite embedding for each text.

    Raises:
        InconclusiveError: there is not.
    """
    try:
        array = np.asarray(values)
    except ValueError:  # rows of several lengths
        raise InconclusiveError("embeddings are not equally wide", remedy=_GIVE) from None
    if array.dtype.kind not in "fiu":
        raise InconclusiveError(f"embeddings are no numbers but {array.dtype}", remedy=_GIVE)
    if array.ndim != 2 or len(array) != count:
        came = f"{len(array)} embeddings" if array.ndim == 2 else f"an array of shape {array.shape}"
        raise InconclusiveError(f"{count} texts were given, and {came} came back", remedy=_GIVE)
    if not 0 < array.shape[1] <= MOST_WIDTH:
        raise InconclusiveError(f"{array.shape[1]} dimensions; 1 to {MOST_WIDTH} are read", remedy=_GIVE)
    array = array.astype(np.float64)
    if not (np.abs(array) <= LARGEST).all():  # written so that NaN is refused, too
        bad = int((~(np.abs(array) <= LARGEST)).any(axis=1).sum())
        raise InconclusiveError(f"embeddings of {bad} of {count} texts hold NaN or infinity", remedy=_GIVE)
    if not array.any(axis=1).all():
        raise InconclusiveError("an embedding is zero throughout", remedy=_GIVE)
    return array
