"""How many key samples benign variants run on."""

import pytest

from hf_integration.base.errors import UsageError
from hf_integration.base.vocabulary import Precision, Weights
from hf_integration.minting.effort import benign_keys, elsewhere_keys, reference_keys, verifying_keys
from hf_integration.minting.references import pairs_for


@pytest.mark.parametrize(
    ("count", "operations", "precision", "keys"),
    [
        (64, 1e6, "float64", 64),
        (64, 1e6, "bfloat16", 64),
        (64, 0.7e9, "float32", 40),
        (64, 0.7e9, "float16", 16),
        (64, 20e9, "float64", 16),
        (8, 20e9, "bfloat16", 4),
        (4, 20e9, "float64", 4),
        (64, 0.0, "float64", 64),
    ],
)
def test_slow_runs_take_fewer_key_samples(count: int, operations: float, precision: str, keys: int) -> None:
    assert benign_keys(count, operations, precision) == keys  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("count", "operations", "precision", "elsewhere", "verifying"),
    [
        (64, 1e6, "float64", 64, 64),
        (64, 0.7e9, "float32", 16, 8),
        (64, 0.7e9, "bfloat16", 2, 8),
        (64, 20e9, "float64", 2, 8),
        (8, 20e9, "float64", 2, 4),
        (1, 20e9, "float64", 1, 1),
    ],
)
def test_runs_that_are_slow_or_set_no_tolerance_take_still_fewer(
    count: int, operations: float, precision: Precision, elsewhere: int, verifying: int
) -> None:
    assert elsewhere_keys(benign_keys(count, operations, precision), operations, precision) == elsewhere
    assert verifying_keys(count, operations, precision) == verifying


@pytest.mark.parametrize(
    ("count", "operations", "pair", "keys"),
    [
        (64, 20e9, ("stored", "float64"), 64),
        (64, 20e9, ("stored", "float32"), 64),
        (64, 20e9, ("stored", "bfloat16"), 16),
        (64, 20e9, ("float16", "float64"), 16),
        (64, 20e9, ("bfloat16", "bfloat16"), 16),
        (64, 3e9, ("float16", "float64"), 48),
        (64, 1e9, ("float16", "float64"), 64),
        (24, 20e9, ("float16", "float16"), 16),
    ],
)
def test_slow_references_of_casts_are_of_fewer_key_samples(
    count: int, operations: float, pair: tuple[Weights, Precision], keys: int
) -> None:
    assert reference_keys(count, operations, pair) == keys


@pytest.mark.parametrize("stored", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("half", ["", "float16", "bfloat16"])
def test_only_the_precisions_that_are_asked_for_have_references(stored: str, half: str) -> None:
    asked = ["float64", "float32", *filter(None, [half])]
    found = pairs_for(stored, asked)
    assert {precision for _, precision in found} == set(asked)
    assert {weights for weights, _ in found} <= {"stored", half}
    assert set(found) <= set(pairs_for(stored))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["float32", "float16"], "float64 is left out"),
        (["float64"], "float32 is left out"),
        ([], "float64 is left out"),
        (["float64", "float32", "int8"], "unknown precision 'int8'"),
    ],
)
def test_a_card_without_the_full_precisions_is_none(asked: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        pairs_for("float32", asked)
