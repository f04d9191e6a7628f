"""Print what comes of every edit: ``python -m tests.layouts [NAME...]``. Ends with 1 if one is silent."""

import sys
import tempfile
from pathlib import Path

from tests.layouts.building import LAYOUTS
from tests.layouts.trying import HEAD, try_all
from tests.tiny_cards import mint_quickly


def main(names: list[str]) -> int:
    print(HEAD, flush=True)
    silent: list[str] = []
    for layout in LAYOUTS:
        if names and not any(name.lower() in layout.name.lower() for name in names):
            continue
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place, "encoder")
            layout.write(folder)
            _, card = mint_quickly(folder, Path(place, "card"), modality=layout.modality)
            tried = try_all(layout, folder, card)
        print(tried.line(), flush=True)
        silent += tried.silent
    print("\n".join(silent))
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
