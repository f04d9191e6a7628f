"""Both lists against one card, on a tiny encoder."""

import json
from dataclasses import replace

import pytest
import torch

from hf_integration.card import WatermarkCard
from hf_integration.cli.stress_report import render_stress
from hf_integration.encoders import Encoder
from hf_integration.errors import InconclusiveError, OutputError
from hf_integration.progress import Progress
from hf_integration.report.json_format import strict_json
from hf_integration.stress import Alteration, BenignChange, StressReport, stress
from hf_integration.stress.altered import by_magnitude, of_one_size, watermark_alone
from hf_integration.stress.unaltered import benign_files
from hf_integration.tampering.catalogue import NOISE, families_for
from hf_integration.tampering.interface import Tampering

Pair = tuple[Encoder, WatermarkCard]


@pytest.fixture(scope="module")
def report(pair: Pair) -> StressReport:
    with pytest.MonkeyPatch.context() as patch:
        # the card was calibrated on this CPU alone
        patch.setattr("hf_integration.stress.unaltered.INSTRUCTION_SETS", {})
        return stress(*pair)


def test_everything_known_is_detected_and_nothing_benign_is(report: StressReport) -> None:
    assert report.missed == ()
    assert report.false_alarms == ()
    assert len(report.alterations) >= 20
    assert len(report.benign) >= 4 * 7 + 2


def test_the_weights_alterations_are_known_by_their_tensors(report: StressReport, pair: Pair) -> None:
    found = {alteration.name: alteration for alteration in report.alterations}
    for family in families_for(pair[0]):
        assert found[family.name].status == "altered"
        assert any(name.endswith(("weight", "bias")) for name in found[family.name].evidence)


def test_the_watermark_alone_sees_noise_and_says_from_where(report: StressReport) -> None:
    noise = next(alteration for alteration in report.alterations if alteration.name == NOISE.name)
    assert noise.floor is not None
    assert noise.floor <= 1e-8
    assert noise.strip == "input embedding"


def test_the_floor_is_the_smallest_that_breaks_with_every_seed(pair: Pair) -> None:
    found = by_magnitude(NOISE, *pair, "float32", range(2))
    assert found.floor is not None
    place = NOISE.magnitudes.index(found.floor)
    assert place > 0
    for seed in range(2):
        assert not watermark_alone(NOISE.at(found.floor, seed=seed)(pair[0]), pair[1], "float32").intact
    assert any(
        watermark_alone(NOISE.at(NOISE.magnitudes[place - 1], seed=seed)(pair[0]), pair[1], "float32").intact
        for seed in range(2)
    )


def test_an_encoder_that_is_not_authentic_is_not_put_to_the_test(pair: Pair) -> None:
    altered = pair[0].duplicate()
    with torch.no_grad():
        next(altered.model.parameters())[0, 0] += 1
    altered.path = pair[0].path
    with pytest.raises(InconclusiveError, match="altered to begin with"):
        stress(altered, pair[1])


def test_a_false_alarm_is_reported_as_one(pair: Pair) -> None:
    encoder, card = pair
    other = encoder.duplicate()
    other.path = encoder.path
    assert encoder.path is not None
    settings = encoder.path / "config.json"
    before = settings.read_text()
    settings.write_text(json.dumps({**json.loads(before), "hidden_act": "relu"}))
    try:
        changes = list(benign_files(other, card, "float64"))
    finally:
        settings.write_text(before)
    assert all(change.false_alarm and "hidden_act" in change.note for change in changes)


def test_what_could_not_run_is_not_counted_among_the_runs(report: StressReport) -> None:
    nothing = BenignChange("other device", "float32", None, "there is none")
    shown = render_stress(replace(report, benign=(*report.benign[:2], nothing)))
    assert "2 benign runs, 0 false alarms" in shown
    assert "NOT RUN: other device in float32: there is none" in shown


def test_a_disk_that_is_full_is_no_detection(pair: Pair) -> None:
    class Full(Tampering):
        name = "full"

        def __call__(self, _: Encoder, *, progress: Progress | None = None) -> Encoder:  # noqa: ARG002
            raise OutputError("no room")

    with pytest.raises(OutputError):
        of_one_size(Full(), *pair, "float64")


def test_what_could_not_run_is_neither_passed_nor_an_alarm() -> None:
    assert not BenignChange("other device", "float32", None, "there is none").false_alarm
    assert Alteration("another size", None, ("cannot be loaded",), None, None).detected
    assert not Alteration("swap", "authentic", (), None, None).detected
    assert Alteration("swap", "inconclusive", (), None, None).detected


def test_the_report_is_strict_json(report: StressReport) -> None:
    again = json.loads(strict_json(report.to_dict()))
    assert again["schema"] == 1
    assert again["alterations"][0]["detected"] is True
    assert again["benign"][0]["false_alarm"] is False
