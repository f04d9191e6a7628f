"""Colours as red, green and blue: the same in pictures of checks and in plots of histories."""

from hf_integration.verdict import Status

Color = tuple[int, int, int]

BROKEN: Color = (214, 39, 40)
"""Frames of broken tiles; nothing else in a panel has this colour."""

INTACT: Color = (30, 110, 60)
BANNERS: dict[Status, Color] = {"authentic": INTACT, "altered": (160, 22, 24), "inconclusive": (150, 96, 0)}

INK: Color = (24, 24, 24)
FAINT: Color = (110, 110, 110)
HAIRLINE: Color = (200, 200, 200)
PAPER: Color = (250, 250, 250)
