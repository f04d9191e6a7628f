"""The real encoders load with plain transformers and are what they claim to be."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.real_encoders import contrastive_vit, fashion, minilm, simclr, speech, whisper
from tests.real_encoders.cache import cached_folder
from tests.real_encoders.linear_probe import probe_accuracy
from tests.real_encoders.training import accuracy, recorded

LEAST_GAIN = 0.01
"""Of the linear probe's accuracy, by training."""


def test_minilm_knows_which_sentences_are_alike() -> None:
    from transformers import AutoModel, AutoTokenizer

    folder = minilm.minilm_folder()
    if folder is None:
        pytest.skip(minilm.MISSING)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    texts = ["A cat sits on the mat.", "A kitten rests on a rug.", "Stock markets fell sharply."]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden, mask = model(**batch).last_hidden_state, batch["attention_mask"][..., None]
    unit = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)
    similarity = unit @ unit.T
    assert similarity[0, 1] > 0.5
    assert similarity[0, 2] < 0.2


def test_whisper_gives_finite_frames_that_tell_prompts_apart() -> None:
    folder = whisper.whisper_folder()
    if folder is None:
        pytest.skip(whisper.MISSING)
    prompts = speech.speech_samples(2)
    if prompts is None:
        pytest.skip(speech.MISSING)
    waves = [prompt.samples / 32768 for prompt in prompts]
    frames = whisper.embed_frames(folder, waves, sampling_rate=prompts[0].sampling_rate)
    assert frames.shape == (2, 1500, 384)
    assert frames.isfinite().all()
    assert (frames[0] - frames[1])[:50].norm() > 0.3 * frames[0][:50].norm()


@pytest.mark.parametrize("trained", [simclr.simclr_folder, contrastive_vit.vit_folder], ids=["simclr", "vit"])
class TestTrainedHere:
    @pytest.fixture
    def folder(self, trained: Callable[[], Path | None]) -> Path:
        folder = trained()
        if folder is None:
            pytest.skip(fashion.MISSING)
        return folder

    def test_training_beats_random_initialisation(self, folder: Path) -> None:
        record = recorded(folder)
        assert record["trained"] > record["random"] + LEAST_GAIN

    def test_the_folder_holds_what_was_probed(self, folder: Path) -> None:
        from transformers import AutoModel

        encoder = AutoModel.from_pretrained(folder, dtype=torch.float32)
        assert accuracy(encoder) == pytest.approx(recorded(folder)["trained"], abs=0.005)

    def test_the_processor_prepares_images_as_in_training(self, folder: Path) -> None:
        from transformers import AutoImageProcessor

        processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
        images = fashion.fashion_images(2)
        assert images is not None
        pixels = processor(images=images, return_tensors="pt")["pixel_values"]
        assert pixels.shape == (2, 3, 32, 32)
        assert pixels.min() == -1
        assert pixels.max() <= 1


def test_a_vision_transformer_trained_here_keeps_its_pooler() -> None:
    from transformers import AutoModel

    folder = contrastive_vit.vit_folder()
    if folder is None:
        pytest.skip(fashion.MISSING)
    _, info = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"]


def test_the_loss_is_low_only_when_views_find_each_other() -> None:
    views = torch.eye(4).repeat(2, 1)
    assert simclr.nt_xent(views, 0.1) < 0.01
    assert simclr.nt_xent(views[[0, 1, 2, 3, 1, 2, 3, 0]], 0.1) > 5


def test_the_probe_separates_what_a_line_separates() -> None:
    features = torch.tensor([[0.0, 1], [0.1, 1], [5, 1], [5.1, 1]]).repeat(5, 1)
    labels = torch.tensor([0, 0, 1, 1]).repeat(5)
    assert probe_accuracy(features, labels, features, labels) == 1
    assert probe_accuracy(features, labels, features, 1 - labels) == 0


def test_speech_and_images_are_raw_samples() -> None:
    prompts, images = speech.speech_samples(3, sampling_rate=8000), fashion.fashion_images(3)
    if prompts is None or images is None:
        pytest.skip(f"{speech.MISSING} or {fashion.MISSING}")
    assert all(prompt.samples.dtype == np.int16 and len(prompt.samples) >= 8000 for prompt in prompts)
    assert all(image.dtype == np.uint8 and image.shape == (28, 28, 3) for image in images)


BUILD_SLOWLY = """
import os, time
from tests.real_encoders.cache import cached_folder

def build(folder):
    time.sleep(0.5)
    (folder / "builder").write_text(str(os.getpid()))

print((cached_folder("x-v1", build) / "builder").read_text())
"""


class TestCache:
    @pytest.fixture(autouse=True)
    def root(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("SSLAUTH_TEST_CACHE", str(tmp_path / "cache"))
        return tmp_path / "cache"

    def test_two_processes_build_once(self) -> None:
        command = [sys.executable, "-c", BUILD_SLOWLY]
        here = Path(__file__).parents[2]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=here) for _ in range(2)]
        builders = {process.communicate(timeout=60)[0] for process in processes}
        assert len(builders) == 1
        assert int(builders.pop()) in {process.pid for process in processes}

    def test_a_build_that_fails_leaves_nothing(self, root: Path) -> None:
        def fail(folder: Path) -> None:
            (folder / "half").touch()
            raise RuntimeError("stopped")

        with pytest.raises(RuntimeError, match="stopped"):
            cached_folder("y-v1", fail)
        assert [path.name for path in root.iterdir()] == [".y-v1.lock"]
