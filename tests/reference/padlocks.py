"""The picture of the README: ``python -m tests.reference.padlocks PICTURES FILE``, after ``sslauth demo``.

Cuts the last strip, the embedding, out of the pictures that the demo draws of its two checks, and puts what
was expected and what either encoder gave side by side.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tests.reference.sources import colors, pictures

SIDE, TIMES = 144, 2
"""Pixels of a panel in the picture of a check of all-MiniLM-L6-v2, and how much larger it is here."""

GAP, LABEL = 36, 60
CAPTIONS = (
    ("expected", colors.INK),
    ("untouched encoder: intact", colors.INTACT),
    ("altered encoder: BROKEN", colors.BROKEN),
)


def panel(picture: Path, place: int) -> Image.Image:
    """One panel of the last strip of a check's picture, enlarged: 0 expected, 1 reconstructed."""
    with Image.open(picture) as whole:
        width = 3 * SIDE + 2 * pictures.GAP
        left = whole.width - pictures.MARGIN - width + place * (SIDE + pictures.GAP)
        top = whole.height - pictures.MARGIN - SIDE
        cut = whole.convert("RGB").crop((left, top, left + SIDE, top + SIDE))
    return cut.resize((SIDE * TIMES, SIDE * TIMES), Image.Resampling.NEAREST)


def padlocks(folder: Path) -> Image.Image:
    """Expected, untouched and altered, each with its caption."""
    side = SIDE * TIMES
    canvas = Image.new("RGB", (3 * side + 4 * GAP, side + GAP + LABEL), colors.PAPER)
    draw = ImageDraw.Draw(canvas)
    sources = (("authentic.png", 0), ("authentic.png", 1), ("altered.png", 1))
    for index, ((name, place), (caption, color)) in enumerate(zip(sources, CAPTIONS, strict=True)):
        left = GAP + index * (side + GAP)
        draw.text((left, 18), caption, font=ImageFont.load_default(22), fill=color)
        draw.rectangle((left - 1, LABEL - 1, left + side, LABEL + side), outline=colors.HAIRLINE)
        canvas.paste(panel(folder / name, place), (left, LABEL))
    return canvas


def main(arguments: Sequence[str]) -> int:
    """Draw the picture into a file; its few colours fit a palette."""
    folder, file = map(Path, arguments)
    padlocks(folder).quantize(64).save(file, optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
