"""The real encoders that figures are taken on, each with a freshly minted card."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from hf_integration import WatermarkCard, load_encoder, mint
from hf_integration.encoders import Encoder
from tests.benchmarks.scale import random_bert
from tests.real_encoders.contrastive_vit import vit_folder
from tests.real_encoders.minilm import minilm_folder
from tests.real_encoders.simclr import simclr_folder
from tests.real_encoders.whisper import whisper_folder


def bert_base_folder() -> Path | None:
    """A new folder with a BERT-base of random weights, the same every time."""
    if minilm_folder() is None:
        return None  # its tokenizer is needed
    folder = Path(tempfile.mkdtemp(prefix="sslauth-benchmark-"))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        random_bert(folder, {})
    return folder


FOLDERS: dict[str, Callable[[], Path | None]] = {
    "bert-base": bert_base_folder,
    "minilm": minilm_folder,
    "simclr": simclr_folder,
    "vit": vit_folder,
    "whisper": whisper_folder,
}
KEYS = {"bert-base": 64, "minilm": 64, "simclr": 64, "vit": 64, "whisper": 8}
"""Whisper computes on 30 seconds whatever a clip's length: more keys would take far longer to mint."""

USUAL = tuple(name for name in KEYS if name != "bert-base")
"""Those that are taken where none is named: minting a BERT-base takes minutes, and its weights are random."""


@dataclass(frozen=True)
class Subject:
    """One real encoder.

    Attributes:
        name: short name.
        folder: where it is stored.
    """

    name: str
    folder: Path

    @cached_property
    def encoder(self) -> Encoder:
        return load_encoder(str(self.folder), device="cpu")

    @cached_property
    def card(self) -> WatermarkCard:
        """Minted once per process, or once for all where cards are kept; written and read as users would."""
        place = (shelf or Path(tempfile.mkdtemp(prefix="sslauth-benchmark-"))) / self.name
        if place.exists():
            card = WatermarkCard.load(place)
            print(f"with the card {place}, minted {card.created}", flush=True)
            return card
        return mint(self.encoder, keys=KEYS[self.name]).save(place)


shelf: Path | None = None
"""Where cards are kept from one run to the next, if they are: minting Whisper's takes half an hour."""

unavailable: list[str] = []
"""Encoders that were asked for and cannot be had here, so that nothing was measured on them."""

_subjects: dict[str, Subject] = {}


def available(names: Sequence[str]) -> Iterator[Subject]:
    """The named encoders, as far as their weights can be had on this machine."""
    for name in names:
        if name not in _subjects:
            folder = FOLDERS[name]()
            if folder is None:
                unavailable.append(name)
                continue
            _subjects[name] = Subject(name, folder)
        yield _subjects[name]
