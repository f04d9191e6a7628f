"""A small vision encoder trained by SimCLR on Fashion-MNIST, as a transformers folder.

SimCLR (https://arxiv.org/abs/2002.05709): two random views of each image must find each other among
those of a batch. Followed: crop, flip and colour jitter, a projection head that is thrown away, the NT-Xent
loss. Departed: a ResNet of three basic blocks on 32 pixels, Adam, minutes instead of days, since no freely
licensed self-supervised vision encoder comes in a package.

    python -m tests.real_encoders.simclr
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.real_encoders.cache import cached_folder
from tests.real_encoders.fashion import MISSING, fashion, fashion_is_installed
from tests.real_encoders.linear_probe import probe_accuracy

SIDE = 32
SEED = 0
IMAGES, EPOCHS, BATCH = 5_120, 6, 128
TEMPERATURE = 0.2
PROBE_TRAIN, PROBE_TEST = 5_000, 5_000

_FOLDER = "simclr-fashion-v2"

Say = Callable[[str], None]


def _say_nothing(line: str) -> None:
    """Where nobody waits."""


def simclr_folder(say: Say = _say_nothing) -> Path | None:
    """Cached folder of a ``ResNetModel`` with its processor; None where the images are not installed.

    Args:
        say: is given a line per epoch while training.
    """
    if not fashion_is_installed():
        return None
    return cached_folder(_FOLDER, lambda folder: build(folder, say)) / "encoder"


def simclr_record() -> dict[str, float]:
    """Probe accuracies and seconds of the training, recorded beside the encoder's folder."""
    folder = simclr_folder()
    if folder is None:
        raise FileNotFoundError(MISSING)
    record: dict[str, float] = json.loads((folder.parent / "record.json").read_text())
    return record


def build(folder: Path, say: Say) -> None:
    """Train, save ``encoder/`` and write ``record.json`` with the accuracy before and after."""
    from transformers import ViTImageProcessorPil

    began = time.perf_counter()
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        # The order of additions, and so the weights, depends on the number of threads; and layers this
        # small gain little from a second one, but lose much to it on a busy machine.
        torch.set_num_threads(1)
        try:
            torch.manual_seed(SEED)
            encoder = new_encoder()
            random_accuracy = accuracy(encoder)
            say(f"linear probe at random initialisation: {random_accuracy:.3f}")
            train(encoder, say)
            trained_accuracy = accuracy(encoder)
        finally:
            torch.set_num_threads(threads)
    seconds = time.perf_counter() - began
    say(f"linear probe after training: {trained_accuracy:.3f} ({seconds:.0f} s)")
    encoder.save_pretrained(folder / "encoder")
    ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder / "encoder")
    record = {"random": random_accuracy, "trained": trained_accuracy, "seconds": seconds}
    (folder / "record.json").write_text(json.dumps(record))


def new_encoder() -> Any:
    """A ``ResNetModel`` that gives 256 numbers per image.

    Three stages, not four: 32 pixels become 2 x 2 positions. At 1 x 1 the outer weights of every last filter
    would see nothing but padding.
    """
    from transformers import ResNetConfig, ResNetModel

    return ResNetModel(
        ResNetConfig(embedding_size=32, hidden_sizes=[64, 128, 256], depths=[1, 1, 1], layer_type="basic")
    )


def train(encoder: Any, say: Say) -> None:
    """Minimise the NT-Xent loss over random views, in place; leaves the encoder in evaluation mode."""
    images = _pixels(fashion("train", IMAGES)[0])
    head = nn.Sequential(nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 64))
    parameters = [*encoder.parameters(), *head.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=1e-3)
    steps = EPOCHS * (IMAGES // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=2e-3, total_steps=steps)
    encoder.train()
    for epoch in range(EPOCHS):
        began, total = time.perf_counter(), 0.0
        batches = torch.randperm(IMAGES)[: IMAGES // BATCH * BATCH].view(-1, BATCH)
        for batch in batches:
            views = torch.cat([random_view(images[batch]), random_view(images[batch])])
            loss = nt_xent(head(embed(encoder, views)), TEMPERATURE)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += loss.item()
        seconds = time.perf_counter() - began
        say(f"epoch {epoch + 1}/{EPOCHS}: loss {total / len(batches):.3f} ({seconds:.0f} s)")
    encoder.eval()


def nt_xent(projections: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross entropy.

    Args:
        projections: ``(2 * n, dim)``; rows ``i`` and ``i + n`` are views of one image.
        temperature: of the softmax over the other rows.
    """
    unit = F.normalize(projections, dim=1)
    similarity = unit @ unit.T / temperature
    similarity = similarity.fill_diagonal_(float("-inf"))
    count = len(projections) // 2
    partner = torch.arange(2 * count).roll(count)
    return F.cross_entropy(similarity, partner)


def random_view(images: Tensor) -> Tensor:
    """Random crop, flip, gain per channel and brightness, normalised as the processor does.

    Args:
        images: ``(n, 3, 32, 32)`` from 0 to 1.
    """
    count = len(images)
    scale = torch.empty(count).uniform_(0.5, 1)
    flip = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    affine = torch.zeros(count, 2, 3)
    affine[:, 0, 0], affine[:, 1, 1] = scale * flip, scale
    affine[:, :, 2] = (torch.rand(count, 2) * 2 - 1) * (1 - scale)[:, None]
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    cropped = F.grid_sample(images, grid, align_corners=False)
    gain = torch.empty(count, 3, 1, 1).uniform_(0.6, 1.4)
    shift = torch.empty(count, 1, 1, 1).uniform_(-0.2, 0.2)
    return _normalised((cropped * gain + shift).clamp(0, 1))


def embed(encoder: Any, images: Tensor) -> Tensor:
    """Pooled output as ``(n, 256)``."""
    pooled: Tensor = encoder(images).pooler_output
    return pooled.flatten(1)


def accuracy(encoder: Any) -> float:
    """Accuracy of a linear probe on the encoder's frozen features."""
    (images, labels), (test_images, test_labels) = fashion("train", PROBE_TRAIN), fashion("t10k", PROBE_TEST)
    encoder.eval()
    features, test_features = (_features(encoder, _pixels(x)) for x in (images, test_images))
    to_int = [torch.from_numpy(y.copy()).long() for y in (labels, test_labels)]
    return probe_accuracy(features, to_int[0], test_features, to_int[1])


@torch.inference_mode()
def _features(encoder: Any, images: Tensor) -> Tensor:
    return torch.cat([embed(encoder, _normalised(part)) for part in torch.split(images, 500)])


def _normalised(images: Tensor) -> Tensor:
    return (images - 0.5) / 0.5  # the processor's default mean and standard deviation


def _pixels(images: Any) -> Tensor:
    """Grey uint8 ``(n, 28, 28)`` as ``(n, 3, 32, 32)`` from 0 to 1."""
    grey = torch.from_numpy(images.copy())[:, None].float() / 255
    return F.interpolate(grey, (SIDE, SIDE), mode="bilinear", align_corners=False).expand(-1, 3, -1, -1)


if __name__ == "__main__":
    print(simclr_folder(say=lambda line: print(line, flush=True)) or MISSING)
