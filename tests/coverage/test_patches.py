"""Patches times weights are what a convolution computes."""

import pytest
import torch
from torch import nn

from hf_integration.coverage.ranks import patches, width_of

CONVOLUTIONS = [
    (nn.Conv2d(3, 8, 4, stride=4), (2, 3, 16, 12)),
    (nn.Conv2d(4, 8, 3, stride=2, padding=1), (1, 4, 9, 9)),
    (nn.Conv2d(4, 8, (3, 2), padding="same", dilation=2), (2, 4, 7, 8)),
    (nn.Conv2d(6, 6, 7, padding=3, groups=6), (1, 6, 8, 8)),
    (nn.Conv1d(5, 4, 3, stride=2, padding=1, padding_mode="replicate"), (2, 5, 11)),
    (nn.Conv1d(8, 8, 4, padding=2, groups=2), (1, 8, 20)),
]


@pytest.mark.parametrize(("layer", "shape"), CONVOLUTIONS, ids=lambda value: str(value)[:60])
def test_patches_times_weights_are_the_output(layer: nn.Conv1d | nn.Conv2d, shape: tuple[int, ...]) -> None:
    given = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    rows = patches(layer, given)
    assert rows.shape[1:] == (layer.groups, width_of(layer))
    weights = layer.weight.reshape(layer.groups, -1, width_of(layer))
    assert layer.bias is not None
    outputs = torch.einsum("pgw,gow->pgo", rows, weights).flatten(1) + layer.bias
    expected = layer(given).movedim(1, -1).reshape(len(rows), -1)
    torch.testing.assert_close(outputs, expected, rtol=1e-4, atol=1e-5)
