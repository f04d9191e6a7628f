"""Every family of timm's architectures is embedded as timm itself embeds.

``SSLAUTH_TIMM=all`` takes one architecture of each, the smallest, at its real size; otherwise only those that
timm has for tests, which are small.
"""

import os
from pathlib import Path

import pytest
import torch

from hf_integration import load_encoder
from hf_integration.base.vocabulary import EMBEDDING_STRIP
from tests.encoders import tiny_models
from tests.with_timm import timm_or_skip
from tests.zoo.timm_models import embedded_by_timm, write_as_timm

timm = timm_or_skip()

LARGEST = 135_000_000
"""Parameters; a larger encoder is left out."""

TRIED = 20
"""Architectures of a family among which the smallest is looked for, as each has to be built."""


def _smallest() -> list[str]:
    found = []
    for family in timm.list_modules():
        sizes = {}
        for name in timm.list_models(module=family)[:TRIED]:
            with torch.device("meta"):
                model = timm.create_model(name, num_classes=0)
            sizes[name] = sum(parameter.numel() for parameter in model.parameters())
        least = min(sizes, key=sizes.__getitem__, default=None)
        if least is not None and sizes[least] <= LARGEST:
            found.append(least)
    return found


NAMES = _smallest() if os.environ.get("SSLAUTH_TIMM") == "all" else timm.list_models("test_*")


@pytest.mark.parametrize("name", NAMES)
def test_an_architecture_is_embedded_as_by_timm(name: str, tmp_path: Path) -> None:
    write_as_timm(tmp_path / "encoder", name=name, arguments={})
    samples = tiny_models.images(2)
    encoder = load_encoder(str(tmp_path / "encoder"), device="cpu").at_precision("float64")
    ours, theirs = encoder.embed(samples), embedded_by_timm(tmp_path / "encoder", samples)
    assert ours.shape == theirs.shape
    length = float(theirs.norm(dim=1).max())
    assert float((ours - theirs).norm(dim=1).max()) <= 1e-6 * length
    # what a check compares is what users get, and the blocks on the way are there
    (batch,) = encoder.observe(samples)
    assert batch.embedding is not None
    assert torch.allclose(batch.embedding, theirs, rtol=0, atol=1e-6 * length)
    assert "state 1" in batch.features
    assert EMBEDDING_STRIP in batch.features


def test_the_families_are_many() -> None:
    assert len(NAMES) >= (90 if os.environ.get("SSLAUTH_TIMM") == "all" else 10)
