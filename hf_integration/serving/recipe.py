"""Serving recipes: what a deployment does to an encoder before somebody gets its embedding.

A server, a converted file or a gateway rarely computes what the model card computes. It approximates GELU,
rounds weights to half precision, pools another way, cuts texts earlier, or writes fewer decimals. Each of
these makes another function of the same encoder, with a reference of its own; a recipe says which.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from hf_integration.base.errors import UsageError
from hf_integration.base.text import quoted
from hf_integration.encoders.modalities.recipes import POOLS
from hf_integration.serving.numeric import FLOAT32, Form

Gelu = Literal["exact", "tanh"]
ServedWeights = Literal["stored", "float16", "bfloat16", "gguf-f16", "gguf-f16-positions", "int8-rows"]
Arithmetic = Literal["float32", "float16", "bfloat16"]

GELU_WORDS: Mapping[str, str] = {"exact": "exact GELU", "tanh": "tanh GELU"}
WEIGHT_WORDS: Mapping[str, str] = {
    "stored": "weights as stored",
    "float16": "float16 weights",
    "bfloat16": "bfloat16 weights",
    "gguf-f16": "matrices in float16 as in a GGUF file, the token type table as stored",
    "gguf-f16-positions": "matrices in float16 as in a GGUF file, tables of positions and of types as stored",
    "int8-rows": "linear layers in int8, each row by its largest number",
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a deployment does. ``None`` stands for "as the encoder itself does".

    Attributes:
        gelu: how GELU is computed: exactly, by the error function, or approximated by tanh.
        weights: what the weights are rounded to.
        arithmetic: what is computed in.
        pooling: how positions become one vector, a mode of sentence-transformers.
        dense: whether dense layers behind the pooling are applied.
        normalised: whether the embedding has length 1.
        prompt: put before every text.
        length: tokens at which a text is cut.
        dimensions: how many of the first dimensions are kept (Matryoshka), scaled to length 1 again.
        form: how the numbers of an answer are written.
    """

    gelu: Gelu | None = None
    weights: ServedWeights = "stored"
    arithmetic: Arithmetic = "float32"
    pooling: str | None = None
    dense: bool = True
    normalised: bool | None = None
    prompt: str | None = None
    length: int | None = None
    dimensions: int | None = None
    form: Form = FLOAT32

    def but(self, **changes: Any) -> "Recipe":
        """This recipe with some fields replaced."""
        return replace(self, **changes)

    def differences(self, found: "Recipe") -> tuple[str, ...]:
        """How another recipe differs from this one, in words, the largest effect first."""
        return tuple(
            _said(field.name, getattr(self, field.name), getattr(found, field.name))
            for field in sorted(fields(self), key=lambda field: _ORDER.index(field.name))
            if getattr(self, field.name) != getattr(found, field.name)
        )

    def __str__(self) -> str:
        """All that is not as the encoder itself does it; ``as the encoder itself`` where everything is."""
        return ", ".join(PLAIN.differences(self)) or "as the encoder itself"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, without what is as the encoder itself does it; see :func:`read_recipe`."""
        plain = asdict(PLAIN)
        said = {name: value for name, value in asdict(self).items() if value != plain[name]}
        return {**said, "form": str(self.form)} if "form" in said else said


_ORDER = (
    "pooling",
    "prompt",
    "dense",
    "length",
    "dimensions",
    "weights",
    "arithmetic",
    "gelu",
    "normalised",
    "form",
)

PLAIN = Recipe()
"""What the encoder itself does, in float32."""


def _said(field: str, expected: Any, found: Any) -> str:
    """One difference in words: ``cls instead of mean pooling``."""
    match field:
        case "gelu":
            return GELU_WORDS[found] if found else "GELU as the encoder itself computes it"
        case "weights":
            return WEIGHT_WORDS[found]
        case "arithmetic":
            return f"computed in {found}"
        case "pooling":
            return f"{found} instead of {expected or 'its own'} pooling" if found else "its own pooling"
        case "dense":
            return "dense layers are applied" if found else "no dense layer"
        case "normalised":
            if found is None:
                return "scaled to length 1 or not, as the encoder itself does"
            return "scaled to length 1" if found else "not scaled to length 1"
        case "prompt":
            if found is None:
                return "its own prompt"
            return f"the prompt '{quoted(found)}' is added" if found else "no prompt is added"
        case "length":
            return f"cut at {found} tokens" if found else "cut where the encoder itself cuts"
        case "dimensions":
            return f"the first {found} dimensions" if found else "all dimensions"
        case _:
            return str(found.words)


_CHOICES: Mapping[str, tuple[Any, ...]] = {
    "gelu": get_args(Gelu),
    "weights": get_args(ServedWeights),
    "arithmetic": get_args(Arithmetic),
    "pooling": tuple(POOLS),
}


def read_recipe(said: Mapping[str, Any], *, where: str) -> Recipe:
    """A recipe from plain values, such as those of a preset.

    Args:
        said: field -> value; what is left out is as the encoder itself does it.
        where: what to name in a message.

    Raises:
        UsageError: an unknown field, or a value that is none of its kind.
    """
    values = dict(said)
    known = {field.name for field in fields(Recipe)}
    if unknown := sorted(set(values) - known):
        raise UsageError(
            f"{where}: a recipe has no {quoted(unknown[0])}", remedy=f"there are: {', '.join(sorted(known))}"
        )
    for name, choices in _CHOICES.items():
        if name in values and values[name] not in choices:
            raise UsageError(
                f"{where}: {name} {quoted(str(values[name]))} is not known",
                remedy=f"choose {', '.join(choices)}",
            )
    for name, kind in (("dense", bool), ("normalised", bool), ("length", int), ("dimensions", int)):
        if name in values and (type(values[name]) is not kind or (kind is int and values[name] < 1)):
            raise UsageError(f"{where}: {name} {quoted(str(values[name]))} is no {_KINDS[kind]}")
    if "prompt" in values and not isinstance(values["prompt"], str):
        raise UsageError(f"{where}: prompt {quoted(str(values['prompt']))} is no text")
    if "form" in values:
        values["form"] = Form.read(str(values["form"]), where=where)
    return Recipe(**values)


_KINDS = {bool: "true or false", int: "number from 1 on"}
