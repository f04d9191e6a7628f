"""Both lists against one card, on a tiny encoder."""

import json

import pytest
import torch

from hf_integration.base.errors import InconclusiveError, OutputError
from hf_integration.base.progress import Progress
from hf_integration.base.strict_json import strict_json
from hf_integration.card import WatermarkCard
from hf_integration.cli.commands.stress import render_stress
from hf_integration.encoders import Encoder
from hf_integration.stress import Alteration, BenignChange, StressReport, stress
from hf_integration.stress.altered import by_magnitude, of_one_size, watermark_alone
from hf_integration.stress.unaltered_files import benign_files
from hf_integration.tampering.catalogue import NULL_SPACE, families_for
from hf_integration.tampering.families import Family, Tampering
from hf_integration.tampering.null_space import null_space_family
from hf_integration.tampering.weights.values import NOISE
from tests.encoders import tiny_models
from tests.stress.conftest import not_compiled

Pair = tuple[Encoder, WatermarkCard]


@pytest.fixture(scope="module")
def report(pair: Pair) -> StressReport:
    with pytest.MonkeyPatch.context() as patch:
        # the card was calibrated on this CPU alone
        patch.setattr("hf_integration.stress.unaltered.INSTRUCTION_SETS", {})
        patch.setattr("hf_integration.stress.unaltered.compiled_run", not_compiled)  # takes half a minute
        return stress(*pair)


def test_everything_known_is_detected_and_nothing_benign_is(report: StressReport) -> None:
    assert report.missed == ()
    assert report.false_alarms == ()
    assert len(report.alterations) - len(report.nothing_altered) >= 30
    assert len(report.benign) - len(report.not_run) >= 4 * 8 + 6


def test_the_weights_alterations_are_known_by_their_tensors(report: StressReport, pair: Pair) -> None:
    found = {alteration.name: alteration for alteration in report.alterations}
    for family in families_for(pair[0]):
        assert found[family.name].detected, family.name
        assert found[family.name].status == "altered"
        assert any(name.endswith(("weight", "bias")) for name in found[family.name].evidence)


def test_the_watermark_alone_sees_noise_and_says_from_where(report: StressReport) -> None:
    noise = next(alteration for alteration in report.alterations if alteration.name == NOISE.name)
    assert noise.floor is not None
    assert NOISE.magnitudes[0] < noise.floor <= 1e-10  # below the smallest one float32 has no neighbours left
    assert noise.floor == noise.smallest
    assert noise.strip


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


def _counted(edits: list[float], least: float) -> Family:
    """Moves one weight from some magnitude on, and notes every magnitude that it was asked for."""

    def edit(encoder: Encoder, magnitude: float, _: int) -> None:
        edits.append(magnitude)
        if magnitude >= least:
            encoder.model.encoder.layer[0].output.dense.weight[0, 0] += magnitude

    return Family("counted", edit, tuple(10.0**power for power in range(-12, 2)), "absolute")


def test_magnitudes_that_change_nothing_are_passed_over(pair: Pair) -> None:
    edits: list[float] = []
    family = _counted(edits, least=1e-3)
    found = by_magnitude(family, *pair, "float64", range(1))
    assert (found.smallest, found.floor, found.status) == (1e-3, 1e-3, "altered")
    assert len(edits) < len(family.magnitudes) / 2
    shown = render_stress(_only(found))
    assert "0.001 absolute (the least)" in shown


def test_a_floor_above_the_least_is_bisected(pair: Pair) -> None:
    edits: list[float] = []
    family = _counted(edits, least=0.0)
    found = by_magnitude(family, *pair, "bfloat16", range(1))
    assert found.smallest is not None
    assert found.floor is not None
    assert found.smallest < 1e-6 < found.floor
    assert len(edits) < len(family.magnitudes)


def test_what_changes_nothing_is_neither_detected_nor_missed(pair: Pair) -> None:
    found = by_magnitude(_counted([], least=1e9), *pair, "float64", range(1))
    report = _only(found)
    assert (found.detected, found.status, found.floor) == (None, None, None)
    assert (report.missed, report.nothing_altered) == ((), (found,))
    shown = render_stress(report)
    assert "0 kinds of alteration, 0 missed" in shown
    assert "ALTERS NOTHING: counted: changes no stored number of this encoder" in shown
    assert json.loads(strict_json(report.to_dict()))["alterations"][0]["detected"] is None


def test_the_key_samples_are_pinned_and_only_float64_sees_it(report: StressReport, pair: Pair) -> None:
    strict = next(a for a in report.alterations if a.name.startswith("null-space"))
    assert strict.floor is not None
    assert NULL_SPACE[0] < strict.floor <= 1e-4
    assert strict.detected
    family = null_space_family(pair[1].key_samples, (1.0,))
    lax = by_magnitude(family, *pair, "float32", range(1))
    assert (lax.floor, lax.status) == (None, "altered")  # the watermark misses it, the digests do not


def test_no_null_space_is_said_and_not_counted(pair: Pair) -> None:
    encoder, card = pair
    many = [*card.key_samples, *tiny_models.TEXTS]
    found = by_magnitude(null_space_family(many, (1.0,)), encoder, card, "float64", range(1))
    assert found.detected is None
    assert "no null space to edit in" in found.nothing


def _only(found: Alteration) -> StressReport:
    return StressReport("tiny", "sha256:0", "float64", 1, (found,), (), 1.0)


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
    alarms = [change for change in changes if change.false_alarm]
    assert all("hidden_act" in change.note for change in alarms)
    # transformers writes the configuration of the model in memory, which is the right one
    assert {change.name for change in changes} - {change.name for change in alarms} == {
        "saved and reloaded by transformers"
    }


def test_what_could_not_run_or_changed_nothing_is_not_counted_among_the_runs() -> None:
    # written down, not run: which benign changes round differently is another matter on every processor
    benign = (
        BenignChange("one thread", "float32", 3.0),
        BenignChange("batches of 1", "float32", 5.0),
        BenignChange("batches of 2", "float32", 5.0, idle=True),
        BenignChange("other device", "float32", None, "there is none"),
    )
    shown = render_stress(StressReport("tiny", "sha256:0", "float64", 1, (), benign, 1.0))
    assert "2 benign runs, 0 false alarms" in shown
    assert "NOT RUN: other device: there is none" in shown


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
