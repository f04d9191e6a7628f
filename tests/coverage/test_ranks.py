"""Rank and condition of activations at the layers' inputs."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import nn

from hf_integration import load_encoder
from hf_integration.base.progress import Silent
from hf_integration.base.vocabulary import Modality
from hf_integration.coverage import ranks
from hf_integration.coverage.lengths import long_texts
from hf_integration.coverage.ranks import InputRank, InputRanks, see
from hf_integration.encoders import Encoder, open_encoder
from hf_integration.key_samples import synthetic_samples
from hf_integration.key_samples.samples import Sample
from tests.encoders import tiny_models
from tests.real_encoders.minilm import minilm_folder


def input_ranks(encoder: Encoder, samples: Sequence[Sample]) -> list[InputRank]:
    """Those of samples that run one by one."""
    seen = InputRanks(encoder, len(samples))
    see(seen, encoder, samples, progress=Silent())
    return seen.settle()


@pytest.fixture
def encoder(tmp_path: Path) -> Encoder:
    return load_encoder(str(tiny_models.save("bert", tmp_path)), device="cpu")


def test_once_they_are_settled_they_hold_nothing_and_take_no_more(encoder: Encoder) -> None:
    seen = InputRanks(encoder, 1)
    see(seen, encoder, tiny_models.TEXTS, progress=Silent())
    found = seen.settle()
    assert found
    assert not seen._inputs
    assert seen.settle() is found
    with pytest.raises(RuntimeError, match="take no more"):
        see(seen, encoder, tiny_models.TEXTS, progress=Silent())


def test_vectors_are_the_positions_of_all_samples_and_shared_inputs_are_one(encoder: Encoder) -> None:
    texts = tiny_models.TEXTS
    positions = sum(len(encoder.processor(text)["input_ids"]) for text in texts)
    found = {entry.layer: entry for entry in input_ranks(encoder, texts)}
    assert {entry.vectors for entry in found.values()} == {positions}
    assert "encoder.layer.0.attention.self.query" in found
    assert "encoder.layer.0.attention.self.key" not in found
    assert encoder.in_process_changes() == ()


@pytest.mark.parametrize(
    ("architecture", "modality", "unseen"),
    [
        ("wavlm", "audio", "layers.0.attention.q_proj"),
        ("siglip", "image", "head.attention.in_proj_weight"),
        ("siglip", "image", "head.attention.out_proj"),
    ],
)
def test_a_layer_whose_weights_go_to_a_function_is_not_left_out(
    architecture: str, modality: Modality, unseen: str, tmp_path: Path
) -> None:
    folder = tiny_models.save(architecture, tmp_path)
    encoder = open_encoder(folder, name=architecture, modality=modality, device="cpu")
    samples = tiny_models.samples(encoder.modality)
    found = input_ranks(encoder, samples)
    (entry,) = [entry for entry in found if entry.layer.endswith(unseen)]
    assert (entry.vectors, entry.rank) == (0, None)
    assert any(entry.vectors for entry in found)


def test_a_rank_is_that_of_the_activations(encoder: Encoder) -> None:
    layer = "encoder.layer.1.intermediate.dense"
    seen: list[torch.Tensor] = []
    module: nn.Module = encoder.model.get_submodule(layer)
    handle = module.register_forward_pre_hook(lambda _m, given: seen.append(given[0].flatten(0, -2)))
    texts = [" ".join(tiny_models.WORDS)] * 3 + list(tiny_models.TEXTS)
    for text in texts:
        encoder.embed([text])
    handle.remove()
    rows = torch.cat(seen).double()
    expected = int(torch.linalg.matrix_rank(rows, rtol=2e-6))
    found = next(e for e in input_ranks(encoder, texts) if e.layer == layer)
    assert found.width == rows.shape[1] <= len(rows)
    assert found.rank == expected
    if found.rank == found.width:
        assert found.condition == pytest.approx(float(torch.linalg.cond(rows)), rel=1e-3)


def test_the_rank_is_found_although_first_and_last_positions_are_alike(encoder: Encoder) -> None:
    # two positions of each sample: what stands first and last would give hardly any rank
    words = list(tiny_models.WORDS)
    texts = [" ".join(words[i % len(words) :] + words[: i % len(words)]) for i in range(64)]
    layer = "encoder.layer.0.attention.self.query"
    found = next(e for e in input_ranks(encoder, texts) if e.layer == layer)
    assert found.width == 32
    assert found.rank == found.width


def test_vectors_that_repeat_each_other_add_no_rank(encoder: Encoder) -> None:
    once, often = (
        {entry.layer: entry for entry in input_ranks(encoder, ["sea"] * count)} for count in (1, 5)
    )
    for layer, entry in often.items():
        assert entry.vectors == 5 * once[layer].vectors < entry.width
        assert entry.rank == once[layer].rank
        assert entry.rank is not None
        assert entry.rank <= once[layer].vectors
        assert entry.condition is None


def test_rounding_is_no_rank(encoder: Encoder) -> None:
    # vectors of rank 2, and what float32 makes of them
    random = torch.Generator().manual_seed(0)
    exact = torch.randn(64, 2, generator=random) @ torch.randn(2, 16, generator=random)
    met = ranks._Inputs(16, 64, 1, keep=True)
    met.add((exact * (1 + 1e-8 * torch.randn(64, 16, generator=random)))[:, None])
    assert ranks._rank(met) == (2, None)


def test_inputs_beyond_the_affordable_effort_are_counted_but_not_decomposed(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "MOST_EFFORT", 0.0)
    found = input_ranks(encoder, tiny_models.TEXTS)
    assert found
    assert all(entry.rank is None and entry.vectors > 0 for entry in found)


def test_a_convolutions_inputs_are_its_patches(tmp_path: Path) -> None:
    vision = load_encoder(str(tiny_models.save("resnet", tmp_path)), device="cpu")
    name, layer = next((n, m) for n, m in vision.model.named_modules() if isinstance(m, nn.Conv2d))
    inputs: list[torch.Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _m, given: inputs.append(given[0]))
    samples = tiny_models.images()
    for sample in samples:
        vision.embed([sample])
    handle.remove()
    found = next(e for e in input_ranks(vision, samples) if e.layer == name)
    unfolded = [
        nn.functional.unfold(given, layer.kernel_size, padding=layer.padding, stride=layer.stride)  # type: ignore[arg-type]
        for given in inputs
    ]
    assert found.width == unfolded[0].shape[1]
    assert found.vectors == sum(u.shape[2] for u in unfolded)
    assert found.rank is not None


def test_unfelt_channels_lower_the_rank_of_a_convolution(tmp_path: Path) -> None:
    vision = load_encoder(str(tiny_models.save("resnet", tmp_path)), device="cpu")
    convolutions = [(n, m) for n, m in vision.model.named_modules() if isinstance(m, nn.Conv2d)]
    name, layer = next((n, m) for n, m in convolutions if m.in_channels > 3)
    handle = layer.register_forward_pre_hook(
        lambda _m, given: (given[0] * (torch.arange(given[0].shape[1]) > 0)[:, None, None],)
    )
    found = next(e for e in input_ranks(vision, tiny_models.images()) if e.layer == name)
    handle.remove()
    assert found.rank is not None
    assert found.rank <= found.width - layer.weight[0, 0].numel()


def test_what_is_drawn_of_a_card_spans_what_all_of_it_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    # texts of a dozen tokens and three of hundreds, whose share is drawn: hardly more vectors than a width
    if (folder := minilm_folder()) is None:
        pytest.skip("the package with MiniLM is not installed")
    encoder = load_encoder(str(folder), device="cpu")
    long = long_texts(encoder, 61, seed=0)
    samples = [*synthetic_samples("text", 64 - len(long), seed=0), *long]
    drawn = input_ranks(encoder, samples)
    monkeypatch.setattr(ranks, "ENOUGH", 1000)
    for entry, whole in zip(drawn, input_ranks(encoder, samples), strict=True):
        assert (entry.layer, entry.rank) == (whole.layer, whole.width)
