"""Checking a stamp against whatever embeds texts."""

from os import PathLike

from hf_integration.base.errors import AnotherSpaceError, InconclusiveError, UsageError
from hf_integration.endpoints import Endpoint
from hf_integration.stamps.embedding import embeddings_of
from hf_integration.stamps.likeness import Likeness, likeness
from hf_integration.stamps.stamp import Stamp


def check_stamp(stamp: str | PathLike[str] | Stamp, embed: object, *, accept: float = 0.0) -> Likeness:
    """Tell whether something embeds texts into the space of a stamped index. Needs numpy, and no torch.

    Args:
        stamp: a file, or the line in an index's metadata that the file holds.
        embed: a function from a list of texts to one embedding for each, or an object with a method
            ``encode``, ``embed_documents`` or ``embed``: a ``SentenceTransformer``, embeddings of langchain,
            an encoder or an endpoint of this package. Arrays, tensors and lists of lists are understood.
        accept: distance up to which you take embeddings for the same, besides what runtimes differ by
            anyway: 0.01 accepts half precision.

    Returns:
        The answer: look at its ``status``.

    Raises:
        UsageError: there is no such stamp, or nothing that embeds.
        RecordError: the stamp is damaged.
        InconclusiveError: ``embed`` raised something, gave something else than an embedding for each text, or
            numbers that are rounded too coarsely to tell encoders apart.
    """
    if not 0 <= accept < 1:  # written so that NaN is refused, too
        raise UsageError(f"a distance of {accept} cannot be accepted", remedy="choose one from 0 to below 1")
    kept = Stamp.load(stamp)
    if isinstance(embed, Endpoint):
        answers = embed.embed(kept.texts, may_refuse=range(kept.short, len(kept.texts)))
        refused = bool(answers.refused)
        rows = answers.embeddings[: kept.short] if refused else answers.embeddings
        return likeness(kept, rows, refused=refused, accept=accept)
    refused = False
    try:
        rows = embeddings_of(embed, kept.texts)
    except InconclusiveError:
        if not kept.long:
            raise
        # some refuse what is too long for them instead of cutting it: then the short ones tell why
        rows, refused = embeddings_of(embed, kept.texts[: kept.short]), True
    return likeness(kept, rows, refused=refused, accept=accept)


def assert_stamp(stamp: str | PathLike[str] | Stamp, embed: object, *, accept: float = 0.0) -> Likeness:
    """Raise an error unless something embeds texts into the space of a stamped index.

    For the start of a service: it takes one call of ``embed``.

    Args:
        stamp: see :func:`check_stamp`.
        embed: see :func:`check_stamp`.
        accept: see :func:`check_stamp`.

    Raises:
        AnotherSpaceError: it is another recipe, a near encoder, or another space.
    """
    found = check_stamp(stamp, embed, accept=accept)
    if found.status != "same":
        raise AnotherSpaceError(found.reason, remedy=found.advice)
    return found
