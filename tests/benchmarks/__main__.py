"""Print the figures: ``python -m tests.benchmarks [BENCHMARK ...] [--encoder NAME ...]``."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import transformers

from hf_integration.base.vocabulary import PRECISIONS
from tests.benchmarks import (
    attackers,
    baselines,
    converted,
    cost,
    coverage,
    deployments,
    detection,
    enforcing,
    extrapolation,
    fleet,
    floors,
    last_bit,
    localisation,
    margins,
    memory,
    minting,
    overhead,
    recipes,
    refusals,
    routing,
    scale,
    stamps,
    storage,
    subjects,
    unused,
    workers,
)
from tests.benchmarks.subjects import KEYS, USUAL, Subject, available

Benchmark = Callable[[Subject], list[str]]

BENCHMARKS: dict[str, Benchmark] = {
    "minting": minting.run,
    "margins": margins.run,
    "detection": detection.run,
    "cost": cost.run,
    "extrapolation": extrapolation.run,
    "coverage": coverage.run,
    "localisation": localisation.run,
}
WITHOUT_ENCODER = {
    **{"refusals": refusals.run, "unused": unused.run, "memory": memory.run, "fleet": fleet.run},
    **{"scale": scale.run},
}
WHEN_NAMED = (
    "floors",
    "storage",
    "last_bit",
    "attackers",
    "attackers_full",
    "deployments",
    "routing",
    "stamps",
    "baselines",
    "converted",
    "recipes",
    "overhead",
    "workers",
    "enforcing",
)
"""They take long, so they run only when they are named."""


def main() -> int:
    """Run the chosen benchmarks; 1 if a figure falls short of its goal."""
    usual = [*BENCHMARKS, "refusals"]
    known = [*BENCHMARKS, *WITHOUT_ENCODER, *WHEN_NAMED]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "benchmarks",
        nargs="*",
        metavar="BENCHMARK",
        help=f"any of {', '.join(known)}; by default {', '.join(usual)}",
    )
    parser.add_argument(
        "--encoder", action="append", choices=list(KEYS), help="only this one; may be repeated"
    )
    parser.add_argument(
        "--precision",
        action="append",
        choices=PRECISIONS,
        help="of floors: only this one; may be repeated; by default those with goals",
    )
    parser.add_argument("--weights", type=int, default=last_bit.WEIGHTS, help="of last_bit: how many")
    parser.add_argument("--checks", type=int, default=200, help="of routing: real checks of each server")
    parser.add_argument(
        "--out", type=Path, help="folder for the results of floors and attackers; by default a new one"
    )
    parser.add_argument(
        "--cards",
        type=Path,
        help="folder in which cards are kept, so that each is minted once and not every time",
    )
    arguments = parser.parse_args()
    subjects.shelf = arguments.cards
    if arguments.weights < 1:
        parser.error(f"--weights {arguments.weights}: at least 1")
    if unknown := set(arguments.benchmarks) - set(known):
        parser.error(f"unknown benchmark {', '.join(sorted(unknown))}; choose from {', '.join(known)}")
    benchmarks: dict[str, Benchmark] = {
        **BENCHMARKS,
        "floors": lambda subject: floors.run(
            subject, precisions=arguments.precision or floors.PRECISIONS, out=arguments.out
        ),
        "storage": storage.run,
        "deployments": deployments.run,
        "stamps": stamps.run,
        "baselines": baselines.run,
        "routing": partial(routing.run, checks=arguments.checks),
        "converted": converted.run,
        "recipes": recipes.run,
        "overhead": overhead.run,
        "workers": workers.run,
        "enforcing": enforcing.run,
        "attackers": partial(attackers.run, folder=arguments.out),
        "attackers_full": partial(attackers.run_full, folder=arguments.out),
        "last_bit": lambda subject: last_bit.run(subject, weights=arguments.weights),
    }
    if "floors" in arguments.benchmarks and arguments.out is None:
        arguments.out = Path(tempfile.mkdtemp(prefix="sslauth-floors-"))
    transformers.logging.disable_progress_bar()
    short: list[str] = []
    for name in arguments.benchmarks or usual:
        if name in WITHOUT_ENCODER:
            print(f"\n## {name}\n", flush=True)
            short += [f"{name}: {line}" for line in WITHOUT_ENCODER[name]()]
            continue
        for subject in available(arguments.encoder or USUAL):
            print(f"\n## {name}: {subject.name}\n", flush=True)
            short += [f"{name}: {subject.name}: {line}" for line in benchmarks[name](subject)]
    if "floors" in arguments.benchmarks:
        short += [f"floors: {line}" for line in floors.finish(arguments.out)]
    short += [
        f"{name}: not measured, its weights or data are not installed"
        for name in dict.fromkeys(subjects.unavailable)
    ]
    print(
        "\n" + "\n".join(f"FALLS SHORT: {line}" for line in short)
        if short
        else "\nAll figures reach their goals."
    )
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
