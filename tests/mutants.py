"""The share of mutants that survived: ``python -m tests.mutants`` after ``mutmut run``; see tox.ini.

A mutant that survives is a line of the core that could be wrong without any test noticing. Most of those that
are left are no other program (a dtype that is promoted anyway, a name in another case): ``mutmut show NAME``.
"""

import json
import sys
from collections import Counter
from pathlib import Path

MOST_SURVIVORS = 0.05
COLUMNS = ("killed", "survived", "timed out", "not run")


def fate(exit_code: int | None) -> str:
    """What became of a mutant, by the exit status of pytest; one that no test reaches survived as well."""
    if exit_code is None or exit_code == 2:  # interrupted
        return "not run"
    if exit_code in (1, 3):
        return "killed"
    return "survived" if exit_code in (0, 5, 33) else "timed out"


def main(folder: Path) -> int:
    """Print a line per module and the share of all.

    Returns:
        1 if mutants are left to run or too many survived, else 0.
    """
    print(f"{'module':<50}{''.join(f'{column:>11}' for column in COLUMNS)}")
    total: Counter[str] = Counter()
    for file in sorted(folder.rglob("*.meta")):
        codes = json.loads(file.read_text())["exit_code_by_key"].values()
        if counts := Counter(map(fate, codes)):
            total += counts
            print(_row(str(file.relative_to(folder).with_suffix("")), counts))
    print(_row("all", total))
    share = total["survived"] / max(total.total(), 1)
    print(f"{share:.1%} of {total.total()} mutants survived")
    return int(share > MOST_SURVIVORS or total["not run"] > 0 or not total)


def _row(name: str, counts: Counter[str]) -> str:
    return f"{name:<50}{''.join(f'{counts[column]:>11}' for column in COLUMNS)}"


if __name__ == "__main__":
    sys.exit(main(Path("mutants")))
