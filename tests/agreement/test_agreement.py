"""A part of the table of agreement, and of what is minted and altered; ``tox run -e agreement``: all."""

from pathlib import Path

import pytest

pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")

from tests.agreement.building import Layout
from tests.agreement.checking import problems  # it is asked first whether the library is there
from tests.agreement.comparing import compare
from tests.agreement.layouts import LAYOUTS

MINTED = {
    "WeightedLayerPooling, WordWeights, Dense",
    "StaticEmbedding with a prompt",
    "model2vec with both",
    "CrossEncoder of three labels, Tanh",
    "CrossEncoder of version 3",
    "SPLADE",
    "CLIP by CLIPModel, images",
    "Router, document",
    "Router, SPLADE without a model for queries",
}
"""Of which a card is made here, and one of so many edits tried."""

COMPARED = [
    layout
    for place, layout in enumerate(LAYOUTS)
    if "real" not in layout.name and (place % 2 or layout.refused or layout.name in MINTED)
]

EVERY = 53


@pytest.mark.parametrize("layout", COMPARED, ids=lambda layout: layout.name)
def test_it_embeds_as_the_library_does_or_is_refused_for_the_true_reason(
    layout: Layout, tmp_path: Path
) -> None:
    line = compare(layout, tmp_path)
    assert line.good, line


@pytest.mark.parametrize("name", sorted(MINTED))
def test_it_is_authentic_in_memory_too_and_every_edit_is_found(name: str, tmp_path: Path) -> None:
    layout = next(layout for layout in LAYOUTS if layout.name == name)
    assert not list(problems(layout, tmp_path, every=EVERY))
