"""Copies that are only run leave large lookup tables empty, and compute the same to the bit."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hf_integration.base.vocabulary import Precision, Weights
from hf_integration.encoders import open_encoder, wrap_module
from hf_integration.encoders.interface import Encoder
from hf_integration.encoders.running import precision_copy as lookup_tables
from tests.encoders import tiny_models
from tests.encoders.tiny_models import TEXTS


@pytest.fixture(autouse=True)
def every_table_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup_tables, "LARGE", 1)


@pytest.fixture
def module() -> Any:
    return tiny_models.build("bert")


def postponed(encoder: Encoder) -> list[str]:
    """Names of the tables of a copy whose rows are filled when they are looked up."""
    return [
        name
        for name, table in encoder.model.named_modules()
        if any(isinstance(hook, lookup_tables.Rows) for hook in table._forward_pre_hooks.values())
    ]


class TestCopies:
    @pytest.mark.parametrize(
        "name", ["bert", "roberta", "distilbert", "mpnet", "modernbert", "clip", "siglip"]
    )
    @pytest.mark.parametrize("weights", ["stored", "bfloat16"])
    def test_compute_the_same_to_the_bit(self, name: str, weights: Weights, tmp_path: Path) -> None:
        folder = tiny_models.save(name, tmp_path)
        encoder = open_encoder(folder, name=name, modality="text", device="cpu")
        running = encoder.at_precision("float64", weights=weights, run_only=True)
        assert postponed(running)
        assert torch.equal(
            running.embed(TEXTS), encoder.at_precision("float64", weights=weights).embed(TEXTS)
        )

    def test_hold_only_the_rows_that_were_looked_up(self, module: Any) -> None:
        encoder = wrap_module(module, tiny_models.tokenizer())
        running = encoder.at_precision("float64", run_only=True)
        table = running.model.embeddings.word_embeddings.weight
        assert not table.any()
        running.embed(["sea"])
        looked_up = encoder.processor(["sea"])["input_ids"][0]
        assert set(table.any(1).nonzero().flatten().tolist()) == set(looked_up)

    def test_see_an_alteration_of_a_row(self, module: Any) -> None:
        encoder = wrap_module(module, tiny_models.tokenizer())
        honest = encoder.at_precision("float64", run_only=True).embed(TEXTS)
        with torch.no_grad():
            module.embeddings.word_embeddings.weight[encoder.processor(["sea"])["input_ids"][0][1], 0] += 0.1
        moved = encoder.at_precision("float64", run_only=True).embed(TEXTS) - honest
        assert (moved.abs().amax(1) > 1e-6).tolist() == ["sea" in text for text in TEXTS]


class TestTablesThatAreCopiedWhole:
    def names(self, module: Any, precision: Precision = "float64", **options: Any) -> list[str]:
        encoder = wrap_module(module, tiny_models.tokenizer())
        return postponed(encoder.at_precision(precision, **options))

    def test_all_of_a_copy_that_may_be_read(self, module: Any) -> None:
        assert self.names(module) == []

    def test_all_of_a_copy_in_half_precision(self, module: Any) -> None:
        assert self.names(module, "bfloat16", run_only=True) == []

    def test_tied_ones(self, module: Any) -> None:
        module.reader = nn.Linear(1, 1)
        module.reader.weight = module.embeddings.word_embeddings.weight
        assert "embeddings.word_embeddings" not in self.names(module, run_only=True)

    def test_all_under_a_patch(self, module: Any) -> None:
        module.encoder.forward = lambda *_, **__: None
        assert self.names(module, run_only=True) == []

    def test_all_under_a_hook_anywhere(self, module: Any) -> None:
        module.encoder.register_forward_hook(lambda _module, _inputs, output: output)
        assert self.names(module, run_only=True) == []

    def test_all_under_a_hook_on_every_module(self, module: Any) -> None:
        handle = nn.modules.module.register_module_forward_hook(lambda _module, _inputs, output: output)
        try:
            assert self.names(module, run_only=True) == []
        finally:
            handle.remove()

    def test_subclasses(self, module: Any) -> None:
        class Reader(nn.Embedding):
            pass

        module.embeddings.word_embeddings.__class__ = Reader
        assert "embeddings.word_embeddings" not in self.names(module, run_only=True)
