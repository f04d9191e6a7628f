"""What a public card cannot stop, and an unseen private one can: attackers who pin its key samples.

Goal: every attack that works is seen by the private card in float64 and in float32. What the public card sees
is printed and has no goal, as its key samples are in the attacker's hands.
"""

import tempfile
from pathlib import Path

from hf_integration.key_samples.interface import Modality
from tests.benchmarks.attackers import settings
from tests.benchmarks.attackers.attacks import attacks
from tests.benchmarks.attackers.cards import private_card, public_cards
from tests.benchmarks.attackers.full_set import full_set
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
    encoder = subject.encoder
    if encoder.modality in SLOW:
        return [f"not measured: {encoder.modality} takes hours"]
    place = folder or Path(tempfile.mkdtemp(prefix="sslauth-attackers-"))
    cards = place / "cards" / subject.name
    cards.mkdir(parents=True, exist_ok=True)
    public, private = public_cards(encoder, cards), private_card(encoder, cards)
    print(f"{EXPLANATION}\n\n{line(HEAD)}", flush=True)
    rows: list[Row] = []
    for attack in attacks(encoder, public[settings.MOST].key_samples, settings.SIZES):
        rows.append(measure(attack, encoder, public, private))
        print(line(cells(rows[-1])), flush=True)
        write(rows, subject.name, place)  # a run that is ended early leaves what it has
    for reason in dict.fromkeys(row.failed for row in rows if row.failed):
        print(f"impossible: {reason}")
    if encoder.modality == "text":
        said = full_set(encoder, public[settings.MOST].key_samples)
        print("\n".join(said))
        write(rows, subject.name, place, said)
    print(f"\nJSON and Markdown: {place}")
    return [f"{row.attacker}, {row.effort}: private card, {p}" for row in rows for p in _unseen(row)]


def _unseen(row: Row) -> list[str]:
    return [p for p in settings.PRECISIONS if row.verdict == "works" and not row.private[p] > 1]
