"""Print how far our embeddings are from the library's, layout by layout: ``python -m tests.agreement``."""

import argparse
import sys
import tempfile
from pathlib import Path

from hf_integration.encoders.files.loading import silent_transformers
from tests.agreement.checking import problems
from tests.agreement.comparing import WANTED, Line, compare
from tests.agreement.layouts import LAYOUTS


def main() -> int:
    """Run the layouts whose names hold one of the words that are given, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.agreement", description=__doc__)
    parser.add_argument("words", nargs="*", help="only layouts whose names hold one of these")
    parser.add_argument(
        "--edits", type=int, default=0, metavar="N", help="mint as well, and try every Nth edit"
    )
    parser.add_argument(
        "--mint", action="store_true", help="mint as well, and check the folder and the object"
    )
    given = parser.parse_args()
    words = given.words
    chosen = [layout for layout in LAYOUTS if not words or any(word in layout.name for word in words)]
    lines, wrong = [], []
    for layout in chosen:
        with tempfile.TemporaryDirectory() as place, silent_transformers():
            lines.append(compare(layout, Path(place, "compared")))
            print(_row(lines[-1]), flush=True)
            if (given.mint or given.edits) and lines[-1].difference is not None:
                found = list(problems(layout, Path(place, "minted"), every=given.edits))
                print("".join(f"WRONG {line}\n" for line in found), end="", flush=True)
                wrong += [layout.name] if found else []
    compared = [line.difference for line in lines if line.difference is not None]
    wrong += [line.name for line in lines if not line.good]
    largest = max(compared, default=0.0)
    print(f"{len(compared)} layouts compared, largest difference {largest:.1e}, wanted {WANTED:.0e}")
    print(f"{len(lines) - len(compared)} refused, {len(wrong)} wrong: {', '.join(wrong) or 'none'}")
    return 1 if wrong or not lines else 0


def _row(line: Line) -> str:
    difference = "refused" if line.difference is None else f"{line.difference:.1e}"
    return f"{'' if line.good else 'WRONG ':<6}{line.name:<44} {difference:>8}  {line.words}"


if __name__ == "__main__":
    sys.exit(main())
