"""A plot of margin over time, as an SVG that needs nothing else or as a PNG."""

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from hf_integration.base.errors import UsageError
from hf_integration.base.output_files import write_whole
from hf_integration.base.text import harmless
from hf_integration.report.colors import BANNERS, FAINT, HAIRLINE, INK, PAPER, Color
from hf_integration.report.columns import margin_text
from hf_integration.watching.entry import Entry, Outcome
from hf_integration.watching.standing import Change, Standing, status_words

WIDTH, LEFT, RIGHT = 960, 78, 24
HEADER, PLOT, LANE, FOOTER, LINE = 62, 220, 22, 34, 18
"""Pixels: of each subject the title, the plot, a lane for checks without a margin, and the axis of time."""

GREATEST, LEAST = 4.0, -2.0
"""Powers of ten at the top and at the bottom; margins beyond are drawn at the edge."""

ERROR: Color = (90, 60, 140)
COLORS: dict[Outcome, Color] = {
    "authentic": BANNERS["authentic"],
    "altered": BANNERS["altered"],
    "inconclusive": BANNERS["inconclusive"],
    "error": ERROR,
}
GAP: Color = (232, 232, 232)
"""Ground where nothing was checked for longer than a check may be old."""

MOST_CHANGES = 12
SUFFIXES = (".svg", ".png")


@dataclass(frozen=True)
class Box:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    color: Color


@dataclass(frozen=True)
class Stroke:
    """A line from one point to another."""

    x: float
    y: float
    to_x: float
    to_y: float
    color: Color
    width: int = 1


@dataclass(frozen=True)
class Dot:
    """A check, with what it says to whoever points at it."""

    x: float
    y: float
    color: Color
    says: str


@dataclass(frozen=True)
class Text:
    """A line of text that ends or begins at a point on its ground line."""

    x: float
    y: float
    says: str
    color: Color = INK
    size: int = 12
    ends: bool = False


Shape = Box | Stroke | Dot | Text


def check_suffix(path: Path) -> None:
    """Refuse a name that says neither SVG nor PNG.

    Raises:
        UsageError: it does not.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"cannot plot into {path}", remedy="name a file that ends in .svg or .png")


def write_plot(path: Path, standings: Sequence[Standing], *, since: datetime | None) -> None:
    """Write the plot in the format that the file's name says.

    Raises:
        UsageError: the name says neither SVG nor PNG.
        OutputError: the file cannot be written.
    """
    check_suffix(path)
    shapes, top = list[Shape](), 0.0
    for standing in standings:
        shapes += _panel(standing, top, since)
        top += _height(standing, since)
    in_svg = path.suffix.lower() == ".svg"
    write_whole(path, svg(shapes, top).encode() if in_svg else png(shapes, top))


def svg(shapes: Sequence[Shape], height: float) -> str:
    """Shapes as one SVG file without scripts, links or fonts of its own."""
    size = f'width="{WIDTH}" height="{height:g}" viewBox="0 0 {WIDTH} {height:g}"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">']
    lines.append(f'<rect width="100%" height="100%" fill="{_hex(PAPER)}"/>')
    lines += map(_in_svg, shapes)
    return "\n".join([*lines, "</svg>", ""])


def png(shapes: Sequence[Shape], height: float) -> bytes:
    """Shapes as the bytes of a PNG."""
    from PIL import Image, ImageDraw, ImageFont

    canvas = Image.new("RGB", (WIDTH, math.ceil(height)), PAPER)
    draw = ImageDraw.Draw(canvas)
    for shape in shapes:
        match shape:
            case Box(x, y, width, tall, color):
                draw.rectangle((x, y, x + width, y + tall), fill=color)
            case Stroke(x, y, to_x, to_y, color, width):
                draw.line((x, y, to_x, to_y), fill=color, width=width)
            case Dot(x, y, color):
                draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=color)
            case Text(x, y, says, color, points, ends):
                font = ImageFont.load_default(points)
                draw.text((x, y), says, font=font, fill=color, anchor="rs" if ends else "ls")
    buffer = io.BytesIO()
    canvas.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _in_svg(shape: Shape) -> str:
    match shape:
        case Box(x, y, width, height, color):
            place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
            return f'<rect {place} fill="{_hex(color)}"/>'
        case Stroke(x, y, to_x, to_y, color, width):
            place = f'x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"'
            return f'<line {place} stroke="{_hex(color)}" stroke-width="{width}"/>'
        case Dot(x, y, color, says):
            place = f'cx="{x:.1f}" cy="{y:.1f}" r="3"'
            return f'<circle {place} fill="{_hex(color)}"><title>{escape(says)}</title></circle>'
        case Text(x, y, says, color, size, ends):
            anchor = "end" if ends else "start"
            attributes = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor={quoteattr(anchor)}'
            return f'<text {attributes} fill="{_hex(color)}">{escape(says)}</text>'


def _height(standing: Standing, since: datetime | None) -> float:
    return HEADER + PLOT + LANE + FOOTER + LINE * len(_shown(standing, since))


def _shown(standing: Standing, since: datetime | None) -> list[Change]:
    """The changes that are numbered in the plot and listed below it: the latest."""
    return standing.changes(since)[-MOST_CHANGES:]


def _panel(standing: Standing, top: float, since: datetime | None) -> Iterator[Shape]:
    """Everything about one subject, from this height downwards."""
    entries = standing.since(since)
    newest = standing.newest
    status = standing.stale or status_words(newest)
    yield Text(LEFT, top + 24, harmless(standing.subject, longest=110), size=16)
    said = f"{status}: {newest.reason}" if newest.outcome != "authentic" or standing.stale else status
    yield Text(LEFT, top + 46, harmless(said, longest=130), color=COLORS[newest.outcome], size=13)
    upper = top + HEADER
    scale = _Scale(upper, min([entry.began for entry in entries], default=standing.now), standing.now)
    yield from _gaps(entries, standing, scale)
    yield from _grid(scale)
    yield from _changes(_shown(standing, since), scale)
    for entry in entries:
        yield Dot(scale.x(entry.began), scale.y(entry.margin), COLORS[entry.outcome], _about(entry))


@dataclass(frozen=True)
class _Scale:
    """From moments and margins to pixels."""

    upper: float
    begin: datetime
    end: datetime

    @property
    def lower(self) -> float:
        return self.upper + PLOT

    def x(self, moment: datetime) -> float:
        span = (self.end - self.begin).total_seconds() or 1.0
        share = (moment - self.begin).total_seconds() / span
        return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)

    def y(self, margin: float | None) -> float:
        """Margins on a logarithmic scale; what has none is in the lane below."""
        if margin is None:
            return self.lower + LANE / 2
        power = math.log10(max(margin, 1e-9))
        return self.lower - (min(max(power, LEAST), GREATEST) - LEAST) / (GREATEST - LEAST) * PLOT


def _grid(scale: _Scale) -> Iterator[Shape]:
    for power in range(int(LEAST), int(GREATEST) + 1):
        y = scale.y(10.0**power)
        edge = power == 0
        yield Stroke(LEFT, y, WIDTH - RIGHT, y, INK if edge else HAIRLINE, 1)
        yield Text(LEFT - 8, y + 4, f"{10.0**power:g}{' edge' if edge else ''}", FAINT, ends=True)
    yield Text(LEFT - 8, scale.y(None) + 4, "no margin", FAINT, ends=True)
    below = scale.lower + LANE + 18
    yield Text(LEFT, below, f"{scale.begin:%Y-%m-%d %H:%M} UTC", FAINT)
    yield Text(WIDTH - RIGHT, below, f"{scale.end:%Y-%m-%d %H:%M} UTC", FAINT, ends=True)
    middle = WIDTH / 2 - 110
    for place, (outcome, color) in enumerate(COLORS.items()):
        yield Dot(middle + 90 * place, below - 4, color, outcome)
        yield Text(middle + 90 * place + 8, below, outcome, FAINT)


def _gaps(entries: Sequence[Entry], standing: Standing, scale: _Scale) -> Iterator[Shape]:
    """The ground of times in which nothing was checked for too long, the time since the newest included."""
    moments = [*(entry.began for entry in entries), standing.now]
    for begin, end in pairwise(moments):
        if end - begin > standing.max_age:
            left, right = scale.x(begin), scale.x(end)
            yield Box(left, scale.upper, right - left, PLOT + LANE, GAP)


def _changes(changes: Sequence[Change], scale: _Scale) -> Iterator[Shape]:
    """A line for each change with its number, and below the plot what it is."""
    for number, change in enumerate(changes, 1):
        x = scale.x(change.at)
        yield Stroke(x, scale.upper, x, scale.lower + LANE, FAINT)
        yield Text(x + 2, scale.upper - 3, str(number), FAINT, 11)
        since = f"{number}  since {change.at:%Y-%m-%d %H:%M}"
        what = f"{since}: {change.what} {change.after}, before {change.before}"
        yield Text(LEFT, scale.lower + LANE + FOOTER + LINE * (number - 0.5), harmless(what, longest=140))


def _about(entry: Entry) -> str:
    margin = "no margin" if entry.margin is None else f"margin {margin_text(entry.margin)}"
    said = f"{entry.began:%Y-%m-%d %H:%M:%S} UTC: {status_words(entry)}, {margin}: {entry.reason}"
    return harmless(said, longest=400)


def _hex(color: Color) -> str:
    return "#" + "".join(f"{part:02x}" for part in color)
