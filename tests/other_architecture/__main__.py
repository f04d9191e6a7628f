"""Check MiniLM on an emulated 64-bit ARM against a card minted here: ``python -m tests.other_architecture``.

The encoder is checked in float64 and in float32, and has to be authentic. A copy with the last bit of one
covered weight flipped is checked in float64, and has to be altered, with a broken watermark.

Ends with 0 if all of it came out so, with 1 if not, and with 3 if it could not be run here.
"""

import json
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hf_integration import WatermarkCard, load_encoder
from hf_integration.base.progress import Silent
from hf_integration.base.vocabulary import Precision
from hf_integration.cli import main as sslauth
from hf_integration.coverage.measurement import measure_sensitivities
from tests.benchmarks.last_bit.sampling import covered_places, draw, weights_of
from tests.other_architecture.arm import AbsentError, Machine, prepare
from tests.real_encoders.minilm import MISSING, minilm_folder

KEYS = 8
NOT_RUN = 3
AUTHENTIC, ALTERED = ("authentic", 0), ("altered", 1)
"""Verdict and exit status."""


def main() -> int:
    encoder = minilm_folder()
    if encoder is None:
        return _not_run(MISSING)
    if platform.machine() in ("aarch64", "arm64"):
        return _not_run("this machine is an ARM itself: run tests/real_encoders on it")
    try:
        machine = prepare()
    except AbsentError as error:
        return _not_run(str(error))
    with tempfile.TemporaryDirectory() as place:
        return 1 if _wrong(machine, encoder, Path(place)) else 0


def _not_run(reason: str) -> int:
    print(f"not run: {reason}")
    return NOT_RUN


def _wrong(machine: Machine, encoder: Path, place: Path) -> list[str]:
    """Print a line for each check, and give those lines that came out wrong."""
    card = place / "card"
    minting = ["mint", str(encoder), "--keys", str(KEYS), "--out", str(card), "--quiet"]
    status = sslauth([*minting, "--output", str(place / "minted")])
    if status:
        return [f"sslauth mint ended with {status}"]
    altered, what = _with_one_bit_flipped(encoder, card, place / "altered")
    wrong = []
    checks: tuple[tuple[str, Path, Precision], ...] = (
        ("unaltered", encoder, "float64"),
        ("unaltered", encoder, "float32"),
        (what, altered, "float64"),
    )
    for name, folder, precision in checks:
        started = time.perf_counter()
        found = _verify(machine, folder, card, precision, place)
        line = f"{_said(found)}, {time.perf_counter() - started:,.0f} s: {name}"
        right = _is(found, AUTHENTIC if folder == encoder else ALTERED)
        print(line if right else f"WRONG {line}", flush=True)
        wrong += [] if right else [line]
    return wrong


def _with_one_bit_flipped(encoder: Path, card: Path, copy: Path) -> tuple[Path, str]:
    """A copy of a folder with the last bit of one covered weight flipped, and which one that is."""
    loaded = load_encoder(str(encoder), device="cpu")
    measured = measure_sensitivities(WatermarkCard.load(card), loaded, thorough=None, progress=Silent())
    (weight,) = draw(covered_places(weights_of(loaded), measured["float64"]), 1, seed=0)
    shutil.copytree(encoder, copy)
    file = copy / "model.safetensors"
    content = bytearray(file.read_bytes())
    length = int.from_bytes(content[:8], "little")
    first, _ = json.loads(content[8 : 8 + length])[weight.tensor]["data_offsets"]
    content[8 + length + first + 4 * weight.place] ^= 1
    file.write_bytes(content)
    return copy, f"the last bit of weight {weight.place:,} of {weight.tensor} flipped"


def _verify(machine: Machine, folder: Path, card: Path, precision: str, place: Path) -> dict[str, Any]:
    """What ``sslauth verify`` finds on the emulated machine; an empty dictionary where it found nothing."""
    said = place / "verdict.json"
    said.unlink(missing_ok=True)
    arguments = [str(folder), "--card", str(card), "--precision", precision, "--format", "json"]
    ended = machine.run("-m", "hf_integration.cli", "verify", *arguments, "--output", str(said), home=place)
    if not said.exists():
        print(f"sslauth verify ended with {ended.returncode}: {ended.stderr.strip()}", file=sys.stderr)
        return {}
    return {**json.loads(said.read_text()), "exit status": ended.returncode}


def _is(found: dict[str, Any], wanted: tuple[str, int]) -> bool:
    """Whether an ARM found this with this exit status; an alteration has to show in the watermark as well."""
    if not found or found["environment"]["platform"] != "Linux aarch64":
        return False
    intact = all(strip["intact"] for strip in found["strips"])
    return (found["status"], found["exit status"]) == wanted and intact == (wanted == AUTHENTIC)


def _said(found: dict[str, Any]) -> str:
    if not found:
        return "no verdict"
    where = found["environment"]
    margin = "no margin" if found["margin"] is None else f"margin {found['margin']:.2g}"
    broken = sum(not strip["intact"] for strip in found["strips"])
    return (
        f"{where['platform']}, torch {where['torch']}, {found['precision']}: {found['status']}, {margin}, "
        f"{broken} of {len(found['strips'])} strips broken"
    )


if __name__ == "__main__":
    sys.exit(main())
