"""The picture of a check: expected and reconstructed watermark of every strip, for a look at a glance."""

import io
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from hf_integration.authentication import Authentication
from hf_integration.base.output_files import write_whole
from hf_integration.base.text import harmless
from hf_integration.card import WatermarkCard
from hf_integration.key_samples.encoding import encode_image
from hf_integration.report.colors import BANNERS, BROKEN, FAINT, HAIRLINE, INK, INTACT, PAPER
from hf_integration.report.columns import margin_text
from hf_integration.report.reporters import HEADLINES, waived_until
from hf_integration.report.shown import StripImages
from hf_integration.verdict import StripResult, Verdict

Pixels = npt.NDArray[np.uint8]

ASPECT = 1.9
"""Wanted width over height: strips are arranged to come near it, so that a screen shows all at once."""

PANEL = 144
"""Wanted side of one panel in pixels; watermarks are enlarged by a whole factor that comes near it."""

GAP = 8
LABEL = 40
MARGIN = 24
BANNER = 92
WAIVER = 28
"""Height of the line that a waived alteration adds to the banner."""

PANELS = ("expected", "reconstructed", "difference")


def write_picture(path: Path, authentication: Authentication, card: WatermarkCard) -> None:
    """Write a PNG that shows each strip's expected and reconstructed watermark and their difference.

    Args:
        path: the file to write; an existing one is replaced.
        authentication: the verdict with the reconstructed pictures.
        card: the card that the encoder was held against.

    Raises:
        OutputError: the file cannot be written.
    """
    write_whole(path, picture_of(authentication, card))


def picture_of(authentication: Authentication, card: WatermarkCard) -> bytes:
    """The PNG that :func:`write_picture` writes."""
    return _png(draw_picture(authentication, card))


def draw_picture(authentication: Authentication, card: WatermarkCard) -> Image.Image:
    """The picture itself."""
    verdict, reconstruction = authentication.verdict, authentication.reconstruction
    expected = card.watermark.numpy().astype(np.float64) / 127.5 - 1
    scale = max(1, round(PANEL / len(expected)))
    side = scale * len(expected)
    width, height = 3 * side + 2 * GAP, LABEL + side
    columns = _columns(len(verdict.strips), width, height)
    rows = -(-len(verdict.strips) // columns)
    banner = BANNER + (WAIVER if verdict.waiver else 0)

    canvas = Image.new(
        "RGB",
        (MARGIN + columns * (width + MARGIN), banner + MARGIN + rows * (height + MARGIN)),
        PAPER,
    )
    _banner(canvas, verdict, banner)
    for index, strip in enumerate(verdict.strips):
        left = MARGIN + index % columns * (width + MARGIN)
        top = banner + MARGIN + index // columns * (height + MARGIN)
        found = reconstruction.pictures[index].numpy()
        broken = reconstruction.broken[index].numpy()
        state = "intact" if strip.intact else f"BROKEN, {int(broken.sum())} of {len(broken)} tiles"
        state += f", {verdict.partial}, others blank" if verdict.partial else ""
        _caption(canvas, strip, state, (left, top, width))
        panels = (
            _grey(expected, scale),
            _framed(_grey(found, scale), broken, card.generator.layout.tile * scale),
            _difference(expected, found, scale),
        )
        for place, panel in enumerate(panels):
            _panel(canvas, panel, left + place * (side + GAP), top + LABEL)
    return canvas


def strip_images(authentication: Authentication, card: WatermarkCard) -> StripImages:
    """What a page shows of each strip, pixel by pixel; see :func:`write_picture`."""
    expected = card.watermark.numpy().astype(np.float64) / 127.5 - 1
    found = [picture.numpy() for picture in authentication.reconstruction.pictures]
    return StripImages(
        encode_image(_grey(expected, 1)),
        tuple(encode_image(_grey(one, 1)) for one in found),
        tuple(encode_image(_difference(expected, one, 1)) for one in found),
    )


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _columns(strips: int, width: int, height: int) -> int:
    """Triples side by side, for a picture whose shape comes nearest to ``ASPECT``."""

    def distance(columns: int) -> float:
        rows = -(-strips // columns)
        shape = columns * (width + MARGIN) / (BANNER + rows * (height + MARGIN))
        return abs(math.log(shape / ASPECT))

    return min(range(1, strips + 1), key=distance)


def _grey(picture: npt.NDArray[np.float64], scale: int) -> Pixels:
    """±1 to white and black; what is not a number becomes middle grey."""
    values = np.nan_to_num(picture, nan=0.0, posinf=1.0, neginf=-1.0).clip(-1, 1)
    return _enlarged(
        np.repeat((values * 127.5 + 127.5).round().astype(np.uint8)[..., None], 3, axis=2), scale
    )


def _difference(expected: npt.NDArray[np.float64], found: npt.NDArray[np.float64], scale: int) -> Pixels:
    """White where both are equal, orange where they are as far apart as black and white."""
    strength = np.nan_to_num(np.abs(found - expected) / 2, nan=1.0, posinf=1.0).clip(0, 1)[..., None]
    full = np.array((230, 110, 0), dtype=np.float64)
    return _enlarged((255 + strength * (full - 255)).round().astype(np.uint8), scale)


def _framed(panel: Pixels, broken: npt.NDArray[np.bool_], step: int) -> Pixels:
    """Frame every broken tile, drawn inside the tile so that its neighbours stay as they are."""
    columns = panel.shape[1] // step
    image = Image.fromarray(panel)
    draw = ImageDraw.Draw(image)
    for tile in np.flatnonzero(broken):
        x, y = int(tile) % columns * step, int(tile) // columns * step
        draw.rectangle((x, y, x + step - 1, y + step - 1), outline=BROKEN, width=min(2, step // 8))
    return np.asarray(image)


def _panel(canvas: Image.Image, panel: Pixels, x: int, y: int) -> None:
    """Paste a panel, with a hairline around it so that a white one shows."""
    height, width = panel.shape[:2]
    ImageDraw.Draw(canvas).rectangle((x - 1, y - 1, x + width, y + height), outline=HAIRLINE)
    canvas.paste(Image.fromarray(panel), (x, y))


def _enlarged(pixels: Pixels, scale: int) -> Pixels:
    return pixels.repeat(scale, axis=0).repeat(scale, axis=1)


def _caption(canvas: Image.Image, strip: StripResult, state: str, place: tuple[int, int, int]) -> None:
    """The strip's name and state in one line, and what each panel is below it."""
    left, top, width = place
    draw = ImageDraw.Draw(canvas)
    color = INTACT if strip.intact else BROKEN
    draw.text((left, top), harmless(strip.name, longest=28), font=_font(17), fill=INK)
    draw.text((left + width, top), state, font=_font(17), fill=color, anchor="ra")
    for panel, label in enumerate(PANELS):
        x = left + panel * (width + GAP) // len(PANELS)
        draw.text((x, top + 22), label, font=_font(12), fill=FAINT)


def _banner(canvas: Image.Image, verdict: Verdict, height: int) -> None:
    """Status and margin in large letters on the status's colour; how many key samples a budget allowed.

    A waived alteration keeps its colour, and says until when and why it is accepted.
    """
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, canvas.width, height), fill=BANNERS[verdict.status])
    margin = "no margin" if verdict.margin is None else f"margin {margin_text(verdict.margin)}"
    broken = sum(not strip.intact for strip in verdict.strips)
    strips = f"{broken} of {len(verdict.strips)} strips broken" if broken else "all strips intact"
    waiver = verdict.waiver
    head = HEADLINES[verdict.status] if waiver is None else waived_until(waiver)
    draw.text((MARGIN, 12), head, font=_font(34), fill="white")
    facts = "  |  ".join(filter(None, (margin, strips, verdict.precision, verdict.partial)))
    if _font(34).getlength(head) + _font(22).getlength(facts) + 3 * MARGIN <= canvas.width:
        draw.text((canvas.width - MARGIN, 20), facts, font=_font(22), fill="white", anchor="ra")
        line = harmless(verdict.encoder, longest=canvas.width // 10)
    else:
        line = facts
    draw.text((MARGIN, 60), line, font=_font(18), fill="white")
    if waiver is not None:
        reason = harmless(waiver.reason, longest=canvas.width // 10)
        draw.text((MARGIN, 60 + WAIVER), reason, font=_font(18), fill="white")


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
