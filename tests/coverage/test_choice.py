"""Choosing key samples by what they wake."""

import torch

from hf_integration.coverage.choosing import choose


def test_the_sample_that_wakes_most_comes_first_and_its_double_last() -> None:
    rows = torch.tensor(
        [[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    )
    assert choose(rows, 4, [1.0] * 4) == [1, 3, 2, 0]


def test_a_channel_that_hardly_wakes_counts_more_than_a_louder_one() -> None:
    rows = torch.tensor([[5.0, 0.0], [9.0, 0.0], [0.0, 1e-5]])
    assert set(choose(rows, 2, [1.0] * 3)) == {0, 2}


def test_what_costs_more_must_wake_more() -> None:
    rows = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    assert choose(rows, 1, [1.0, 1.0]) == [0]
    assert choose(rows, 1, [3.0, 1.0]) == [1]


def test_no_sample_is_chosen_twice_even_if_none_wakes_anything() -> None:
    assert sorted(choose(torch.zeros(5, 3), 5, [1.0] * 5)) == [0, 1, 2, 3, 4]
    assert len(choose(torch.zeros(3, 0), 9, [1.0] * 3)) == 3
