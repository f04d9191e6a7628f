"""Rows of the attackers' benchmark as text, JSON and Markdown."""

import json
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.attackers import settings
from tests.benchmarks.attackers.measure import Deviations, Row

HEAD = (
    "attacker",
    "effort",
    "keys",
    "rounding",
    "to target",
    "clean",
    "attack",
    *(f"{card} {short}" for card in ("public", "private") for short in ("f64", "f32", "f16", "bf16")),
)
WIDTHS = (29, 26, 4, 12, 9, 7, 13, *(11,) * 8)

EXPLANATION = (
    "Cosines are means over held-out inputs: triggered ones to the attacker's target, clean ones to "
    f"themselves before. An attack works from {settings.WORKS} to the target on; clean inputs suffer below "
    f"{settings.UNNOTICED}. The last columns are the largest deviation over strips in tolerances, by the "
    "watermark alone: more than 1 is detected (digests would name every one of these tensors)."
)


def cells(row: Row) -> list[str]:
    """One row, in the order of ``HEAD``."""
    what = [row.attacker, row.effort, str(row.keys), row.rounding]
    if row.effect is None:
        return [*what, *("-",) * 2, row.verdict, *("-",) * 8]
    effect = [f"{row.effect.after:.3f}", f"{row.effect.clean:.4f}", row.verdict]
    return [*what, *effect, *_of(row.public), *_of(row.private)]


def _of(deviations: Deviations) -> list[str]:
    precisions = settings.PRECISIONS + settings.HALF
    return [f"{deviations[precision]:.3g}" if precision in deviations else "-" for precision in precisions]


def line(columns: Sequence[str]) -> str:
    """Aligned text: words to the left, numbers to the right."""
    left = {0, 1, 3, 6}
    return "  ".join(
        cell.ljust(width) if place in left else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(columns, WIDTHS, strict=True))
    ).rstrip()


def write(rows: Sequence[Row], subject: str, folder: Path, remarks: Sequence[str] = ()) -> None:
    """Replace ``attackers-SUBJECT.json`` and ``.md`` in a folder."""
    record = {
        "schema": 1,
        "encoder": subject,
        "settings": {
            name.lower(): value
            for name, value in vars(settings).items()
            if name.isupper() and isinstance(value, int | float | tuple)
        },
        "rows": [row.to_dict() for row in rows],
        "remarks": list(remarks),
    }
    (folder / f"attackers-{subject}.json").write_text(json.dumps(record, indent=1) + "\n")
    table = [HEAD, ["---"] * len(HEAD), *(cells(row) for row in rows)]
    text = "\n".join(f"| {' | '.join(columns)} |" for columns in table)
    failed = dict.fromkeys(f"impossible: {row.failed}" for row in rows if row.failed)
    notes = "\n".join(f"- {note}" for note in (*failed, *remarks))
    (folder / f"attackers-{subject}.md").write_text(
        f"# Attackers who know the public card: {subject}\n\n{EXPLANATION}\n\n{text}\n\n{notes}".rstrip()
        + "\n"
    )
