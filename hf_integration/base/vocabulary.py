"""Words that every room uses, as types."""

from enum import IntEnum
from typing import Literal, get_args


class ExitStatus(IntEnum):
    """What a command ends with. They are part of the interface; ``ALTERED`` stands for nothing else, ever."""

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

EMBEDDING_STRIP = "embedding"


Modality = Literal["text", "image", "audio"]

MODALITIES: tuple[Modality, ...] = get_args(Modality)

CARD_FILE, TENSOR_FILE, PICTURE_FILE = "card.json", "card.safetensors", "watermark.png"
SIGNATURE_FILE = "card.sig"
"""Files of a card."""

REPO_FOLDER = "sslauth"
"""Folder of the card inside an encoder's own repository; a repository of its own has it at the root."""
