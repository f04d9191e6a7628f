"""Key samples are run once each, in full precision, and one that was not run can never look intact."""

import pytest
import torch

from hf_integration.authentication.observation import observe_sketches, observe_within
from hf_integration.watermark import SKETCH_DIM, sketch
from tests.authentication.plain_encoder import PlainEncoder

SAMPLES = [index * "x" for index in range(1, 20)]


class Counted:
    def __init__(self) -> None:
        self.steps: list[int] = []

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


def test_batches_are_of_eight_run_as_a_check_runs_and_told_as_they_end() -> None:
    encoder, counted = PlainEncoder(), Counted()
    observe_sketches(encoder, SAMPLES, seed=5, progress=counted)
    assert [(len(batch), as_a_check) for batch, as_a_check in encoder.batches] == [
        (8, True),
        (8, True),
        (3, True),
    ]
    assert counted.steps == [8, 8, 3]


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


def test_time_left_over_is_used_to_the_end() -> None:
    found = observe_within(PlainEncoder(), SAMPLES, seed=5, seconds=1e6)
    whole = observe_sketches(PlainEncoder(), SAMPLES, seed=5)
    assert list(found) == list(whole)
    assert all(torch.equal(found[strip], whole[strip]) for strip in whole)
