"""Where an edit of a tensor is expected to show first."""

import pytest

from tests.benchmarks.localisation import strips_of

STRIPS = ("processor", "input embedding", "layer 1", "layer 2", "embedding")
NAMES = ("embeddings.w", "encoder.norm", "encoder.layer.0.w", "encoder.layer.1.w", "final.w")


@pytest.mark.parametrize(
    ("tensor", "strips"),
    [
        ("embeddings.w", ("input embedding",)),
        ("encoder.norm", ("input embedding",)),
        ("encoder.layer.0.w", ("layer 1",)),
        ("encoder.layer.1.w", ("layer 2",)),
        ("final.w", ("layer 2", "embedding")),
    ],
)
def test_an_edit_shows_first_at_the_strip_behind_it(tensor: str, strips: tuple[str, ...]) -> None:
    assert strips_of(tensor, NAMES, STRIPS) == strips
