"""Key samples are run once each, in full precision, and one that was not run can never look intact."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
import torch

from hf_integration.authentication import reconstruction as observation
from hf_integration.authentication.reconstruction import observe_sketches, observe_within
from hf_integration.encoders.interface import StripBatch
from hf_integration.key_samples.samples import Sample
from hf_integration.watermark import SKETCH_DIM, sketch
from tests.authentication.plain_encoder import PlainEncoder

SAMPLES = [index * "x" for index in range(1, 20)]


class Counted:
    def __init__(self) -> None:
        self.steps: list[int] = []

    def expect(self, seconds: float, stages: Mapping[str, float]) -> None:  # noqa: ARG002
        raise AssertionError("so does what follows")

    def start(self, what: str, total: int) -> None:  # noqa: ARG002
        raise AssertionError("a stage belongs to whoever asked for it")

    def advance(self, count: int = 1) -> None:
        self.steps.append(count)


def test_each_strip_has_a_sketch_of_every_sample_in_the_order_of_the_samples() -> None:
    found = observe_sketches(PlainEncoder(), SAMPLES, seed=5)
    lengths = torch.arange(1.0, 20.0, dtype=torch.float64)[:, None]
    assert list(found) == ["layer 0", "layer 1"]
    assert torch.equal(found["layer 0"], sketch(lengths, seed=5, strip="layer 0"))
    assert torch.equal(found["layer 1"], sketch(2 * lengths, seed=5, strip="layer 1"))
    assert found["layer 0"].dtype == torch.float64


@pytest.mark.parametrize("order", [list(reversed(range(19))), [*range(1, 19), 0]])
def test_the_order_of_running_is_the_callers_and_changes_no_row(order: list[int]) -> None:
    encoder = PlainEncoder()
    found = observe_sketches(encoder, SAMPLES, seed=5, order=order, batch_size=4)
    ran = [sample for batch, _ in encoder.batches for sample in batch]
    assert ran == [SAMPLES[index] for index in order]
    assert [len(batch) for batch, _ in encoder.batches] == [4, 4, 4, 4, 3]
    plain = observe_sketches(PlainEncoder(), SAMPLES, seed=5)
    assert all(torch.equal(found[strip], plain[strip]) for strip in plain)


def test_batches_are_of_sixteen_run_as_a_check_runs_and_told_as_they_end() -> None:
    encoder, counted = PlainEncoder(), Counted()
    observe_sketches(encoder, SAMPLES, seed=5, progress=counted)
    assert [(len(batch), as_a_check) for batch, as_a_check in encoder.batches] == [
        (16, True),
        (3, True),
    ]
    assert counted.steps == [16, 3]


def test_a_sample_that_an_encoder_leaves_out_is_not_a_number() -> None:
    encoder = PlainEncoder()
    encoder.skipped = {SAMPLES[2]}
    for sketches in observe_sketches(encoder, SAMPLES, seed=5).values():
        assert sketches.shape == (len(SAMPLES), SKETCH_DIM)
        assert sketches[2].isnan().all()
        assert not sketches[torch.arange(len(SAMPLES)) != 2].isnan().any()


def test_within_a_budget_the_first_samples_are_run_and_told() -> None:
    encoder, counted = PlainEncoder(), Counted()
    found = observe_within(encoder, SAMPLES, seed=5, seconds=-1, progress=counted)
    assert [batch for batch, _ in encoder.batches] == [SAMPLES[:8]]
    assert counted.steps == [8]
    whole = observe_sketches(PlainEncoder(), SAMPLES, seed=5)
    assert all(torch.equal(found[strip], whole[strip][:8]) for strip in whole)


class Clock:
    """Counts samples instead of seconds, from some time on: a clock begins anywhere."""

    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        return self.now


class Timed(PlainEncoder):
    """Takes so many seconds for each sample, and twice as long from its second batch on if it is tired."""

    def __init__(self, clock: Clock, *, pace: float = 1.0, tired: bool = False) -> None:
        super().__init__()
        self.clock, self.pace, self.tired = clock, pace, tired

    def observe(self, samples: Sequence[Sample], **options: Any) -> Iterator[StripBatch]:
        self.clock.now += len(samples) * self.pace * (2 if self.tired and self.batches else 1)
        return super().observe(samples, **options)


@pytest.mark.parametrize(
    ("tired", "seconds", "ran"),
    [
        (False, 0, 8),
        (False, 15.9, 8),
        (False, 16, 16),
        (False, 18.9, 16),
        (False, 24, 19),
        # 8 seconds, then 16: a third batch of which 16 are to be expected would end after 40
        (True, 15.9, 8),
        (True, 16, 16),
        (True, 39.9, 16),
        (True, 40, 19),
    ],
)
def test_no_batch_is_begun_that_would_likely_end_too_late(
    monkeypatch: pytest.MonkeyPatch, tired: bool, seconds: float, ran: int
) -> None:
    clock = Clock()
    monkeypatch.setattr(observation, "time", clock)
    found = observe_within(Timed(clock, tired=tired), SAMPLES, seed=5, seconds=seconds)
    assert {len(sketches) for sketches in found.values()} == {ran}


@pytest.mark.parametrize(("seconds", "ran"), [(0.24, 8), (0.25, 16), (0.37, 16), (0.375, 19)])
def test_batches_are_expected_to_take_as_long_as_those_before_however_short(
    monkeypatch: pytest.MonkeyPatch, seconds: float, ran: int
) -> None:
    clock = Clock()
    monkeypatch.setattr(observation, "time", clock)
    encoder = Timed(clock, pace=1 / 64)  # an eighth of a second for eight samples
    found = observe_within(encoder, SAMPLES, seed=5, seconds=seconds)
    assert {len(sketches) for sketches in found.values()} == {ran}


def test_a_small_card_is_run_sample_by_sample() -> None:
    assert [observation.step_within(count) for count in (1, 8, 9, 64)] == [1, 1, 8, 8]


def test_time_left_over_is_used_to_the_end() -> None:
    found = observe_within(PlainEncoder(), SAMPLES, seed=5, seconds=1e6)
    whole = observe_sketches(PlainEncoder(), SAMPLES, seed=5)
    assert list(found) == list(whole)
    assert all(torch.equal(found[strip], whole[strip]) for strip in whole)
