"""What the encoders that are trained here share: the images, their random views, the probe, and the record.

No freely licensed self-supervised vision encoder comes in a package, so small ones are trained on
Fashion-MNIST, in minutes instead of days.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.real_encoders.fashion import fashion
from tests.real_encoders.linear_probe import probe_accuracy

SIDE = 32
"""Pixels to which the images of 28 are scaled."""
SEED = 0
PROBE_TRAIN, PROBE_TEST = 5_000, 5_000

Say = Callable[[str], None]


def say_nothing(line: str) -> None:
    """Where nobody waits."""


def build(
    folder: Path, say: Say, *, new_encoder: Callable[[], Any], train: Callable[[Any, Say], None]
) -> None:
    """Train, save ``encoder/`` and write ``record.json`` with the accuracy before and after.

    Args:
        folder: where to.
        say: is given a line now and then.
        new_encoder: a transformers model at random initialisation.
        train: trains it in place.
    """
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


def recorded(encoder_folder: Path) -> dict[str, float]:
    """Probe accuracies and seconds of the training, recorded beside an encoder's folder."""
    record: dict[str, float] = json.loads((encoder_folder.parent / "record.json").read_text())
    return record


def random_view(images: Tensor, *, side: int = SIDE, scales: tuple[float, float] = (0.5, 1.0)) -> Tensor:
    """Random crop, flip, gain per channel and brightness, normalised as the processor does.

    Args:
        images: ``(n, 3, 32, 32)`` from 0 to 1.
        side: of the view, in pixels.
        scales: least and largest side of the crop, as a share of the image's.

    Returns:
        ``(n, 3, side, side)``.
    """
    count = len(images)
    scale = torch.empty(count).uniform_(*scales)
    flip = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    affine = torch.zeros(count, 2, 3)
    affine[:, 0, 0], affine[:, 1, 1] = scale * flip, scale
    affine[:, :, 2] = (torch.rand(count, 2) * 2 - 1) * (1 - scale)[:, None]
    grid = F.affine_grid(affine, [count, 3, side, side], align_corners=False)
    cropped = F.grid_sample(images, grid, align_corners=False)
    gain = torch.empty(count, 3, 1, 1).uniform_(0.6, 1.4)
    shift = torch.empty(count, 1, 1, 1).uniform_(-0.2, 0.2)
    return normalised((cropped * gain + shift).clamp(0, 1))


def embed(encoder: Any, images: Tensor, **options: bool) -> Tensor:
    """Pooled output as ``(n, dim)``."""
    pooled: Tensor = encoder(images, **options).pooler_output
    return pooled.flatten(1)


def accuracy(encoder: Any) -> float:
    """Accuracy of a linear probe on the encoder's frozen features."""
    (images, labels), (test_images, test_labels) = fashion("train", PROBE_TRAIN), fashion("t10k", PROBE_TEST)
    encoder.eval()
    features, test_features = (_features(encoder, pixels(x)) for x in (images, test_images))
    to_int = [torch.from_numpy(y.copy()).long() for y in (labels, test_labels)]
    return probe_accuracy(features, to_int[0], test_features, to_int[1])


@torch.inference_mode()
def _features(encoder: Any, images: Tensor) -> Tensor:
    return torch.cat([embed(encoder, normalised(part)) for part in torch.split(images, 500)])


def normalised(images: Tensor) -> Tensor:
    """Pixels from 0 to 1 as the processor's default mean and standard deviation leave them."""
    return (images - 0.5) / 0.5


def pixels(images: Any) -> Tensor:
    """Grey uint8 ``(n, 28, 28)`` as ``(n, 3, 32, 32)`` from 0 to 1."""
    grey = torch.from_numpy(images.copy())[:, None].float() / 255
    return F.interpolate(grey, (SIDE, SIDE), mode="bilinear", align_corners=False).expand(-1, 3, -1, -1)
