"""Converted encoders held against a card alone, for the tests of the folder."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from hf_integration import WatermarkCard, mint
from hf_integration.base.progress import Silent
from hf_integration.converted.behaviour import Expected
from hf_integration.converted.card_knowledge import CardKnowledge
from hf_integration.converted.check import check_converted
from hf_integration.converted.file_recipes import file_recipes
from hf_integration.converted.recognising import open_converted
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.verdict import Trust, Verdict

KEYS = 24
RECIPES = ("float16", "float16-weights", *(f"ort-int8-dynamic{more}" for more in ("", "-per-channel")))
OTHERS = ("ctranslate2-int8", "torchao-int8-weights", "torchao-int8-dynamic", "gguf-q8_0")


def installed() -> tuple[str, ...]:
    """Recipes of the card: those of ONNX Runtime, and of other runtimes that are installed."""
    others = (name for name in OTHERS if find_spec(file_recipes()[name].module.partition(".")[0]))
    return (*RECIPES, *others)


def minted(encoder: TorchEncoder, recipes: tuple[str, ...]) -> WatermarkCard:
    """A private card, calibrated on this CPU alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
        return mint(encoder, keys=KEYS, seed=5, secret=True, recipes=recipes)


def by_card(
    card: WatermarkCard,
    path: Path,
    serving: str | None = None,
    *,
    runtime: Any = None,
    trust: Trust = "pinned",
    accepted: bool = False,
) -> Verdict:
    knowledge = CardKnowledge(card)
    authentication, _ = check_converted(
        knowledge,
        open_converted(path, knowledge.original, runtime),
        Expected.named(serving),
        trust=trust,
        progress=Silent(),
        accept_self_asserted=accepted,
    )
    return authentication.verdict


def findings(verdict: Verdict) -> list[str]:
    assert verdict.conversion is not None
    parts = verdict.conversion
    return [parts.file.finding, parts.behaviour.finding, parts.inputs.finding]
