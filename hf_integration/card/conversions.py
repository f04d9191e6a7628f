"""What a card says of converted encoders: digests of converted weights, and of token numbers.

The card holds names and digests; how converters work is known to :mod:`hf_integration.converted`, which makes
this record and checks files against it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hf_integration.base.errors import FlawError
from hf_integration.card.schema import ConversionsRecord
from hf_integration.card.tensor_file import TensorForm

DIGEST = 32
"""Bytes of a SHA-256. Where a row of a tensor of digests is zero, there is none."""


@dataclass(frozen=True, eq=False)
class ConvertedAnswers:
    """What the encoder gives after one conversion, by the runtime that it is made for.

    Attributes:
        name: of the conversion, such as ``ort-int8-dynamic``.
        rules: the forms that its integers have, of :attr:`Conversions.digests`.
        embeddings: of the key samples, float32 tensor with shape ``(keys, width)``.
    """

    name: str
    rules: tuple[str, ...]
    embeddings: Tensor


@dataclass(frozen=True, eq=False)
class Conversions:
    """What a converted encoder is held against where nobody has the weights.

    Attributes:
        shapes: tensor -> its shape, of every tensor of numbers that a file may hold.
        digests: form of the numbers -> tensor -> SHA-256. Forms are roundings that the card has no other
            digests for, and rules by which converters make integers; a tensor that a form leaves out has no
            digest in it.
        texts: SHA-256 of a text -> SHA-256 of the token numbers that the encoder makes of it.
        answers: one for each conversion that was made at minting.
    """

    shapes: Mapping[str, tuple[int, ...]]
    digests: Mapping[str, Mapping[str, bytes]]
    texts: Mapping[bytes, bytes]
    answers: tuple[ConvertedAnswers, ...] = ()


_TEXTS = "conversions.texts"


def _digests(place: int) -> str:
    return f"conversions.digests.{place}"


def _answers(place: int) -> str:
    return f"conversions.answers.{place}"


def conversion_forms(record: ConversionsRecord | None, keys: int) -> dict[str, TensorForm]:
    """The tensors that such a record asks for."""
    if record is None:
        return {}
    row = TensorForm(torch.uint8, (len(record.shapes), DIGEST))
    return {
        **{_digests(place): row for place in range(len(record.forms))},
        _TEXTS: TensorForm(torch.uint8, (record.texts, 2, DIGEST)),
        **{
            _answers(place): TensorForm(torch.float32, (keys, made.width))
            for place, made in enumerate(record.recipes)
        },
    }


def pack_conversions(conversions: Conversions | None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What ``card.json`` says of it, nothing of a card without it, and the tensors.

    Raises:
        FlawError: a digest that is none, or of a tensor without a shape.
    """
    if conversions is None:
        return {}, {}
    names, forms = list(conversions.shapes), list(conversions.digests)
    tensors = {}
    for place, form in enumerate(forms):
        found = conversions.digests[form]
        if unknown := sorted(set(found) - set(names)):
            raise FlawError("conversions.shapes", f"there is none of {unknown[0]}, which has a digest")
        tensors[_digests(place)] = _rows(found.get(name, bytes(DIGEST)) for name in names)
    pairs = (part for pair in conversions.texts.items() for part in pair)
    tensors[_TEXTS] = _rows(pairs).view(-1, 2, DIGEST)
    for place, made in enumerate(conversions.answers):
        tensors[_answers(place)] = made.embeddings.float()
    said = {
        "shapes": {name: list(shape) for name, shape in conversions.shapes.items()},
        "forms": forms,
        "texts": len(conversions.texts),
        "recipes": [
            {"name": made.name, "rules": list(made.rules), "width": made.embeddings.shape[1]}
            for made in conversions.answers
        ],
    }
    return {"conversions": said}, tensors


def unpack_conversions(record: ConversionsRecord | None, tensors: Mapping[str, Tensor]) -> Conversions | None:
    """The inverse of :func:`pack_conversions`.

    Raises:
        FlawError: two digests for one text.
    """
    if record is None:
        return None
    rows = tensors[_TEXTS].numpy()
    texts = {pair[0].tobytes(): pair[1].tobytes() for pair in rows}
    if len(texts) < len(rows):
        raise FlawError(_TEXTS, "the same text occurs twice")
    digests = {
        form: {
            name: row.tobytes()
            for name, row in zip(record.shapes, tensors[_digests(place)].numpy(), strict=True)
            if row.any()
        }
        for place, form in enumerate(record.forms)
    }
    answers = (
        ConvertedAnswers(made.name, tuple(made.rules), tensors[_answers(place)].clone())
        for place, made in enumerate(record.recipes)
    )
    shapes = {name: tuple(shape) for name, shape in record.shapes.items()}
    return Conversions(shapes, digests, texts, tuple(answers))


def _rows(digests: Iterable[bytes]) -> Tensor:
    """Digests one below the other, uint8 ``(n, 32)``.

    Raises:
        FlawError: one is of another length.
    """
    parts = list(digests)
    if any(len(part) != DIGEST for part in parts):
        raise FlawError("conversions", "not SHA-256 digests")
    return torch.frombuffer(bytearray(b"".join(parts)), dtype=torch.uint8).view(-1, DIGEST)
