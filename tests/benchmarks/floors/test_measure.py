"""The whole measurement on a tiny encoder and two short families."""

from dataclasses import replace
from pathlib import Path

import pytest

from hf_integration.base.vocabulary import Precision
from hf_integration.card import WatermarkCard
from hf_integration.encoders import Encoder
from hf_integration.tampering.weights.values import LAST_BIT, NOISE
from tests.benchmarks import floors
from tests.benchmarks.floors.result import DECODER, DETECTORS, DISTANCE, OURS, load_all

SHORT = replace(NOISE, magnitudes=(1e-9, 1e-5, 1e-1))


@pytest.mark.parametrize(("precision", "floor"), [("float32", 1e-5), ("bfloat16", 1e-1)])
def test_families_with_magnitudes_get_a_floor_for_every_detector(
    pair: tuple[Encoder, WatermarkCard],
    precision: Precision,
    floor: float,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("tests.benchmarks.floors.runs.INSTRUCTION_SETS", {})
    monkeypatch.setattr("tests.benchmarks.floors.decoder.STEPS", 300)
    monkeypatch.setattr(floors, "families_for", lambda _: (SHORT, LAST_BIT))
    result = floors.measure("tiny", *pair, precision, out=tmp_path)
    assert load_all(tmp_path) == [result]
    assert not result.left
    (row,) = result.rows
    assert row.family == NOISE.name
    assert set(row.floors) == set(DETECTORS)
    assert row.floors[OURS].magnitude == floor
    assert not row.floors[OURS].above(row.floors[DISTANCE])
    assert not row.floors[OURS].above(row.floors[DECODER])
    assert len(row.judged) <= 15
    assert [alarm.false for alarm in result.alarms] == [[]] * len(DETECTORS)
