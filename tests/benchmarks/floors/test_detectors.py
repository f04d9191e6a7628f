"""All detectors judge one observation; none is alarmed by a benign run, each by a large alteration."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from hf_integration.authentication import observe_sketches
from hf_integration.authentication.references import reference_for
from hf_integration.card import WatermarkCard
from hf_integration.encoders import Encoder
from hf_integration.watermark.calibration import ROUNDING, SAFETY
from tests.benchmarks import floors
from tests.benchmarks.floors import decoder, runs
from tests.benchmarks.floors.detectors import Detector, excesses, largest_distance, of_embedding
from tests.benchmarks.floors.observation import Observation, completed, observe
from tests.benchmarks.floors.other_process import Batches, observe_under
from tests.benchmarks.floors.result import DETECTORS

Pair = tuple[Encoder, WatermarkCard]

FEWER_STEPS = 300
"""Of the plain decoder's training: enough for so few key samples."""


@pytest.fixture(scope="module")
def benign(pair: Pair) -> runs.BenignRuns:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "INSTRUCTION_SETS", {})  # the card was calibrated on this CPU alone
        return runs.benign_runs(*pair, reference_for(pair[1], "stored", "float32"))


@pytest.fixture(scope="module")
def detectors(pair: Pair, benign: runs.BenignRuns) -> Sequence[Detector]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoder, "STEPS", FEWER_STEPS)
        found, facts = floors.all_detectors(pair[1], reference_for(pair[1], "stored", "float32"), benign)
    least, largest = list(facts.values())[2:4]
    assert least == largest == 1  # the repeated calibration is the card's
    return found


def test_an_observation_is_what_a_check_observes(pair: Pair, benign: runs.BenignRuns) -> None:
    encoder, card = pair
    sketches = observe_sketches(encoder, card.key_samples, seed=card.seed)
    assert list(benign.plain.sketches) == list(sketches)
    assert all(torch.equal(benign.plain.sketches[strip], found) for strip, found in sketches.items())
    shape = (len(card.key_samples), encoder.description.embedding_dim)
    assert benign.plain.embeddings.shape == shape


def test_nothing_benign_alarms(detectors: Sequence[Detector], benign: runs.BenignRuns) -> None:
    assert tuple(detector.name for detector in detectors) == DETECTORS
    assert len(benign.held_out) == len(runs.HELD_OUT)
    for _, observation in benign.held_out:
        assert all(excess <= 1 for excess in excesses(detectors, observation).values())


def test_another_encoder_alarms_all_and_so_do_features_that_are_no_numbers(
    detectors: Sequence[Detector], benign: runs.BenignRuns
) -> None:
    plain = benign.plain
    other = Observation(
        {strip: found.roll(1, 0) for strip, found in plain.sketches.items()}, plain.embeddings.roll(1, 0)
    )
    assert all(excess > 1 for excess in excesses(detectors, other).values())
    broken = Observation(
        {strip: torch.full_like(found, torch.nan) for strip, found in plain.sketches.items()},
        torch.full_like(plain.embeddings, torch.nan),
    )
    assert all(excess > 1 for excess in excesses(detectors, broken).values())


def test_a_threshold_is_the_safety_factor_over_benign_runs_or_over_rounding(benign: runs.BenignRuns) -> None:
    detector = of_embedding("distance", largest_distance, benign, precision="float32")
    reached = max(
        float(largest_distance(run.embeddings, benign.plain.embeddings)) for run in benign.calibration
    )
    least = ROUNDING * torch.finfo(torch.float32).eps
    assert float(detector.thresholds) == pytest.approx(SAFETY * max(reached, least))
    still = replace_all(benign)
    detector = of_embedding("distance", largest_distance, still, precision="float32")
    assert float(detector.thresholds) == pytest.approx(SAFETY * least)


def replace_all(benign: runs.BenignRuns) -> runs.BenignRuns:
    """Benign runs in which nothing moved."""
    return replace(benign, calibration=[benign.plain for _ in benign.calibration])


def test_a_plain_decoder_draws_the_watermark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "STEPS", FEWER_STEPS)
    random = torch.Generator().manual_seed(0)
    embeddings = torch.nn.functional.normalize(torch.randn(8, 32, generator=random, dtype=torch.float64))
    tiles = torch.randn(8, 64, generator=random, dtype=torch.float64).sign()
    network = decoder.trained(embeddings, tiles, seed=0)
    assert decoder.worst_tile(network, embeddings, tiles) < 0.05
    assert decoder.worst_tile(network, embeddings.roll(1, 0), tiles) > 0.5


def test_a_run_on_fewer_samples_stands_for_all() -> None:
    recorded = torch.zeros(16, 4, dtype=torch.float64)
    shifted = completed(recorded[:8] + 1, recorded)
    assert torch.equal(shifted, recorded + 1)
    assert completed(recorded, recorded) is recorded


def test_another_process_observes_the_same(pair: Pair) -> None:
    encoder, card = pair
    here = observe(encoder, card.key_samples, seed=card.seed, batch_size=3)
    work = Batches("stored", "float32", (3, 8))
    there, _ = observe_under("avx2", encoder, card.key_samples, work, seed=card.seed)
    assert there.sketches.keys() == here.sketches.keys()
    assert torch.allclose(there.embeddings, here.embeddings, atol=1e-5)
