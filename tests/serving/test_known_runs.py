"""What minting ran anyway says of a deployment what runs made for it would say."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from hf_integration.authentication import observe_sketches
from hf_integration.authentication.reconstruction import EMBEDDINGS
from hf_integration.base.progress import Silent
from hf_integration.encoders import open_encoder
from hf_integration.encoders.running import precision_copy
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.presets import preset, presets
from hf_integration.serving.recipe import PLAIN
from hf_integration.serving.recording import serve
from hf_integration.serving.yardstick import Known, measure, measured_already
from tests.encoders import tiny_models
from tests.encoders.test_sentence_folders import write
from tests.encoders.tiny_models import AUDIO, CONFIGS, VISION

SAMPLES = KeySamples([f"{text} {place}" for place in range(4) for text in tiny_models.TEXTS], origin="test")
SENTENCES = {"pooled": ["Pooling"], "pooled and normalised": ["Pooling", "Normalize"]}


def opened(name: str, folder: Path) -> TorchEncoder:
    where = write(folder, *SENTENCES[name]) if name in SENTENCES else tiny_models.save(name, folder)
    encoder = open_encoder(where, name=name, modality="text", device="cpu")
    assert isinstance(encoder, TorchEncoder)
    return encoder


def known_of(encoder: TorchEncoder, few: int = 8) -> Known:
    """What minting observes anyway: all key samples in float64, the first of them in float32."""
    strict = observe_sketches(encoder.at_precision("float64"), SAMPLES, seed=0, embeddings=True)
    benign = observe_sketches(encoder, SAMPLES[:few], seed=0, embeddings=True, batch_size=1)
    return Known(strict[EMBEDDINGS], (benign[EMBEDDINGS],))


@pytest.mark.parametrize("name", [*sorted(set(CONFIGS) - set(VISION) - set(AUDIO)), *SENTENCES])
def test_the_exact_answers_are_those_of_a_run_of_their_own(name: str, tmp_path: Path) -> None:
    encoder = opened(name, tmp_path)
    if name in tiny_models.LEAKING:
        encoder.never_pad()
    wanted = measure(encoder, PLAIN, SAMPLES, some=slice(8))
    found = measured_already(encoder, PLAIN, SAMPLES, known_of(encoder))
    assert torch.allclose(found.exact, wanted.exact, rtol=0, atol=1e-12)
    assert wanted.size / 8 < found.size < wanted.size * 8
    assert found.away == wanted.away == ()


def test_lengths_are_those_that_users_get(tmp_path: Path) -> None:
    encoder = opened("pooled", tmp_path)
    exact = known_of(encoder).exact
    assert torch.allclose(exact.float(), encoder.embed(list(SAMPLES)), rtol=0, atol=1e-5)
    assert not torch.allclose(exact, F.normalize(exact, dim=1), rtol=0, atol=1e-3)


def test_only_a_recipe_that_embeds_and_no_more_is_spared_its_runs(tmp_path: Path) -> None:
    encoder = opened("pooled and normalised", tmp_path)
    recipes = [preset("torch"), preset("bfloat16")]
    exact = torch.full((len(SAMPLES), encoder.description.embedding_dim), 2.0, dtype=torch.float64)
    made_up = Known(exact, (exact[:8] + 1e-7,))
    served = serve(encoder, SAMPLES, recipes, seed=0, known=made_up, progress=Silent())
    assert served is not None
    by_name = {name: answers for answers in served.answers for name in answers.names}
    assert torch.equal(by_name["torch"].embeddings, exact.float())
    assert not torch.equal(by_name["bfloat16"].embeddings, exact.float())


@pytest.mark.parametrize("name", sorted(presets()))
def test_the_floor_of_any_recipe_is_that_of_copies_whose_weights_are_written_to(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, found = opened("bert", tmp_path), []
    for large in (1, 1 << 62):
        monkeypatch.setattr(precision_copy, "LARGE", large)
        served = serve(encoder, SAMPLES, [preset(name)], seed=0, progress=Silent())
        assert served is not None
        found.append(served.answers[0].floor)
    added, written = found
    # the noise is drawn otherwise, and is tried at magnitudes that are three and a third times apart
    assert added is not None
    assert written is not None
    assert written / 4 < added < 4 * written
