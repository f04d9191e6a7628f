"""What comes of a layout: it works from minting to the last altered setting, is refused, or is wrong."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from hf_integration.authentication import Authenticator
from hf_integration.base.errors import SSLAuthError, in_one_line
from hf_integration.encoders import load_encoder, wrap_module
from tests.encoders import tiny_models
from tests.layouts.edits import Edit, edits_of
from tests.layouts.trying import try_all
from tests.tiny_cards import mint_quickly
from tests.zoo.documented import SENTENCES, documented, in_memory
from tests.zoo.layout import Layout

State = Literal["works", "refused", "WRONG"]

CLOSE = 1e-6
"""Largest difference from the library's own use, in float64."""

_SETTINGS = ("config.json", "preprocessor_config.json", "processor_config.json", "tokenizer_config.json")


@dataclass(frozen=True)
class Outcome:
    """What came of one layout.

    Attributes:
        layout: the layout.
        state: the outcome.
        said: why, or what was measured.
    """

    layout: Layout
    state: State
    said: str

    def line(self) -> str:
        """A row of the table."""
        return f"{self.layout.name:40s} {self.layout.modality:6s} {self.state:8s} {self.said}"


def check(layout: Layout, *, edits: bool = True) -> Outcome:
    """Build, mint, verify, compare with the library, alter each tensor and each setting once.

    Args:
        layout: the layout.
        edits: whether anything is altered.
    """
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        try:
            layout.write(root / "encoder")
            return _checked(layout, root, edits=edits)
        except Exception as error:  # of the library as well: one layout keeps no other from being checked
            said = in_one_line(error).replace(str(root), "")
            refused = bool(layout.refused) and isinstance(error, SSLAuthError) and layout.refused in said
            return Outcome(layout, "refused" if refused else "WRONG", said)


def _checked(layout: Layout, root: Path, *, edits: bool) -> Outcome:
    folder = root / "encoder"
    encoder, card = mint_quickly(
        folder, root / "card", modality=layout.modality, ignore_remote_code=layout.remote_code
    )
    if layout.refused:
        return Outcome(layout, "WRONG", f"works, and should be refused: {layout.refused}")
    again = load_encoder(str(folder), device="cpu", modality=layout.modality)
    verdict = Authenticator(card=card, trust="local", precision="float32").authenticate(again).verdict
    if verdict.status != "authentic":
        return Outcome(layout, "WRONG", f"{verdict.status} unaltered: {verdict.reason}")
    samples = tiny_models.samples(layout.modality)
    ours = encoder.at_precision("float64").embed(samples)
    theirs = documented(layout, folder, samples)
    if ours.shape != theirs.shape:
        return Outcome(layout, "WRONG", f"gives {tuple(ours.shape)}, the library {tuple(theirs.shape)}")
    difference = float((ours - theirs).abs().max())
    if not difference <= CLOSE or not bool(torch.isfinite(ours).all()):
        return Outcome(layout, "WRONG", f"differs from the library's own use by {difference:.1e}")
    if layout.in_memory and layout.use != SENTENCES:
        there = wrap_module(*in_memory(layout, folder), preferred=card.encoder)
        verdict = Authenticator(card=card, trust="local").authenticate(there).verdict
        if verdict.status != "authentic":
            return Outcome(layout, "WRONG", f"{verdict.status} in memory: {verdict.reason}")
    tried = try_all(layout, folder, card, edits=_edits(folder) if edits else ())
    if tried.silent:
        return Outcome(layout, "WRONG", f"silent: {'; '.join(tried.silent)}")
    ends = ", ".join(f"{count} {end}" for end, count in sorted(tried.ends.items())) or "none tried"
    said = f"{encoder.description.pooling}; differs by {difference:.0e}; edits: {ends}"
    return Outcome(layout, "works", said)


def _edits(folder: Path) -> Iterator[Edit]:
    """The value of every tensor, and of every setting."""
    for edit in edits_of(folder):
        (name, *_) = edit.files
        if edit.what == "value changed" and (name.endswith(".safetensors") or name in _SETTINGS):
            yield edit
