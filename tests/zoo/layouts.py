"""All layouts, and the part of them that CI checks."""

from collections.abc import Iterator

from tests.zoo.layout import Layout
from tests.zoo.refusals import refused_layouts
from tests.zoo.saved import saved_layouts
from tests.zoo.sentences import sentence_layouts
from tests.zoo.table import plain_layouts
from tests.zoo.timm_models import timm_layouts


def layouts() -> Iterator[Layout]:
    """All of them, in a fixed order."""
    yield from plain_layouts()
    yield from saved_layouts()
    yield from sentence_layouts()
    yield from timm_layouts()
    yield from refused_layouts()


PART = frozenset(
    {"bert", "t5, whole", "CLIPTextModel, alone", "Siglip2VisionModel, alone", "vit_mae", "w2v-bert-2.0"}
)
"""Layouts of which CI checks the whole."""
