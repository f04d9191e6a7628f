"""A small vision transformer trained by DINO on Fashion-MNIST, as a transformers folder.

DINO (https://arxiv.org/abs/2104.14294): a student must say of one view what its own slow average, the
teacher, says of another, over prototypes that nobody named. Followed: two large crops and small ones that
only the student sees, centred and sharpened targets, a momentum teacher which is what is kept, no labels.
Departed: a transformer of six narrow layers on 32 pixels, minutes instead of days.

    python -m tests.real_encoders.dino
"""

import copy
import math
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.real_encoders.cache import cached_folder
from tests.real_encoders.fashion import MISSING, fashion, fashion_is_installed
from tests.real_encoders.training import SIDE, Say, build, embed, pixels, random_view, say_nothing

IMAGES, EPOCHS, BATCH = 5_120, 8, 64
WIDTH, LAYERS, PATCH = 128, 6, 8
PROTOTYPES = 256
LEARNING_RATE, WEIGHT_DECAY = 1e-3, 0.04
STUDENT_TEMPERATURE, TEACHER_TEMPERATURE = 0.1, 0.04
CENTRE_MOMENTUM, TEACHER_MOMENTUM = 0.9, 0.99
SMALL_CROPS, SMALL_SIDE, SMALL_SCALES = 4, 16, (0.3, 0.6)

_FOLDER = "dino-fashion-v1"


def dino_folder(say: Say = say_nothing) -> Path | None:
    """Cached folder of a ``ViTModel`` with its processor; None where the images are not installed.

    Args:
        say: is given a line per epoch while training.
    """
    if not fashion_is_installed():
        return None
    return cached_folder(_FOLDER, partial(build, say=say, new_encoder=new_encoder, train=train)) / "encoder"


def new_encoder() -> Any:
    """A ``ViTModel`` of 16 patches that gives 128 numbers per image, from its pooler."""
    from transformers import ViTConfig, ViTModel

    return ViTModel(
        ViTConfig(
            image_size=SIDE,
            patch_size=PATCH,
            hidden_size=WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=4,
            intermediate_size=4 * WIDTH,
        )
    )


class Head(nn.Module):
    """Scores of the prototypes: a bottleneck of unit norm, then a linear layer with rows of unit norm."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow = nn.Sequential(nn.Linear(WIDTH, 256), nn.GELU(), nn.Linear(256, 64))
        self.prototypes = nn.Parameter(torch.randn(PROTOTYPES, 64))

    def forward(self, features: Tensor) -> Tensor:
        """Features ``(n, WIDTH)`` to cosines ``(n, PROTOTYPES)``."""
        return F.normalize(self.narrow(features), dim=1) @ F.normalize(self.prototypes, dim=1).T


def train(encoder: Any, say: Say) -> None:
    """Train a student and its slow average; the average is left in ``encoder``, in evaluation mode."""
    images = pixels(fashion("train", IMAGES)[0])
    teacher, teacher_head = encoder.eval(), Head()
    student, head = copy.deepcopy(encoder).train(), copy.deepcopy(teacher_head)
    mine, slow = (
        [*student.parameters(), *head.parameters()],
        [*teacher.parameters(), *teacher_head.parameters()],
    )
    optimiser = torch.optim.AdamW(mine, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = EPOCHS * (IMAGES // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=LEARNING_RATE, total_steps=steps, pct_start=0.1
    )
    centre, step = torch.zeros(PROTOTYPES), 0
    for epoch in range(EPOCHS):
        began, total = time.perf_counter(), 0.0
        for batch in torch.randperm(IMAGES)[: IMAGES // BATCH * BATCH].view(-1, BATCH):
            large = torch.cat([random_view(images[batch]) for _ in range(2)])
            small = [
                random_view(images[batch], side=SMALL_SIDE, scales=SMALL_SCALES) for _ in range(SMALL_CROPS)
            ]
            with torch.no_grad():
                scores = teacher_head(embed(teacher, large))
                targets = ((scores - centre) / TEACHER_TEMPERATURE).softmax(1).chunk(2)
                centre = CENTRE_MOMENTUM * centre + (1 - CENTRE_MOMENTUM) * scores.mean(0)
            seen = head(embed(student, large)).chunk(2)
            glimpsed = head(embed(student, torch.cat(small), interpolate_pos_encoding=True)).chunk(
                SMALL_CROPS
            )
            loss = agreement(targets, [*seen, *glimpsed])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(mine, 3.0)
            optimiser.step()
            schedule.step()
            step += 1
            momentum = 1 - (1 - TEACHER_MOMENTUM) * (1 + math.cos(math.pi * step / steps)) / 2
            with torch.no_grad():
                for average, current in zip(slow, mine, strict=True):
                    average.lerp_(current, 1 - momentum)
            total += loss.item()
        seconds = time.perf_counter() - began
        say(f"epoch {epoch + 1}/{EPOCHS}: loss {total * EPOCHS / steps:.3f} ({seconds:.0f} s)")


def agreement(targets: tuple[Tensor, ...], scores: list[Tensor]) -> Tensor:
    """Mean cross entropy of the student's views under the teacher's, no view against itself.

    Args:
        targets: the teacher's probabilities of each large crop, ``(n, PROTOTYPES)`` each.
        scores: the student's cosines, of the large crops in the same order and then of the small ones.
    """
    terms = [
        -(target * (score / STUDENT_TEMPERATURE).log_softmax(1)).sum(1).mean()
        for place, target in enumerate(targets)
        for other, score in enumerate(scores)
        if other != place
    ]
    return torch.stack(terms).mean()


if __name__ == "__main__":
    print(dino_folder(say=lambda line: print(line, flush=True)) or MISSING)
