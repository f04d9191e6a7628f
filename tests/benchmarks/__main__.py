"""Print the figures: ``python -m tests.benchmarks [BENCHMARK ...] [--encoder NAME ...]``."""

import argparse
import sys

from tests.benchmarks import cost, detection, margins, minting
from tests.benchmarks.subjects import KEYS, available

BENCHMARKS = {"minting": minting.run, "margins": margins.run, "detection": detection.run, "cost": cost.run}


def main() -> int:
    """Run the chosen benchmarks; 1 if a figure falls short of its goal."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "benchmarks", nargs="*", metavar="BENCHMARK", help=f"any of {', '.join(BENCHMARKS)}; all by default"
    )
    parser.add_argument(
        "--encoder", action="append", choices=list(KEYS), help="only this one; may be repeated"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.benchmarks) - set(BENCHMARKS):
        parser.error(f"unknown benchmark {', '.join(sorted(unknown))}; choose from {', '.join(BENCHMARKS)}")
    short: list[str] = []
    for name in arguments.benchmarks or BENCHMARKS:
        for subject in available(arguments.encoder or list(KEYS)):
            print(f"\n## {name}: {subject.name}\n", flush=True)
            short += [f"{name}: {subject.name}: {line}" for line in BENCHMARKS[name](subject)]
    print(
        "\n" + "\n".join(f"FALLS SHORT: {line}" for line in short)
        if short
        else "\nAll figures reach their goals."
    )
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
