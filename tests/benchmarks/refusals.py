"""How long cards built to be slow take to refuse. Goal: a second each."""

import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from hf_integration import WatermarkCard
from hf_integration.base.errors import CardError
from tests.card.hostile import DENSE
from tests.card.synthetic_cards import make_card

GOAL = 1.0
REPEATS = 3


def run() -> list[str]:
    """Print the seconds of each refusal, the best of a few, and of loading the card before it was damaged."""
    short = []
    with tempfile.TemporaryDirectory(prefix="sslauth-benchmark-") as scratch:
        good = Path(scratch, "good")
        make_card().save(good)
        print(f"{'the card undamaged':28}{_seconds(good):8.3f}")
        for name, damage in DENSE.items():
            folder = Path(shutil.copytree(good, Path(scratch, "damaged")))
            damage(folder)
            seconds = _seconds(folder)
            print(f"{name:28}{seconds:8.3f}", flush=True)
            if seconds > GOAL:
                short.append(f"{name}: {seconds:.2f} s, goal {GOAL}")
            shutil.rmtree(folder)
    return short


def _seconds(folder: Path) -> float:
    """Of the best of a few: what the work takes without what else the machine does."""
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        with suppress(CardError):
            WatermarkCard.load(folder)
        taken.append(time.perf_counter() - started)
    return min(taken)
