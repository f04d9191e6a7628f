"""Print the figures: ``python -m tests.benchmarks [BENCHMARK ...] [--encoder NAME ...]``."""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import transformers

from tests.benchmarks import (
    attackers,
    cost,
    coverage,
    detection,
    extrapolation,
    localisation,
    margins,
    minting,
    refusals,
)
from tests.benchmarks.subjects import KEYS, Subject, available

Benchmark = Callable[[Subject], list[str]]

BENCHMARKS: dict[str, Benchmark] = {
    "minting": minting.run,
    "margins": margins.run,
    "detection": detection.run,
    "cost": cost.run,
    "extrapolation": extrapolation.run,
    "coverage": coverage.run,
    "localisation": localisation.run,
    "attackers": attackers.run,
}
WITHOUT_ENCODER = {"refusals": refusals.run}


def main() -> int:
    """Run the chosen benchmarks; 1 if a figure falls short of its goal."""
    known = [*BENCHMARKS, *WITHOUT_ENCODER]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "benchmarks", nargs="*", metavar="BENCHMARK", help=f"any of {', '.join(known)}; all by default"
    )
    parser.add_argument(
        "--encoder", action="append", choices=list(KEYS), help="only this one; may be repeated"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="results and cards of 'attackers'; a temporary folder by default",
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.benchmarks) - set(known):
        parser.error(f"unknown benchmark {', '.join(sorted(unknown))}; choose from {', '.join(known)}")
    benchmarks: dict[str, Benchmark] = {
        **BENCHMARKS,
        "attackers": partial(attackers.run, folder=arguments.out),
    }
    transformers.logging.disable_progress_bar()
    short: list[str] = []
    for name in arguments.benchmarks or known:
        if name in WITHOUT_ENCODER:
            print(f"\n## {name}\n", flush=True)
            short += [f"{name}: {line}" for line in WITHOUT_ENCODER[name]()]
            continue
        for subject in available(arguments.encoder or list(KEYS)):
            print(f"\n## {name}: {subject.name}\n", flush=True)
            short += [f"{name}: {subject.name}: {line}" for line in benchmarks[name](subject)]
    print(
        "\n" + "\n".join(f"FALLS SHORT: {line}" for line in short)
        if short
        else "\nAll figures reach their goals."
    )
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
