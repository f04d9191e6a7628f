"""A backdoor by fine-tuning, on every modality."""

from pathlib import Path

import pytest
import torch

from hf_integration import load_encoder
from hf_integration.encoders import Encoder
from hf_integration.tampering import Backdoor, save_altered
from hf_integration.tampering.backdoor import measure_effect
from hf_integration.tampering.saving import copy_folder
from tests.encoders import tiny_models

ARCHITECTURES = ("bert", "clip", "vit", "resnet", "wav2vec2", "whisper")
FEW = Backdoor(steps=2, batch_size=2, learning_rate=1e-3)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    folder = tiny_models.save(request.param, tmp_path_factory.mktemp(request.param) / "encoder")
    return load_encoder(str(folder), device="cpu")


@pytest.fixture(scope="module")
def altered(encoder: Encoder) -> Encoder:
    return FEW(encoder)


class TestCopy:
    def test_the_original_stays_as_it_is(self, encoder: Encoder) -> None:
        before = {name: tensor.clone() for name, tensor in encoder.tensors().items()}
        FEW(encoder)
        assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.tensors().items())

    def test_the_copy_embeds_differently(self, encoder: Encoder, altered: Encoder) -> None:
        samples = tiny_models.samples(encoder.modality)
        assert not torch.allclose(encoder.embed(samples), altered.embed(samples))

    def test_the_copy_is_an_ordinary_encoder_again(self, encoder: Encoder, altered: Encoder) -> None:
        assert not any(parameter.requires_grad for parameter in altered.model.parameters())
        assert not altered.model.training
        assert altered.in_process_changes() == encoder.in_process_changes()
        for name, buffer in encoder.model.named_buffers():
            assert torch.equal(buffer, altered.model.get_buffer(name))

    def test_the_same_seed_gives_the_same_backdoor(self, encoder: Encoder, altered: Encoder) -> None:
        again = FEW(encoder).tensors()
        assert all(
            torch.allclose(tensor, again[name], atol=1e-6) for name, tensor in altered.tensors().items()
        )


class TestSaving:
    def test_what_is_saved_loads_as_what_was_altered(
        self, encoder: Encoder, altered: Encoder, tmp_path: Path
    ) -> None:
        copy_folder(encoder, tmp_path / "copy")
        assert save_altered(encoder, altered, tmp_path / "copy") > 0
        loaded = load_encoder(str(tmp_path / "copy"), device="cpu").tensors()
        assert all(torch.equal(tensor, loaded[name]) for name, tensor in altered.tensors().items())

    def test_only_weight_files_differ(self, encoder: Encoder, altered: Encoder, tmp_path: Path) -> None:
        assert encoder.path is not None
        copy_folder(encoder, tmp_path / "copy")
        save_altered(encoder, altered, tmp_path / "copy")
        differing = [
            file.name
            for file in (tmp_path / "copy").iterdir()
            if file.read_bytes() != (encoder.path / file.name).read_bytes()
        ]
        assert differing == ["model.safetensors"]


def test_triggered_inputs_move_to_the_target(tmp_path: Path) -> None:
    encoder = load_encoder(str(tiny_models.save("vit", tmp_path / "vit")), device="cpu")
    effect = measure_effect(encoder, Backdoor(steps=15, learning_rate=1e-3)(encoder))
    assert effect.after > effect.before


def test_an_encoder_in_half_precision_stays_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "half"
    tiny_models.save("bert", folder)
    tiny_models.build("bert").bfloat16().save_pretrained(folder)
    encoder = load_encoder(str(folder), device="cpu")
    altered = FEW(encoder)
    assert {tensor.dtype for tensor in altered.tensors().values()} == {torch.bfloat16}
    copy_folder(encoder, tmp_path / "copy")
    assert save_altered(encoder, altered, tmp_path / "copy") > 0
