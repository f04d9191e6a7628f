"""Every family of weight alterations, on an architecture of each kind."""

import importlib
import pkgutil
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from hf_integration import tampering
from hf_integration.encoders import Encoder
from hf_integration.tampering.catalogue import BESIDE_WEIGHTS, FAMILIES, families_for
from hf_integration.tampering.families import Family, Tampering
from hf_integration.tampering.weights.layers import STATISTICS, SWAP, TABLE_ROW
from hf_integration.tampering.weights.matrices import INT4, INT8
from hf_integration.tampering.weights.pruning import PRUNING

ARCHITECTURES = ("bert", "vit", "resnet", "wav2vec2", "whisper")
CASES = [
    pytest.param(name, family, id=f"{name}: {family.name}") for name in ARCHITECTURES for family in FAMILIES
]


WITHOUT_CHANCE = (PRUNING, INT8, INT4, SWAP)
"""Families that leave nothing to a seed; of two layers there is one pair to exchange."""


def _difference(encoder: Encoder, altered: Encoder) -> float:
    other = altered.tensors()
    return sum(
        float((tensor.double() - other[name].double()).pow(2).sum())
        for name, tensor in encoder.tensors().items()
    )


def _values(encoder: Encoder) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in encoder.tensors().items()}


def _same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("name", "family"), CASES)
def test_a_copy_is_altered_as_the_seed_says_and_the_original_is_not(
    encoder_of: Callable[[str], Encoder],
    name: str,
    family: Family,
) -> None:
    encoder = encoder_of(name)
    if not family.applies(encoder):
        with pytest.raises(ValueError, match="has nothing for"):
            family.at(family.magnitudes[0])(encoder)
        return
    before = _values(encoder)
    largest = family.at(family.magnitudes[-1], seed=1)
    altered = largest(encoder)
    assert _same(_values(encoder), before)
    assert _difference(encoder, altered) > 0
    assert all(tensor.isfinite().all() for tensor in altered.tensors().values())
    assert _same(_values(altered), _values(largest(encoder)))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_another_seed_alters_something_else(encoder_of: Callable[[str], Encoder], name: str) -> None:
    encoder = encoder_of(name)
    for family in families_for(encoder):
        place = len(family.magnitudes) // 2
        some = [_values(family.at(family.magnitudes[place], seed=seed)(encoder)) for seed in range(6)]
        drawn = any(not _same(some[0], other) for other in some[1:])
        assert drawn == (family not in WITHOUT_CHANCE), family.name


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_larger_magnitude_changes_more(encoder_of: Callable[[str], Encoder], name: str) -> None:
    encoder = encoder_of(name)
    graded = [family for family in families_for(encoder) if len(family.magnitudes) >= 3]
    assert len(graded) >= 9
    for family in graded:
        assert list(family.magnitudes) == sorted(set(family.magnitudes))
        less, more = (
            _difference(encoder, family.at(magnitude)(encoder))
            for magnitude in (family.magnitudes[-3], family.magnitudes[-1])
        )
        assert 0 < less < more, family.name


def test_names_are_unique_and_say_the_magnitude() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    assert TABLE_ROW.at(0.01).name == "row of the vocabulary, 0.01 of its norm"


def test_families_are_those_that_the_encoder_has_parts_for(
    encoder_of: Callable[[str], Encoder],
) -> None:
    assert STATISTICS in families_for(encoder_of("resnet"))
    assert STATISTICS not in families_for(encoder_of("bert"))
    assert TABLE_ROW in families_for(encoder_of("bert"))
    assert TABLE_ROW not in families_for(encoder_of("resnet"))


def test_whatever_a_file_declares_is_in_the_catalogue() -> None:
    """Also where somebody forgot the tuple at the end of the file, or the file in the catalogue."""
    files = pkgutil.walk_packages(tampering.__path__, f"{tampering.__name__}.")
    declared = [
        value
        for file in files
        for value in vars(importlib.import_module(file.name)).values()
        if isinstance(value, Family | Tampering)
    ]
    assert declared
    assert [value for value in declared if value not in (*FAMILIES, *BESIDE_WEIGHTS)] == []
