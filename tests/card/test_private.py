"""What a private card keeps to itself, also where a test that uses it fails."""

import subprocess
import sys
from pathlib import Path

from tests.card.synthetic_cards import make_card

FAILING = """
from dataclasses import replace
from pathlib import Path
from hf_integration import WatermarkCard

CARD = WatermarkCard.load(Path(__file__).parent / "card")

def test_it_is_not_another():
    assert CARD == replace(CARD, seed=2, digest="another")

def test_it_is_none():
    assert CARD is None

def test_its_generator_is_none():
    assert CARD.generator is None

def test_its_samples_are_none():
    assert CARD.key_samples is None
"""


def test_no_failing_assertion_tells_its_seed_or_its_samples(tmp_path: Path) -> None:
    card = make_card("text", secret=True).save(tmp_path / "card")
    (tmp_path / "test_failing.py").write_text(FAILING)
    command = [sys.executable, "-m", "pytest", "-vv", "-p", "no:cacheprovider", "test_failing.py"]
    log = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert "4 failed" in log
    assert "private watermark card for 'org/encoder'" in log
    assert str(card.seed) not in log
    assert not [sample for sample in card.key_samples if str(sample) in log]
