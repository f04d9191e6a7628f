"""Copies that are only run keep their weights as stored, and compute the same to the bit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hf_integration.base.vocabulary import PRECISIONS, Modality, Precision, Weights
from hf_integration.encoders import open_encoder, wrap_module
from hf_integration.encoders.interface import Encoder
from hf_integration.encoders.running import precision_copy
from hf_integration.encoders.running.cast_on_use import CastOnUse
from hf_integration.tampering.weights.values import add_noise, flip_last_bit, move_one_weight
from tests.encoders import tiny_models
from tests.encoders.tiny_models import AUDIO, CONFIGS, TEXTS, VISION

REPEATABLE = 1e-14
"""Of float64 values: torch's own recurrent layers differ by as much between two copies that are equal."""


@pytest.fixture(autouse=True)
def every_tensor_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision_copy, "LARGE", 1)
    monkeypatch.setattr(precision_copy, "ROOM", 0)


@pytest.fixture
def module() -> Any:
    return tiny_models.build("bert")


@pytest.fixture
def encoder(module: Any) -> Encoder:
    return wrap_module(module, tiny_models.tokenizer())


def later(encoder: Encoder) -> list[str]:
    """Names of the parameters that are cast when they are used."""
    return [name for name, tensor in encoder.model.named_parameters() if isinstance(tensor, CastOnUse)]


def test_where_there_is_room_all_but_tables_are_cast_at_once(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = encoder.at_precision("float64", run_only=True)
    room = sum(8 * t.numel() for name, t in encoder.model.named_parameters() if "_embeddings." not in name)
    tables = [name for name in later(small) if "_embeddings." in name]
    monkeypatch.setattr(precision_copy, "ROOM", room - 1)
    tight = encoder.at_precision("float64", run_only=True)
    assert len(later(tight)) == len(tables) + 1
    assert torch.equal(tight.embed(TEXTS), small.embed(TEXTS))
    monkeypatch.setattr(precision_copy, "ROOM", room)
    roomy = encoder.at_precision("float64", run_only=True)
    assert later(roomy) == tables
    assert not any(parameter.requires_grad for parameter in roomy.model.parameters())
    assert torch.equal(roomy.embed(TEXTS), small.embed(TEXTS))


class TestCopies:
    @pytest.mark.parametrize("name", sorted(CONFIGS))
    @pytest.mark.parametrize("weights", ["stored", "bfloat16"])
    @pytest.mark.parametrize("precision", PRECISIONS)
    def test_compute_the_same_to_the_bit(
        self, name: str, weights: Weights, precision: Precision, tmp_path: Path
    ) -> None:
        modality: Modality = "image" if name in VISION else "audio" if name in AUDIO else "text"
        folder = tiny_models.save(name, tmp_path)
        encoder = open_encoder(folder, name=name, modality=modality, device="cpu")
        samples = tiny_models.samples(modality)
        whole = encoder.at_precision(precision, weights=weights)
        running = encoder.at_precision(precision, weights=weights, run_only=True)
        if running is not encoder:
            assert later(running)
            assert not later(whole)
        for parameter in whole.model.parameters():
            parameter.requires_grad_(False)  # torch multiplies in another order where it might be trained
        try:
            expected = whole.embed(samples)
        except RuntimeError:
            pytest.skip(f"torch has no kernel for {name} in {precision}")
        assert torch.equal(running.embed(samples), expected)

    def test_hold_no_second_copy_of_a_tensor(self, module: Any) -> None:
        encoder = wrap_module(module, tiny_models.tokenizer())
        running = encoder.at_precision("float64", run_only=True)
        ours = {tensor.untyped_storage().data_ptr() for tensor in module.parameters()}
        for tensor in running.model.parameters():
            assert isinstance(tensor, CastOnUse)
            assert tensor.source.untyped_storage().data_ptr() in ours
            assert tensor.dtype == torch.float64

    def test_see_an_alteration_of_a_row(self, module: Any) -> None:
        encoder = wrap_module(module, tiny_models.tokenizer())
        honest = encoder.at_precision("float64", run_only=True).embed(TEXTS)
        with torch.no_grad():
            module.embeddings.word_embeddings.weight[encoder.processor(["sea"])["input_ids"][0][1], 0] += 0.1
        moved = encoder.at_precision("float64", run_only=True).embed(TEXTS) - honest
        assert (moved.abs().amax(1) > 1e-6).tolist() == ["sea" in text for text in TEXTS]

    def test_a_hook_reads_the_values_that_are_computed_with(self, module: Any) -> None:
        table = module.embeddings.word_embeddings
        table.register_forward_hook(lambda layer, _inputs, output: output + layer.weight[-1] * 2)
        encoder = wrap_module(module, tiny_models.tokenizer())
        running = encoder.at_precision("float64", run_only=True)
        assert torch.equal(running.embed(TEXTS), encoder.at_precision("float64").embed(TEXTS))

    def test_a_table_that_its_lookup_writes_to_is_copied_whole(self, module: Any) -> None:
        module.embeddings.word_embeddings.max_norm = 0.1
        encoder = wrap_module(module, tiny_models.tokenizer())
        running = encoder.at_precision("float64", run_only=True)
        assert "embeddings.word_embeddings.weight" not in later(running)
        before = module.embeddings.word_embeddings.weight.clone()
        running.embed(TEXTS)
        assert torch.equal(module.embeddings.word_embeddings.weight, before)

    def test_of_modules_that_hand_their_weights_to_functions(self) -> None:
        torch.manual_seed(0)
        given = torch.randn(2, 5, 8, dtype=torch.float64)
        attention = nn.MultiheadAttention(8, 2, batch_first=True).eval()
        running = precision_copy.at_precision(attention, "float64", run_only=True)
        with torch.inference_mode():
            assert torch.equal(
                running(given, given, given)[0],
                precision_copy.at_precision(attention, "float64")(given, given, given)[0],
            )
        for layer in (nn.LSTM(8, 6, batch_first=True, bidirectional=True), nn.GRU(8, 6, batch_first=True)):
            ours = precision_copy.at_precision(layer.eval(), "float64", run_only=True)
            whole = precision_copy.at_precision(layer, "float64")
            with torch.inference_mode():
                assert (ours(given)[0] - whole(given)[0]).abs().max() < REPEATABLE


@pytest.mark.parametrize("cast", [lambda m: m.half(), lambda m: m.to(torch.float32), lambda m: m.double()])
def test_a_copy_that_is_cast_as_a_whole_says_so_instead_of_computing_in_two_dtypes(cast: Any) -> None:
    running = precision_copy.at_precision(nn.Linear(3, 4), "float64", run_only=True)
    given = torch.ones(1, 3, dtype=torch.float64)
    expected = running(given)
    try:
        cast(running)
    except RuntimeError:
        return
    assert torch.equal(running(given), expected)


class TestCastOnUse:
    stored = torch.linspace(-1, 1, 12).view(4, 3)
    whole = stored.half().double()

    @pytest.fixture
    def lazy(self) -> CastOnUse:
        return CastOnUse(self.stored.clone(), torch.float16, torch.float64)

    @pytest.mark.parametrize(
        "read",
        [
            lambda t: t + 0,
            lambda t: t.t() @ t,
            lambda t: t[1:, ::2].reshape(-1),
            lambda t: t.unbind(1)[2],
            lambda t: t.view(3, 4).contiguous(),
            lambda t: torch.cat([t, t]),
            lambda t: torch.nn.functional.embedding(torch.tensor([3, 1]), t),
            lambda t: t.index_select(0, torch.tensor([2])),
            lambda t: t[torch.tensor([0, 3])],
            lambda t: t.float(),
            lambda t: t.view(torch.int64),
            lambda t: t.expand(2, 4, 3).sum(0),
            lambda t: t.clone(),
            lambda t: t.norm(dim=1),
        ],
    )
    @pytest.mark.parametrize("inference", [True, False])
    def test_every_reading_gives_the_cast_values(self, lazy: CastOnUse, read: Any, inference: bool) -> None:
        with torch.inference_mode(inference):
            given, expected = read(lazy), read(self.whole)
            assert given.dtype == expected.dtype
            assert torch.equal(given + 0, expected)

    @pytest.mark.parametrize(
        "write",
        [
            lambda t: t.add_(1),
            lambda t: t.copy_(torch.zeros(4, 3)),
            lambda t: t.__setitem__(0, 5.0),
            lambda t: t.t().mul_(2),
            lambda t: t[1].zero_(),
            lambda t: torch.add(torch.ones(4, 3), 1, out=t),
            lambda t: torch._foreach_add_([t], 1),
            lambda t: setattr(t, "data", torch.zeros(4, 3)),
            lambda t: nn.utils.vector_to_parameters(torch.zeros(12), [t]),
            lambda t: t.data.zero_(),
            lambda t: t.share_memory_(),
            lambda t: t.data_ptr(),
            lambda t: t.__dlpack__(),
            np.from_dlpack,
        ],
    )
    def test_no_writing_goes_through(self, lazy: CastOnUse, write: Any) -> None:
        with torch.no_grad(), pytest.raises(RuntimeError):
            write(lazy)
        assert torch.equal(lazy.source, self.stored)


WRITERS = sorted(
    name
    for name in dir(torch.Tensor)
    if name.endswith("_") and not name.endswith("__") and callable(getattr(torch.Tensor, name))
)
HARMLESS = {"requires_grad_", "detach_"}
"""They say something of gradients, and change no value."""

ARGUMENTS: tuple[tuple[Any, ...], ...] = (
    (),
    (2,),
    (torch.full((4, 3), 2.0, dtype=torch.float64),),
    (0, 1),
    (0.5, 0.6),
    (0, torch.tensor([0]), torch.ones(1, 3, dtype=torch.float64)),
    (0, torch.tensor([0]), 5.0),
    (torch.ones(4, 3, dtype=torch.bool), 5.0),
    (torch.ones(4, 3, dtype=torch.float64), torch.ones(4, 3, dtype=torch.float64)),
    ((torch.tensor([0]),), torch.ones(3, dtype=torch.float64)),
    (lambda value: value + 1,),
    (torch.ones(4, 3, dtype=torch.float64), lambda mine, other: mine + other),
)


@pytest.mark.parametrize("name", WRITERS)
def test_nothing_in_place_is_ignored(name: str) -> None:
    """Whatever torch offers in place is refused, or leaves a whole tensor as it was as well."""
    stored = torch.linspace(0.1, 1, 12).view(4, 3)
    for arguments in ARGUMENTS:
        lazy, whole = CastOnUse(stored.clone(), torch.float64), stored.double()
        before = whole.clone()
        try:
            with torch.no_grad():
                getattr(whole, name)(*arguments)
        except (TypeError, RuntimeError, IndexError, ValueError, NotImplementedError):
            continue  # not what this one takes
        is_written = whole.shape != before.shape or not torch.equal(whole, before)
        try:
            with torch.no_grad():
                getattr(lazy, name)(*arguments)
        except (TypeError, RuntimeError, NotImplementedError):
            assert torch.equal(lazy.source, stored)
            continue
        assert name in HARMLESS or not is_written
        assert torch.equal(lazy.source, stored)


def _edited(copy: Encoder) -> Encoder:
    for parameter in copy.model.parameters():
        parameter.requires_grad_(False)
    random = torch.Generator().manual_seed(0)
    for tensor in copy.tensors().values():
        if tensor.is_floating_point():
            difference = torch.randn(tensor.shape, generator=random).to(tensor.dtype) * 0.01
            if isinstance(tensor, CastOnUse):
                tensor.add_on_use(difference)
            else:
                tensor.add_(difference)
    return copy


class TestAdded:
    """What is added on use is seen by whatever reads the tensor, as if it had been added to a whole copy."""

    @pytest.mark.parametrize("name", sorted(CONFIGS))
    @pytest.mark.parametrize(("precision", "weights"), [("float64", "stored"), ("bfloat16", "bfloat16")])
    def test_gives_what_an_edited_copy_gives(
        self, name: str, precision: Precision, weights: Weights, tmp_path: Path
    ) -> None:
        modality: Modality = "image" if name in VISION else "audio" if name in AUDIO else "text"
        encoder = open_encoder(tiny_models.save(name, tmp_path), name=name, modality=modality, device="cpu")
        samples = tiny_models.samples(modality)
        try:
            honest = encoder.at_precision(precision, weights=weights).embed(samples)
        except RuntimeError:
            pytest.skip(f"torch has no kernel for {name} in {precision}")
        copies = [
            encoder.at_precision(precision, weights=weights, run_only=run_only) for run_only in (False, True)
        ]
        found = [_edited(copy).embed(samples) for copy in copies]
        assert torch.equal(*found)
        assert not torch.equal(found[0], honest)

    @pytest.mark.parametrize("name", sorted(CONFIGS))
    def test_in_the_encoders_own_precision_as_well_and_without_its_tensors(
        self, name: str, tmp_path: Path
    ) -> None:
        modality: Modality = "image" if name in VISION else "audio" if name in AUDIO else "text"
        encoder = open_encoder(tiny_models.save(name, tmp_path), name=name, modality=modality, device="cpu")
        samples = tiny_models.samples(modality)
        honest, copy = encoder.embed(samples), encoder.added_on_use()
        assert any(isinstance(tensor, CastOnUse) for tensor in copy.tensors().values())
        assert torch.equal(copy.embed(samples), honest)
        edited = _edited(encoder.duplicate()).embed(samples)
        assert torch.equal(_edited(copy).embed(samples), edited)
        assert not torch.equal(edited, honest)
        assert torch.equal(encoder.embed(samples), honest)

    @pytest.mark.parametrize("alter", [move_one_weight, flip_last_bit])
    def test_simulated_edits_of_one_weight_move_what_real_ones_move(self, alter: Any, module: Any) -> None:
        whole, later = self._moved(module, alter, 0)
        assert float(whole.abs().max()) > 0
        assert torch.allclose(later, whole, rtol=0, atol=0.05 * float(whole.abs().max()))

    def test_simulated_noise_is_of_the_size_of_real_noise(self, module: Any) -> None:
        # drawn otherwise, so it moves other dimensions by as much
        moved = [torch.stack(self._moved(module, add_noise, seed)) for seed in range(8)]
        whole, later = torch.stack(moved).square().sum((0, 2, 3)).sqrt().tolist()
        assert later == pytest.approx(whole, rel=0.2)

    def _moved(self, module: Any, alter: Any, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        encoder = wrap_module(module, tiny_models.tokenizer())
        honest = encoder.at_precision("float64").embed(TEXTS)
        whole, later = (encoder.at_precision("float64", run_only=run_only) for run_only in (False, True))
        for copy in (whole, later):
            alter(copy, 1e-3, seed)
        assert torch.equal(encoder.at_precision("float64").embed(TEXTS), honest)
        return whole.embed(TEXTS) - honest, later.embed(TEXTS) - honest

    def test_goes_where_the_tensor_is(self) -> None:
        later = CastOnUse(torch.zeros(2, 3, device="meta"), torch.float32)
        later.add_on_use(torch.ones(2, 3))
        assert (later + 0).device.type == "meta"

    def test_is_of_whole_copies_of_tensors_that_are_laid_out_otherwise(self, module: Any) -> None:
        weight = module.encoder.layer[0].output.dense.weight
        weight.data = weight.data.t().contiguous().t()
        copy = precision_copy.added_on_use(module)
        altered = copy.encoder.layer[0].output.dense.weight
        assert not isinstance(altered.data, CastOnUse)
        assert altered.data_ptr() != weight.data_ptr()
        assert isinstance(copy.encoder.layer[1].output.dense.weight.data, CastOnUse)

    def test_takes_the_place_of_what_was_added_before(self) -> None:
        later = CastOnUse(torch.zeros(2, 3), torch.float64)
        for value in (1.0, 2.0):
            later.add_on_use(torch.full((2, 3), value / 2), times=2)
        assert torch.equal(later.t() + 0, torch.full((3, 2), 2.0, dtype=torch.float64))
        assert torch.equal(later.detach() + 0, later + 0)
