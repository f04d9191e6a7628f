"""``python -m tests.faults``: run the table and print it, whose counts `docs/reference/faults.md` shows."""

import sys
import tempfile
from pathlib import Path

from tests.faults.rows import ROWS
from tests.faults.scene import a_scene
from tests.faults.table import Result, run_table


def main() -> int:
    """Print one line for each fault, then the counts; 1 if anything ended otherwise than it should."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "scene").mkdir()
        with a_scene(folder / "scene") as scene:
            results = run_table(scene, ROWS, folder)
    print("| fault | `sslauth verify` ends with | test with the marker | next check, Hub well |")
    print("|---|---|---|---|")
    for result in results.of.values():
        print(line(result))
    good = [result for result in results.of.values() if as_it_should(result)]
    wrong = [result for result in results.of.values() if result.row.status and result.command.status == 0]
    print(
        f"\n{len(good)} of {len(results.of)} faults end as they should; {len(wrong)} end as authentic and "
        f"should not; the token reached {len(results.leaks)} places besides the Hub."
    )
    return 0 if len(good) == len(results.of) and not results.leaks else 1


def line(result: Result) -> str:
    """One row of the table."""
    again = {result.command_again.status, result.test_again.status}
    cells = [result.row.fault, result.command.status, result.test.outcome, *sorted(map(str, again))]
    return f"| {' | '.join(map(str, cells))} |"


def as_it_should(result: Result) -> bool:
    """Whether a fault ended with the right status, as a command and as a test, and left nothing broken."""
    row = result.row
    outcome = "passed" if row.status == 0 else "failed"
    again = {result.command_again.status, result.test_again.status}
    return (result.command.status, result.test.outcome, again) == (row.status, outcome, {row.after})


if __name__ == "__main__":
    sys.exit(main())
