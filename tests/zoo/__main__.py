"""Print what comes of every layout: ``python -m tests.zoo [NAME...]``. Ends with 1 if one is wrong."""

import argparse
import sys
from collections import Counter

import torch

from tests.zoo.checking import Outcome, check
from tests.zoo.layouts import PART, layouts
from tests.zoo.most_used import share


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.zoo")
    parser.add_argument("names", nargs="*", help="only layouts whose name contains one of these")
    parser.add_argument("--part", choices=["CI"], help="only those that CI checks")
    parser.add_argument("--share", default="1/1", help="every N-th layout from the K-th on, as K/N")
    parser.add_argument("--without-edits", action="store_true", help="alter nothing, which takes a third")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    first, step = map(int, given.share.split("/"))
    outcomes: list[Outcome] = []
    for layout in list(layouts())[first - 1 :: step]:
        if given.names and not any(name.lower() in layout.name.lower() for name in given.names):
            continue
        if given.part and layout.name not in PART:
            continue
        outcomes.append(check(layout, edits=not given.without_edits))
        print(outcomes[-1].line(), flush=True)
    print(summary(outcomes))
    print(share({outcome.layout.name: outcome.state for outcome in outcomes}))
    return 1 if any(outcome.state == "WRONG" for outcome in outcomes) else 0


def summary(outcomes: list[Outcome]) -> str:
    """How many ended in which way."""
    counts = Counter(str(outcome.state) for outcome in outcomes)
    states = ("works", "refused", "WRONG")
    return f"{len(outcomes)} layouts: " + ", ".join(f"{counts[state]} {state}" for state in states)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
