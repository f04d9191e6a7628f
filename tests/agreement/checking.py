"""A layout from end to end: minted, authentic from its folder and in memory, and every edit of it found."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from hf_integration import WatermarkCard
from hf_integration.authentication import Authenticator
from hf_integration.encoders import Encoder, open_encoder, wrap_module
from hf_integration.verdict import Verdict
from tests.agreement.building import Layout
from tests.agreement.comparing import loaded
from tests.layouts import building
from tests.layouts.trying import Tried, try_all
from tests.tiny_cards import mint_quickly


def minted(layout: Layout, place: Path) -> tuple[Path, WatermarkCard]:
    """The folder of a layout and its card.

    Args:
        layout: one that is not refused.
        place: an empty folder.
    """
    layout.save(place / "base", place / "encoder")
    _, card = mint_quickly(place / "encoder", place / "card", modality=layout.modality)
    return place / "encoder", card


def verdict_of(card: WatermarkCard, encoder: Encoder) -> Verdict:
    """The verdict of the strict check."""
    return Authenticator(card=card, trust="local").authenticate(encoder).verdict


def some_parameters(model: Any) -> Iterator[tuple[str, Tensor]]:
    """Every parameter around the model in an object of the library, and the first of the model."""
    model.requires_grad_(False)
    inner = 0
    for name, parameter in model.named_parameters():
        inner += name.startswith("0.")
        if not name.startswith("0.") or inner == 1:
            yield name, parameter


def edits_tried(layout: Layout, folder: Path, card: WatermarkCard, *, every: int) -> Tried:
    """What comes of one of so many edits of the folder."""
    described = building.Layout(layout.name, layout.modality, lambda _: None)  # it was written before
    return try_all(described, folder, card, every=every)


def problems(layout: Layout, place: Path, *, every: int) -> Iterator[str]:
    """What is not as it should be, a line each.

    Args:
        layout: one that is not refused.
        place: an empty folder.
        every: one of so many edits is tried; 0 for none.
    """
    folder, card = minted(layout, place)
    found = verdict_of(card, open_encoder(folder, name=layout.name, device="cpu", modality=layout.modality))
    if found.status != "authentic":
        yield f"{layout.name}: the folder is {found.status}: {found.reason}"
    if layout.in_memory:
        model: Any = loaded(layout, folder)
        found = verdict_of(card, wrap_module(model, modality=layout.modality))
        if found.status != layout.in_memory or (found.authentic and found.process):
            yield f"{layout.name}: in memory it is {found.status}: {found.reason} {'; '.join(found.process)}"
        for name, parameter in some_parameters(model) if found.authentic else ():
            first = parameter.view(-1)[:1]
            kept = first.clone()
            first.mul_(1.5).add_(1e-3)
            found = verdict_of(card, wrap_module(model, modality=layout.modality))
            if found.status != "altered":
                yield f"{layout.name}: in memory, with {name} altered, it is {found.status}"
            first.copy_(kept)
    if every:
        tried = edits_tried(layout, folder, card, every=every)
        yield from tried.silent
        if not tried.ends["altered"]:
            yield f"{layout.name}: no edit was found"
