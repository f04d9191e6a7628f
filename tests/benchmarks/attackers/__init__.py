"""What a public card cannot stop, and an unseen private one can: attackers who pin its key samples.

Goal: every attack that works is seen by the private card in float64 and in float32. What the public card sees
is printed and has no goal, as its key samples are in the attacker's hands.
"""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hf_integration.base.vocabulary import Modality
from hf_integration.card import WatermarkCard
from tests.benchmarks.attackers import settings
from tests.benchmarks.attackers.attacks import Attack, attacks, attacks_on_full
from tests.benchmarks.attackers.cards import full_card, private_card, public_cards
from tests.benchmarks.attackers.full_set import left_free
from tests.benchmarks.attackers.measure import Row, measure
from tests.benchmarks.attackers.output import EXPLANATION, HEAD, cells, line, write
from tests.benchmarks.subjects import Subject

SLOW: tuple[Modality, ...] = ("audio",)
"""Where a hundred runs of a card take hours."""


def run(subject: Subject, folder: Path | None = None) -> list[str]:
    """Mint, attack, measure; print every row as it comes.

    Args:
        subject: the encoder.
        folder: for the results as JSON and Markdown, and for the cards, which a later run takes from there.
    """
    if refused := _too_slow(subject):
        return refused
    place, cards = _places(subject, folder)
    public, private = public_cards(subject.encoder, cards), private_card(subject.encoder, cards)
    planned = attacks(subject.encoder, public[settings.MOST].key_samples, settings.SIZES)
    return _measured(subject, place, subject.name, planned, public, private)


def run_full(subject: Subject, folder: Path | None = None) -> list[str]:
    """The same for attackers of a card that was minted with ``--keys full``, against another such."""
    if refused := _too_slow(subject):
        return refused
    place, cards = _places(subject, folder)
    encoder = subject.encoder
    public, private = full_card(encoder, cards), full_card(encoder, cards, secret=True)
    samples = public.key_samples
    planned = attacks_on_full(encoder, samples)
    return _measured(
        subject,
        place,
        f"{subject.name}-full",
        planned,
        {len(samples): public},
        private,
        left_free(encoder, samples),
    )


def _measured(
    subject: Subject,
    place: Path,
    name: str,
    planned: Iterable[Attack],
    public: Mapping[int, WatermarkCard],
    private: WatermarkCard,
    remarks: Sequence[str] = (),
) -> list[str]:
    print(f"{EXPLANATION}\n\n{line(HEAD)}", flush=True)
    rows: list[Row] = []
    for attack in planned:
        rows.append(measure(attack, subject.encoder, public, private))
        print(line(cells(rows[-1])), flush=True)
        write(rows, name, place, remarks)  # a run that is ended early leaves what it has
    for reason in dict.fromkeys(row.failed for row in rows if row.failed):
        print(f"impossible: {reason}")
    print("\n".join([*remarks, f"\nJSON and Markdown: {place}"]), flush=True)
    return [f"{row.attacker}, {row.effort}: private card, {p}" for row in rows for p in _unseen(row)]


def _too_slow(subject: Subject) -> list[str]:
    modality = subject.encoder.modality
    return [f"not measured: {modality} takes hours"] if modality in SLOW else []


def _places(subject: Subject, folder: Path | None) -> tuple[Path, Path]:
    place = folder or Path(tempfile.mkdtemp(prefix="sslauth-attackers-"))
    cards = place / "cards" / subject.name
    cards.mkdir(parents=True, exist_ok=True)
    return place, cards


def _unseen(row: Row) -> list[str]:
    return [p for p in settings.PRECISIONS if row.verdict == "works" and not row.private[p] > 1]
