"""Backward passes whose layers compute again what they dropped, of every tiny architecture."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hf_integration.base.progress import Silent
from hf_integration.base.vocabulary import Modality
from hf_integration.card import WatermarkCard
from hf_integration.coverage.measurement import Passes, graph_of, measure_sensitivities
from hf_integration.coverage.ranks import InputRanks, see
from hf_integration.coverage.recomputing import Kept, layers_of
from hf_integration.coverage.sensitivity import can_recompute
from hf_integration.encoders import Encoder, open_encoder
from tests.encoders import tiny_models
from tests.encoders.tiny_models import AUDIO, CONFIGS, VISION

NEVER = {"swinv2"}
"""Whose layers write to what others computed; they keep everything."""


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_every_architecture_has_the_same_derivatives_or_is_left_alone(name: str, tmp_path: Path) -> None:
    modality: Modality = "image" if name in VISION else "audio" if name in AUDIO else "text"
    encoder = open_encoder(tiny_models.save(name, tmp_path), name=name, modality=modality, device="cpu")
    samples = tiny_models.samples(modality)
    settings = encoder.model.config.to_dict()
    assert can_recompute(encoder, samples[0]) is (name not in NEVER)
    assert encoder.model.config.to_dict() == settings
    kept = graph_of(encoder, samples)
    assert 0 < kept.recomputed <= kept.whole
    assert encoder.in_process_changes() == ()


class Forgetful(nn.Module):
    """A layer that computes with something else whenever it is run."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(32, 32)
        self.runs = 0

    def forward(self, hidden: Tensor, *_: Any, **__: Any) -> Tensor:
        self.runs += 1
        output: Tensor = self.dense(hidden * self.runs)
        return output


class Growing(Forgetful):
    """A layer that computes with more positions whenever it is run, as one that fills a cache does."""

    def forward(self, hidden: Tensor, *_: Any, **__: Any) -> Tensor:
        self.runs += 1
        output: Tensor = self.dense(torch.cat([hidden] * self.runs, 1))
        return output[:, : hidden.shape[1]]


@pytest.mark.parametrize("kind", [Forgetful, Growing])
def test_a_layer_that_is_another_one_when_it_is_run_again_is_found_out(
    kind: type[Forgetful], tmp_path: Path
) -> None:
    encoder = open_encoder(tiny_models.save("bert", tmp_path), name="bert", device="cpu")
    encoder.model.encoder.layer[1] = kind()
    assert not can_recompute(encoder, tiny_models.TEXTS[0])


def test_reactions_are_those_of_passes_that_keep_everything(pair: tuple[Encoder, WatermarkCard]) -> None:
    encoder, card = pair
    usual, again = (
        measure_sensitivities(
            card, encoder, thorough=None, passes=Passes(8, (each, each)), progress=Silent()
        )["float64"].sizes
        for each in (False, True)
    )
    assert usual.keys() == again.keys()
    for name, sizes in usual.items():
        assert torch.allclose(sizes.float(), again[name].float(), rtol=0.02, atol=1e-3 * float(sizes.max()))


def test_ranks_seen_on_the_way_are_those_of_samples_that_run_alone(tmp_path: Path) -> None:
    encoder = open_encoder(tiny_models.save("vit", tmp_path), name="vit", device="cpu")
    samples = tiny_models.images(6)
    alone, together = InputRanks(encoder, 6), InputRanks(encoder, 6)
    see(alone, encoder, samples, progress=Silent())
    copy = encoder.duplicate(shared=True)
    with together.watching(copy.model, together=6):
        list(copy.observe(samples, batch_size=6, gradient=True))
    for one, other in zip(alone.settle(), together.settle(), strict=True):
        assert (one.layer, one.width, one.vectors, one.rank) == (
            other.layer,
            other.width,
            other.vectors,
            other.rank,
        )


class Repeating(nn.Module):
    """A model that runs its one layer again and again, as ALBERT does."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Forgetful()])
        self.times = times

    def forward(self, hidden: Tensor) -> Tensor:
        for _ in range(self.times):
            hidden = self.layers[0](hidden)
        return hidden


def test_a_layer_keeps_as_much_again_whenever_it_is_run() -> None:
    sizes = []
    for times in (1, 64):
        model = Repeating(times)
        kept = Kept(model)
        with kept.counting():
            model(torch.ones(4, 32))
        sizes.append(kept.whole)
    assert sizes[1] == 64 * sizes[0] > 0


def test_stages_are_looked_into_and_layers_are_not() -> None:
    layer = nn.ModuleDict({"experts": nn.ModuleList([nn.Linear(2, 2)] * 3)})
    stage = nn.ModuleDict({"blocks": nn.ModuleList([nn.Linear(2, 2), nn.Tanh()])})
    assert layers_of(nn.ModuleDict({"layers": nn.ModuleList([layer] * 8)})) == [layer] * 8
    assert layers_of(nn.ModuleDict({"stages": nn.ModuleList([stage])})) == [*stage["blocks"].children()]
