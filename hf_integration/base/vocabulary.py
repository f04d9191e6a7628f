"""Words that every room uses, as types; how repositories are named, and how days and spans are written."""

import re
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from typing import Literal, get_args


class ExitStatus(IntEnum):
    """What a command ends with. They are part of the interface.

    ``ALTERED`` says that another encoder is there than that of a card, copy, stamp or baseline, and stands
    for nothing else, ever.
    """

    DONE = 0
    ALTERED = 1
    USAGE = 2
    INCONCLUSIVE = 3
    INTEGRITY = 4
    INTERNAL = 70
    INTERRUPTED = 130


Precision = Literal["float64", "float32", "float16", "bfloat16"]

PRECISIONS: tuple[Precision, ...] = get_args(Precision)


Weights = Literal["stored", "float16", "bfloat16"]
"""Weights as they were stored, or every stored tensor rounded to a half precision."""

WEIGHTS: tuple[Weights, ...] = get_args(Weights)


def weights_in(dtype: str) -> Weights:
    """The weights that a load in this dtype rounds to: a half precision's, or as they were stored."""
    return next((weights for weights in WEIGHTS if weights == dtype), "stored")


PROCESSOR_STRIP = "processor"

HEAD_STRIP = "head"
"""What the head of a classifier, a reranker or a speaker encoder gives, where the model was saved with it."""

EMBEDDING_STRIP = "embedding"


Modality = Literal["text", "image", "audio"]

MODALITIES: tuple[Modality, ...] = get_args(Modality)


Pooling = Literal["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken", "pooler"]
"""How states become one embedding, in the words of sentence-transformers; or the encoder's trained pooler."""

POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


Motif = Literal["picture", "samples"]
"""What a watermark shows: a picture in black and white, or the key samples of its card, which are images."""


Api = Literal["openai", "tei", "ollama", "llamacpp", "cohere", "hf"]
"""APIs that embedding servers speak."""

APIS: tuple[Api, ...] = get_args(Api)

FEWEST_KEYS, USUAL_KEYS, MOST_KEYS = 8, 64, 1024
"""Fresh key samples that an endpoint is asked. The generator of more would take minutes to train."""

FEWEST_DIMENSIONS = 8
"""Of embeddings that are judged: a single one is little more than a sign."""

MOST_WIDTH = 16_384
"""Numbers of one embedding; of the models known to us, OpenAI's davinci of 2022 had most: 12,288."""

CARD_FILE, TENSOR_FILE, PICTURE_FILE = "card.json", "card.safetensors", "watermark.png"
SIGNATURE_FILE = "card.sig"
"""Files of a card."""

MODEL_SIGNATURE = "model.sig"
"""The signature that a publisher puts beside an encoder."""

CONVERSION_FILE = "sslauth-conversion.json"
"""Beside an encoder that ``sslauth convert`` made: the files it was made of. It is no part of it."""

REPO_FOLDER = "sslauth"
"""Folder of the card inside an encoder's own repository; a repository of its own has it at the root."""


REPO_ID = re.compile(r"(\b[\w.-]{1,96}\b/)?\b[\w.-]{1,96}\b", re.ASCII)
"""As ``huggingface_hub`` checks names: ``org/name``, or a name alone."""


def is_repo_id(name: str) -> bool:
    """Whether a name can be a repository's; whether a folder of that name is here is not looked at."""
    return REPO_ID.fullmatch(name) is not None


def same_repo(one: str | None, other: str | None) -> bool:
    """Whether two names mean one repository, which the Hub names without regard to case."""
    return one is not None and other is not None and one.casefold() == other.casefold()


_ISO = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def today() -> date:
    """The date in UTC: a card, or a waiver, ends everywhere at once."""
    return datetime.now(UTC).date()


def read_date(text: str) -> date:
    """A date written as ``2030-01-31``, and in no other of ISO's ways.

    Raises:
        ValueError: it is not one.
    """
    if not _ISO.fullmatch(text):
        raise ValueError("not a date such as 2030-01-31")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("not a day of the calendar") from None


_SPAN = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)

LONGEST_SPAN = timedelta(days=3660)

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def read_span(text: str) -> timedelta:
    """A span of time written as ``90s``, ``10m``, ``1h``, ``30d`` or ``2w``.

    Raises:
        ValueError: it is not one, or as good as none.
    """
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError("not a span of time such as 90s, 10m, 1h, 30d or 2w")
    span = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    if not timedelta() < span <= LONGEST_SPAN:
        raise ValueError(f"a span of time has 1s to {LONGEST_SPAN.days}d")
    return span
