"""The test behind a baseline: false alarms are as rare as stated, whatever the noise; changes are found."""

from collections.abc import Mapping
from itertools import combinations, product

import numpy as np
import pytest

from hf_integration.base.errors import InconclusiveError
from hf_integration.baselines.baseline import Mode
from hf_integration.baselines.comparison import FALSE_ALARMS, FLOOR, _of_all, _orders, _unnoticed, compare
from hf_integration.stamps.forms import Array
from tests.baselines.servers import Answers, baseline, noisy, rounded, routed, rows, variants

BEFORE, NOW = 8, 2

STABLE: dict[str, Answers] = {
    "without any noise": noisy(0.0),
    "float32": noisy(1e-6),
    "bfloat16": noisy(1e-2),
    "bfloat16 in batches alone": noisy(0.0, together=1e-2),
    "very noisy": noisy(0.3),
    "8 different answers": variants(8, 0.2),
    "2 different answers": variants(2, 1.0),
    "4 decimals": rounded(noisy(1e-5), 4),
    "3 decimals": rounded(noisy(1e-4), 3),
    "two precisions": routed(noisy(1e-6), noisy(1e-2), 0.3),
    "rarely far away": routed(noisy(1e-6), noisy(1e-6, encoder=7), 0.02),
}


@pytest.mark.parametrize("kind", list(STABLE))
def test_an_endpoint_that_did_not_change_raises_no_more_alarms_than_are_stated(kind: str) -> None:
    """300 checks: with the stated rate, more than 3 alarms are less likely than one in a thousand."""
    draw, chance, trials = STABLE[kind], np.random.default_rng(1), 300
    alarms = sum(
        compare(baseline(draw(chance, BEFORE)), draw(chance, NOW)).status == "changed" for _ in range(trials)
    )
    assert alarms <= 3, f"{alarms} of {trials}, and {FALSE_ALARMS * trials} are stated"


@pytest.mark.parametrize(
    ("before", "now", "share"),
    [
        ("float32", noisy(1e-6, encoder=1), 1.0),
        ("bfloat16", noisy(1e-2, encoder=1), 1.0),
        ("very noisy", noisy(0.3, encoder=1), 1.0),
        ("8 different answers", noisy(0.0, encoder=1), 1.0),
        ("without any noise", noisy(0.0, moved=1e-5), 1.0),
        ("float32", noisy(1e-6, moved=1e-4), 1.0),
        ("bfloat16 in batches alone", noisy(0.0, together=1e-2, moved=1e-4), 1.0),
        ("bfloat16", noisy(1e-2, moved=1e-2), 1.0),
        ("float32", noisy(1e-2), 1.0),
        ("bfloat16", noisy(2e-2), 1.0),
        ("without any noise", rounded(noisy(0.0), 5), 1.0),
        ("4 decimals", rounded(noisy(1e-5), 3), 1.0),
        ("float32", routed(noisy(1e-6), noisy(1e-6, encoder=7), 0.2), 0.99),
        ("bfloat16", routed(noisy(1e-2), noisy(1e-2, encoder=7), 0.2), 0.99),
        ("float32", routed(noisy(1e-6), noisy(1e-6, encoder=7), 0.1), 0.9),
    ],
)
def test_a_change_is_found(before: str, now: Answers, share: float) -> None:
    chance, trials = np.random.default_rng(2), 50
    found = sum(
        compare(baseline(STABLE[before](chance, BEFORE)), now(chance, NOW)).status == "changed"
        for _ in range(trials)
    )
    assert found >= share * trials


def test_the_numbers_of_pairs_are_those_of_all_orders() -> None:
    for before, now in product(range(2, 7), range(1, 4)):
        counts = np.zeros(before * now + 1)
        for new in combinations(range(before + now), now):
            old = [place for place in range(before + now) if place not in new]
            counts[sum(one > other for one in new for other in old)] += 1
        assert np.allclose(_orders(before, now), counts / counts.sum(), atol=1e-12)


def test_the_distribution_of_the_sum_is_one() -> None:
    for before, now, strata in ((16, 8, 48), (2, 1, 16), (8, 2, 48)):
        found = _of_all(before, now, strata)
        assert found.min() >= 0
        assert found.sum() == pytest.approx(1)


def test_what_is_said_to_go_unnoticed_does_not_go_unnoticed_more_often() -> None:
    share, chance = _unnoticed(96, BEFORE, NOW), np.random.default_rng(3)
    assert 0.05 < share < 0.2
    usual, other = noisy(1e-6), routed(noisy(1e-6), noisy(1e-6, encoder=7), share)
    known = baseline(usual(chance, BEFORE))
    missed = sum(compare(known, other(chance, NOW)).status == "unchanged" for _ in range(300))
    assert missed <= 10  # 3 are stated


class TestWhatIsSaid:
    def test_unchanged_is_never_more_than_that(self) -> None:
        chance = np.random.default_rng(0)
        change = compare(baseline(noisy(1e-3)(chance, BEFORE)), noisy(1e-3)(chance, NOW))
        assert (change.status, change.exit_status) == ("unchanged", 0)
        assert str(change).startswith("UNCHANGED since 2026-11-28T12:10:00+00:00: https://example.com/v1\n")
        assert "whose encoder answers is not known" in change.reason
        assert "authentic" not in str(change.to_dict()).lower()

    def test_changed_says_since_when_and_how_far(self) -> None:
        chance = np.random.default_rng(0)
        change = compare(baseline(noisy(1e-6)(chance, BEFORE)), noisy(1e-6, encoder=1)(chance, NOW))
        assert (change.status, change.exit_status, change.strays) == ("changed", 1, 96)
        assert str(change).startswith("CHANGED since 2026-11-28T12:10:00+00:00")
        assert "answers are typically 1.4e+00 from the baseline" in change.reason

    def test_strays_are_counted(self) -> None:
        chance = np.random.default_rng(0)
        other = routed(noisy(1e-6), noisy(1e-6, encoder=7), 0.2)
        change = compare(baseline(noisy(1e-6)(chance, BEFORE)), other(chance, NOW))
        assert change.reason.startswith(
            f"{change.strays} of 96 answers are further from the baseline than any"
        )

    @pytest.mark.parametrize(
        ("factor", "width", "decimals", "said"),
        [
            (1.0, 32, 4, "rounded to 4 decimals"),
            (2.0, 32, None, "scaled by 2"),
            (1.0, 16, None, "only the first 16 of 32 dimensions"),
        ],
    )
    def test_what_the_numbers_show(self, factor: float, width: int, decimals: int | None, said: str) -> None:
        known = baseline(noisy(0.0)(np.random.default_rng(0), BEFORE))
        given = factor * rows()[:, :width]
        given = given if decimals is None else np.round(given, decimals)
        stacked = np.stack([given] * NOW)
        change = compare(known, {"alone": stacked, "together": stacked})
        assert (change.status, change.differences) == ("changed", (said,))
        assert said in change.reason


def test_what_float32_does_not_tell_apart_is_no_change() -> None:
    """A deterministic endpoint whose machine is replaced by one that sums in another order."""
    chance = np.random.default_rng(0)
    known = baseline(noisy(0.0)(chance, BEFORE))
    assert compare(known, noisy(0.0, moved=0.9 * FLOOR)(chance, NOW)).status == "unchanged"
    assert compare(known, noisy(0.0, moved=1.1 * FLOOR)(chance, NOW)).status == "changed"


@pytest.mark.parametrize("texts", [1, 2, 3, 4, 8, 24])
@pytest.mark.parametrize(("before", "now"), [(2, 1), (2, 2), (8, 1), (8, 2), (2, 64), (64, 1)])
def test_what_no_change_could_show_is_never_called_unchanged(texts: int, before: int, now: int) -> None:
    chance = np.random.default_rng(0)

    def some(answers: Mapping[Mode, Array]) -> Mapping[Mode, Array]:
        return {mode: rows[:, :texts] for mode, rows in answers.items()}

    known = baseline(some(noisy(1e-6)(chance, before)))
    other, same = (some(noisy(1e-6, encoder=encoder)(chance, now)) for encoder in (1, 0))
    try:
        assert compare(known, other).status == "changed"
    except InconclusiveError:
        with pytest.raises(InconclusiveError, match="so few that no change could be told"):
            compare(known, same)
