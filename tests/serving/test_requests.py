"""What is asked in which request, and what is said of texts whose answers differ from request to request."""

from collections import Counter
from itertools import product

import pytest
import torch
from torch import Tensor

from hf_integration.coverage.lengths import CUTS
from hf_integration.serving.noticing import requests_to_notice, unnoticed_share
from hf_integration.serving.requests import BATCHES, REPEATED, different_answers, moments, planned

LONG = min(CUTS)


@pytest.mark.parametrize("count", [1, 2, 7, 8, 15, 16, 23, 24, 64, 90, 300])
@pytest.mark.parametrize("long", [0, 1, 5])
@pytest.mark.parametrize("batches", [0, 1, BATCHES])
class TestPlan:
    def test_every_request_has_one_new_text(self, count: int, long: int, batches: int) -> None:
        tokens = [LONG] * min(long, count) + [5] * (count - min(long, count))
        plan = planned(tokens, batches=batches)
        assert len(plan.groups) == count
        times = Counter(index for group in plan.groups for index in group)
        assert sorted(times) == list(range(count))
        alone = {group[0] for group in plan.groups if len(group) == 1}
        # the new text of a batch is in no other request, and all others of it are asked alone as well
        for place in plan.batches:
            assert len([index for index in plan.groups[place] if index not in alone]) == 1
            assert len(set(plan.groups[place])) == len(plan.groups[place])
        assert {times[index] for index in alone} <= {1, 1 + len(plan.batches)}

    def test_long_texts_are_alone_and_may_be_refused(self, count: int, long: int, batches: int) -> None:
        tokens = [LONG] * min(long, count) + [5] * (count - min(long, count))
        plan = planned(tokens, batches=batches)
        assert {plan.groups[place] for place in plan.long} == {(index,) for index in range(min(long, count))}
        assert not plan.long & plan.batches

    def test_most_requests_are_for_one_text(self, count: int, long: int, batches: int) -> None:
        plan = planned([5] * count + [LONG] * long, batches=batches)
        count += long
        assert len(plan.batches) <= min(batches, count // 8)
        if count >= 24 + long:
            assert len(plan.batches) == batches
            assert {len(plan.groups[place]) for place in plan.batches} <= {1 + REPEATED}


def test_no_two_plans_are_alike() -> None:
    plans = [planned([5] * 64, batches=BATCHES) for _ in range(20)]
    assert len({plan.groups for plan in plans}) == 20
    assert len({plan.batches for plan in plans}) > 1


class TestMoments:
    @pytest.mark.parametrize("spread", [0.0, 1.0, 600.0])
    def test_are_in_order_and_within_the_time(self, spread: float) -> None:
        found = moments(90, spread)
        assert len(found) == 90
        assert found == sorted(found)
        assert 0 <= found[0] <= found[-1] <= spread

    def test_nobody_can_foresee_them(self) -> None:
        assert moments(90, 600.0) != moments(90, 600.0)


def texts_with(*patterns: tuple[int, ...]) -> list[Tensor]:
    """For each text, its answers by their kind: the first is the one of the text alone."""
    kinds = torch.eye(8, dtype=torch.float64)
    return [torch.stack([kinds[kind] for kind in pattern]) for pattern in patterns]


class TestDifferentAnswers:
    @pytest.mark.parametrize("pattern", list(product(range(3), repeat=4)), ids=str)
    def test_are_counted_whatever_their_order(self, pattern: tuple[int, ...]) -> None:
        said = different_answers(texts_with(pattern, (0, 0, 0, 0)), 1e-6)
        count = len(set(pattern))
        if count == 1:
            assert said is None
        else:
            assert said is not None
            assert said.startswith(f"the same text gave {count} different answers in 4 requests")

    def test_that_go_by_whether_a_text_is_alone_are_told_apart(self) -> None:
        said = different_answers(texts_with((0, 1, 1, 1), (2, 3, 3, 3)), 1e-6)
        assert said is not None
        assert "if a text is not alone in its request" in said

    def test_within_what_is_tolerated_are_the_same(self) -> None:
        answers = torch.tensor([[1.0, 0.0], [1.0, 0.9e-3], [1.0, -0.9e-3]], dtype=torch.float64)
        assert different_answers([answers], 1e-3) is None
        assert different_answers([answers], 0.8e-3) is not None

    def test_of_nothing_are_none(self) -> None:
        assert different_answers([], 1e-6) is None
        assert different_answers([torch.zeros(3, 4, dtype=torch.float64)], 1e-6) is None


class TestNoticing:
    @pytest.mark.parametrize(
        ("share", "confidence", "requests"),
        [
            (0.1, 0.95, 29),
            (0.1, 0.99, 44),
            (0.05, 0.95, 59),
            (0.05, 0.99, 90),
            (0.01, 0.95, 299),
            (0.01, 0.99, 459),
        ],
    )
    def test_takes_as_many_requests_as_it_must(self, share: float, confidence: float, requests: int) -> None:
        assert requests_to_notice(share, confidence) == requests
        assert 1 - (1 - share) ** requests >= confidence > 1 - (1 - share) ** (requests - 1)
        assert unnoticed_share(requests, confidence) <= share < unnoticed_share(requests - 1, confidence)

    @pytest.mark.parametrize("value", [0.0, 1.0, -0.1, 1.1, float("nan"), float("inf")])
    def test_asks_for_shares(self, value: float) -> None:
        for share, confidence in ((value, 0.99), (0.05, value)):
            with pytest.raises(ValueError, match="between 0 and 1"):
                requests_to_notice(share, confidence)

    @pytest.mark.parametrize("share", [1e-17, 1e-300, 5e-324])
    def test_the_smallest_share_takes_more_than_anybody_has(self, share: float) -> None:
        assert requests_to_notice(share) > 10**15

    def test_without_requests_anything_goes_unnoticed(self) -> None:
        assert unnoticed_share(0) == 1.0
