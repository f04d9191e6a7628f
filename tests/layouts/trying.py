"""Try every edit of a layout: it is refused, found, or named; none passes without a word."""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hf_integration import WatermarkCard
from hf_integration.authentication import Authenticator
from hf_integration.base.errors import SSLAuthError
from hf_integration.base.vocabulary import Modality
from hf_integration.encoders import Encoder, open_encoder
from hf_integration.verdict import Verdict
from tests.layouts.edits import Edit, edits_of

ENDS = ("refused", "altered", "inconclusive", "named", "SILENT")


class Named(Protocol):
    """A layout, as far as it matters here."""

    @property
    def name(self) -> str: ...

    @property
    def modality(self) -> Modality: ...


@dataclass
class Tried:
    """What came of all edits of one layout.

    Attributes:
        layout: its name.
        ends: how many edits ended in which way.
        silent: edits that passed without a word.
    """

    layout: str
    ends: Counter[str] = field(default_factory=Counter)
    silent: list[str] = field(default_factory=list)

    def line(self) -> str:
        """A row of the table."""
        counts = "  ".join(f"{self.ends[end]:5d}" for end in ENDS)
        return f"{self.layout:18s} {sum(self.ends.values()):6d}  {counts}"


HEAD = f"{'layout':18s} {'edits':>6s}  " + "  ".join(f"{end[:5]:>5s}" for end in ENDS)


def try_all(
    layout: Named, folder: Path, card: WatermarkCard, *, every: int = 1, edits: Iterable[Edit] | None = None
) -> Tried:
    """Make every edit in a copy of the folder, check the copy, and take the edit back.

    Args:
        layout: what the folder is.
        folder: the encoder as it was minted.
        card: its card.
        every: try one of so many edits only.
        edits: these; by default all that there are.
    """
    copy = Path(shutil.copytree(folder, folder.parent / "edited"))
    tried = Tried(layout.name)
    for place, edit in enumerate(edits_of(folder) if edits is None else edits):
        if place % every:
            continue
        _apply(edit, copy)
        end = _end(edit, layout, copy, card)
        tried.ends[end] += 1
        if end == "SILENT":
            tried.silent.append(f"{layout.name}: {'/'.join(edit.files)}: {edit.thing}: {edit.what}")
        _take_back(edit, folder, copy)
    return tried


def _end(edit: Edit, layout: Named, copy: Path, card: WatermarkCard) -> str:
    try:
        encoder: Encoder = open_encoder(copy, name="edited", device="cpu", modality=layout.modality)
        verdict = Authenticator(card=card, trust="local", precision="float32").authenticate(encoder).verdict
    except SSLAuthError:
        return "refused"
    if verdict.status != "authentic":
        return verdict.status
    return "named" if any(edit.is_named_in(line) for line in _said(verdict)) else "SILENT"


def _said(verdict: Verdict) -> Iterator[str]:
    yield from (*verdict.files.notes, *verdict.files.not_covered)


def _apply(edit: Edit, copy: Path) -> None:
    for name, content in edit.files.items():
        if content is None:
            (copy / name).unlink()
        else:
            (copy / name).parent.mkdir(exist_ok=True)  # it stays, empty: nobody's business
            (copy / name).write_bytes(content)


def _take_back(edit: Edit, folder: Path, copy: Path) -> None:
    for name in edit.files:
        if (folder / name).exists():
            shutil.copyfile(folder / name, copy / name)
        else:
            (copy / name).unlink()
