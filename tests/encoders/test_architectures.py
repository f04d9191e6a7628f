"""Every supported architecture: saved to a folder, opened, and held against transformers itself."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from torch import Tensor
from torch.nn import functional as F

from hf_integration.authentication.evidence import compared_files
from hf_integration.base.vocabulary import PRECISIONS
from hf_integration.encoders import Encoder, open_encoder
from hf_integration.encoders.identity.folder_record import FolderRecord
from hf_integration.encoders.identity.provenance import built_from
from hf_integration.encoders.identity.tensor_digests import digest_tensors
from hf_integration.encoders.modalities.families import FAMILIES, Family
from hf_integration.encoders.modalities.recipes import Recipe, output_named
from tests.encoders import tiny_models
from tests.encoders.tiny_models import AUDIO, TEXT, TEXTS, VISION, images, waves

CASES = [
    *((name, "text") for name in (*TEXT, "clip", "siglip")),
    *((name, "image") for name in (*VISION, "clip", "siglip")),
    *((name, "audio") for name in AUDIO),
]


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    @cache
    def save(name: str) -> Path:
        return tiny_models.save(name, tmp_path_factory.mktemp(name))

    return save


@cache
def opened(folder: Path, modality: Any) -> Encoder:
    return open_encoder(folder, name=folder.name, modality=modality, device="cpu")


def strips(encoder: Encoder, samples: Any, **options: Any) -> dict[str, Tensor]:
    batches = list(encoder.observe(samples, **options))
    place = torch.tensor([index for batch in batches for index in batch.indices]).argsort()
    return {
        name: torch.cat([batch.features[name] for batch in batches])[place] for name in batches[0].features
    }


@torch.inference_mode()
def documented_embedding(folder: Path, name: str, modality: str) -> Tensor:
    """The embedding that the architecture documents, one sample at a time, by transformers alone."""
    if modality == "text":
        return torch.cat([_text(folder, name, text) for text in TEXTS])
    if modality == "image":
        processor = hf.AutoImageProcessor.from_pretrained(folder, backend="pil")
        return torch.cat([_image(folder, name, processor(image, return_tensors="pt")) for image in images()])
    extractor = hf.AutoFeatureExtractor.from_pretrained(folder)
    return torch.cat([_audio(folder, name, extractor, wave.samples / np.float32(32768)) for wave in waves()])


@cache
def _model(kind: str, folder: Path) -> Any:
    return getattr(hf, kind).from_pretrained(folder).eval()


def _text(folder: Path, name: str, text: str) -> Tensor:
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    if name == "siglip":
        inputs = tokenizer(text, return_tensors="pt", padding="max_length", max_length=40)
        result: Tensor = (
            _model("SiglipModel", folder).get_text_features(input_ids=inputs.input_ids).pooler_output
        )
        return result
    inputs = tokenizer(text, return_tensors="pt")
    inputs.pop("token_type_ids", None)
    if name == "clip":
        projected: Tensor = _model("CLIPModel", folder).get_text_features(**inputs).pooler_output
        return projected
    mean: Tensor = _model("AutoModel", folder)(**inputs).last_hidden_state.mean(1)
    return mean


def _image(folder: Path, name: str, inputs: Any) -> Tensor:
    if name in ("clip", "siglip"):
        kind = "CLIPModel" if name == "clip" else "SiglipModel"
        features: Tensor = _model(kind, folder).get_image_features(**inputs).pooler_output
        return features
    pooled: Tensor = _model("AutoModel", folder)(**inputs).pooler_output.flatten(1)
    return pooled


def _audio(folder: Path, name: str, extractor: Any, wave: Any) -> Tensor:
    inputs = extractor(wave, sampling_rate=16_000, return_tensors="pt")
    if name == "whisper":
        states = _model("WhisperModel", folder).encoder(inputs.input_features).last_hidden_state
        mean: Tensor = states[:, : len(wave) // 320].mean(1)
        return mean
    result: Tensor = _model("AutoModel", folder)(inputs.input_values).last_hidden_state.mean(1)
    return result


@pytest.mark.parametrize(("name", "modality"), CASES)
class TestEveryArchitecture:
    def test_gives_its_documented_embedding(
        self, name: str, modality: str, folder_of: Callable[[str], Path]
    ) -> None:
        encoder = opened(folder_of(name), modality)
        expected = documented_embedding(folder_of(name), name, modality)
        embeddings = encoder.embed(tiny_models.samples(modality))
        assert embeddings.shape == (4, encoder.description.embedding_dim)
        torch.testing.assert_close(embeddings, expected, rtol=1e-4, atol=1e-5)

    def test_gives_strips_from_the_processor_to_the_normalised_embedding(
        self, name: str, modality: str, folder_of: Callable[[str], Path]
    ) -> None:
        encoder = opened(folder_of(name), modality)
        found = strips(encoder, tiny_models.samples(modality))
        layer = "stage" if name in ("resnet", "convnext", "swin", "swinv2") else "layer"
        assert list(found) == ["processor", "input embedding", f"{layer} 1", f"{layer} 2", "embedding"]
        assert all(strip.dtype == torch.float64 and len(strip) == 4 for strip in found.values())
        embeddings = encoder.embed(tiny_models.samples(modality)).double()
        torch.testing.assert_close(found["embedding"], F.normalize(embeddings), rtol=1e-4, atol=1e-6)

    def test_shows_no_code_that_was_put_there(
        self, name: str, modality: str, folder_of: Callable[[str], Path]
    ) -> None:
        encoder = opened(folder_of(name), modality)
        strips(encoder, tiny_models.samples(modality))
        assert encoder.in_process_changes() == ()
        assert built_from(encoder.model)  # none would be compared with nothing

    def test_does_not_depend_on_batches(
        self, name: str, modality: str, folder_of: Callable[[str], Path]
    ) -> None:
        encoder = opened(folder_of(name), modality).at_precision("float64")
        one = strips(encoder, tiny_models.samples(modality), batch_size=1)
        for options in ({"batch_size": 3}, {"batch_size": 4, "order": [3, 0, 2, 1]}):
            other = strips(encoder, tiny_models.samples(modality), **options)
            for strip, features in one.items():
                torch.testing.assert_close(other[strip], features, rtol=1e-12, atol=1e-12)

    def test_computes_in_every_precision(
        self, name: str, modality: str, folder_of: Callable[[str], Path]
    ) -> None:
        encoder = opened(folder_of(name), modality)
        reference = strips(encoder, tiny_models.samples(modality))["embedding"]
        assert encoder.at_precision("float32") is encoder
        for precision in PRECISIONS:
            other = encoder.at_precision(precision)
            assert str(next(other.model.parameters()).dtype) == f"torch.{precision}"
            found = strips(other, tiny_models.samples(modality))["embedding"]
            limit = 0.2 if precision == "bfloat16" else 0.03 if precision == "float16" else 1e-5
            assert 0 <= (found - reference).norm(dim=1).max() < limit

    def test_is_the_same_after_saving_and_loading(
        self, name: str, modality: str, folder_of: Callable[[str], Path], tmp_path: Path
    ) -> None:
        encoder = opened(folder_of(name), modality)
        kind = tiny_models.CONFIGS[name][1]
        dtype = torch.float64 if name == "bert" else torch.float32
        _model(kind, folder_of(name)).to(dtype).save_pretrained(tmp_path, max_shard_size="20KB")
        _model.cache_clear()
        encoder.processor.save_pretrained(tmp_path)
        again = open_encoder(tmp_path, name="again", modality=modality, device="cpu")  # type: ignore[arg-type]
        assert digest_tensors(again.tensors()) == digest_tensors(encoder.tensors())
        found = compared_files(again, encoder.behaviour(), encoder.folder or FolderRecord())
        assert (found.changed, found.derived) == ((), ())

    def test_counts_exactly_the_tensors_that_move_the_strips(
        self, name: str, modality: str, folder_of: Callable[[str], Path]
    ) -> None:
        encoder = opened(folder_of(name), modality).at_precision("float64").duplicate()
        samples = tiny_models.samples(modality)[:1]
        before = strips(encoder, samples)["embedding"]
        for tensor_name, tensor in encoder.tensors().items():
            if not tensor.is_floating_point():
                continue
            kept = tensor.clone()
            tensor.mul_(1.5).add_(torch.linspace(0.1, 1, tensor.numel(), dtype=tensor.dtype).view_as(tensor))
            after = strips(encoder, samples)["embedding"]
            tensor.copy_(kept)
            # A key's bias shifts all scores alike; the rest must show.
            if not (
                "k_proj.bias" in tensor_name or ".key.bias" in tensor_name or "k_lin.bias" in tensor_name
            ):
                assert (after - before).abs().max() > 0, tensor_name


def test_an_entry_and_its_recipe_are_all_that_a_family_needs(
    folder_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def recipe(config: Any, _pooler: bool) -> Recipe:
        return Recipe("the pooler", config.hidden_size, output_named("pooler_output"))

    monkeypatch.setitem(FAMILIES, "bert", (Family("text", "AutoModel", recipe),))
    folder = folder_of("bert")
    encoder = open_encoder(folder, name="bert", device="cpu")
    tokens = hf.AutoTokenizer.from_pretrained(folder)(TEXTS[0], return_tensors="pt")
    pooled = hf.AutoModel.from_pretrained(folder).eval()(**tokens).pooler_output
    assert encoder.description.pooling == "the pooler"
    assert torch.allclose(encoder.embed(TEXTS[:1]).float(), pooled, atol=1e-6)
