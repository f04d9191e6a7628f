"""A small vision encoder trained by SimCLR on Fashion-MNIST, as a transformers folder.

SimCLR (https://arxiv.org/abs/2002.05709): two random views of each image must find each other among
those of a batch. Followed: crop, flip and colour jitter, a projection head that is thrown away, the NT-Xent
loss. Departed: a ResNet of three basic blocks on 32 pixels, Adam, minutes instead of days.

    python -m tests.real_encoders.simclr
"""

import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.real_encoders.cache import cached_folder
from tests.real_encoders.fashion import MISSING, fashion, fashion_is_installed
from tests.real_encoders.training import Say, build, embed, pixels, random_view, say_nothing

IMAGES, EPOCHS, BATCH = 5_120, 6, 128
TEMPERATURE = 0.2

_FOLDER = "simclr-fashion-v2"


def simclr_folder(say: Say = say_nothing) -> Path | None:
    """Cached folder of a ``ResNetModel`` with its processor; None where the images are not installed.

    Args:
        say: is given a line per epoch while training.
    """
    if not fashion_is_installed():
        return None
    return cached_folder(_FOLDER, partial(build, say=say, new_encoder=new_encoder, train=train)) / "encoder"


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
    contrast(encoder, nn.Sequential(nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 64)), say, epochs=EPOCHS)


def contrast(encoder: Any, head: nn.Module, say: Say, *, epochs: int, most_rate: float = 2e-3) -> None:
    """Train an encoder under a head that is thrown away, in place.

    Args:
        encoder: a vision model with a pooled output; parameters that are frozen stay as they are.
        head: features ``(n, dim)`` to what is contrasted.
        say: is given a line per epoch.
        epochs: passes over the images.
        most_rate: learning rate after the warm-up.
    """
    images = pixels(fashion("train", IMAGES)[0])
    parameters = [p for p in (*encoder.parameters(), *head.parameters()) if p.requires_grad]
    optimiser = torch.optim.Adam(parameters, lr=1e-3)
    steps = epochs * (IMAGES // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=most_rate, total_steps=steps)
    encoder.train()
    for epoch in range(epochs):
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
        say(f"epoch {epoch + 1}/{epochs}: loss {total / len(batches):.3f} ({seconds:.0f} s)")
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


if __name__ == "__main__":
    print(simclr_folder(say=lambda line: print(line, flush=True)) or MISSING)
