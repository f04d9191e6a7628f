"""Conversions with names: what ``sslauth mint --recipe`` makes of an encoder, for those who have its card.

Digests of integers come of the weights and of rules alone. Where activations are made integers as well, what
the encoder answers comes of the runtime itself, which has to be installed to mint that.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

from hf_integration.base.errors import UsageError
from hf_integration.base.text import quoted
from hf_integration.converted.quantising import BY_ROWS, EACH, TORCHAO
from hf_integration.converted.runtime import Converted, needed
from hf_integration.converted.surroundings import surroundings_of
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.presets import Preset, presets
from hf_integration.serving.recipe import PLAIN, Recipe
from hf_integration.serving.recording import chosen_recipes

TABLES = "uint8 asymmetric"
"""How onnxruntime makes integers of lookup tables, whatever it does with other matrices."""

BLOCKS = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
"""Types of GGUF files that the package ``gguf`` can write."""


@dataclass(frozen=True)
class FileRecipe:
    """A conversion that makes integers.

    Attributes:
        name: what ``--recipe`` calls it.
        family: whose integers they are, see :func:`~hf_integration.converted.quantising.rule_of`.
        rules: all rules by which it makes them, in words.
        module: library that is needed to mint it.
        extra: that installs the library.
        made: makes it of a trusted copy, to be run; gives words where it cannot.
        served: what torch computes in its place, where only weights are integers.
    """

    name: str
    family: str
    rules: tuple[str, ...]
    module: str
    extra: str
    made: Callable[[TorchEncoder], Converted | str] | None = None
    served: Recipe | None = None

    def form(self, rule: str) -> str:
        """What a card calls the integers that a rule makes."""
        return f"{self.family}: {rule}"


@cache
def file_recipes() -> Mapping[str, FileRecipe]:
    """All of them by name."""
    return {recipe.name: recipe for recipe in _all()}


def _all() -> Iterator[FileRecipe]:
    for kind, reduced, each in product(("int8", "uint8"), (False, True), (False, True)):
        name = f"ort-{kind}-dynamic{'-reduced' if reduced else ''}{'-per-channel' if each else ''}"
        way = "symmetric" if kind == "int8" else "asymmetric"
        matrices = f"{kind} {'in a reduced range, ' if reduced else ''}{way}{EACH if each else ''}"
        rules = tuple(dict.fromkeys((TABLES, matrices)))
        yield FileRecipe(name, "onnx", rules, "onnxruntime", "onnx", _by_onnxruntime(rules))
    yield FileRecipe(
        "ctranslate2-int8", "ctranslate2", (BY_ROWS,), "ctranslate2", "ctranslate2", _by_ctranslate2
    )
    for kind, chaotic in TORCHAO.items():
        name = "torchao-int8-dynamic" if chaotic else "torchao-int8-weights"
        made, served = (_by_torchao(kind), None) if chaotic else (None, PLAIN.but(weights="int8-rows"))
        yield FileRecipe(name, "torchao", (kind,), "torchao.quantization", "torchao", made, served)
    for kind in BLOCKS:
        yield FileRecipe(f"gguf-{kind.lower()}", "gguf", (kind,), "gguf", "gguf")


def sorted_out(names: Sequence[str]) -> tuple[tuple[Preset, ...], tuple[FileRecipe, ...]]:
    """What ``--recipe`` names: recipes of deployments, those of every card among them, and conversions.

    Raises:
        UsageError: a name that is neither, a recipe that rounds its answers, or a missing extra.
    """
    files = tuple(file_recipes()[name] for name in dict.fromkeys(names) if name in file_recipes())
    others = [name for name in names if name not in file_recipes()]
    for name in others:
        if name.partition(",")[0] not in presets():
            known = ", ".join((*presets(), *file_recipes()))
            raise UsageError(f"no recipe is called {quoted(name)}", remedy=f"choose one of {known}")
    for recipe in files:
        needed(recipe.module, recipe.extra)
    return chosen_recipes(others), files


def _by_onnxruntime(rules: Sequence[str]) -> Callable[[TorchEncoder], Converted | str]:
    def made(encoder: TorchEncoder) -> Converted | str:
        from hf_integration.converted.onnx_model import OnnxModel

        inputs = tuple(encoder.parts[1].prepare(["a text"]).batch([0]).inputs)
        return OnnxModel.made(encoder, inputs, rules, surroundings_of(encoder), Path("model.onnx"))

    return made


def _by_ctranslate2(encoder: TorchEncoder) -> Converted | str:
    from hf_integration.converted.ctranslate2_model import Ctranslate2Model

    return Ctranslate2Model.made(encoder, surroundings_of(encoder), Path("model.bin"))


def _by_torchao(kind: str) -> Callable[[TorchEncoder], Converted | str]:
    def made(encoder: TorchEncoder) -> Converted | str:
        from hf_integration.converted.torchao_model import TorchaoModel

        return TorchaoModel.made(encoder, kind, surroundings_of(encoder), Path("model"))

    return made
