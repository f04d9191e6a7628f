"""What minting takes and gives: seconds, bytes, margins and floors."""

import time
from pathlib import Path

from hf_integration import load_encoder, mint
from tests.benchmarks.subjects import KEYS, Subject

MOST_SECONDS = {"minilm": 60.0}
MOST_BYTES = 5_000_000


def run(subject: Subject) -> list[str]:
    """Mint once, timed with loading, as ``sslauth mint`` would."""
    started = time.perf_counter()
    mint(load_encoder(str(subject.folder), device="cpu"), keys=KEYS[subject.name])
    seconds = time.perf_counter() - started
    card = subject.card
    size = sum(file.stat().st_size for file in Path(card.location).iterdir())
    print(f"keys {KEYS[subject.name]}, seconds {seconds:.1f}, bytes {size:,}")
    for reference in card.references:
        pair = f"{reference.weights:>9} {reference.precision:>9}"
        print(f"{pair} margin of held-out benign runs {reference.benign_margin:.1f}")
    for precision, kinds in card.floor.items():
        for kind, magnitude in kinds.items():
            print(f"{precision:>9} smallest detected: {kind}: {magnitude}")
    short = []
    if seconds > MOST_SECONDS.get(subject.name, float("inf")):
        short.append(f"minting took {seconds:.0f} s, the goal is {MOST_SECONDS[subject.name]:.0f} s")
    if size > MOST_BYTES:
        short.append(f"the card takes {size:,} bytes, the goal is {MOST_BYTES:,}")
    return short
