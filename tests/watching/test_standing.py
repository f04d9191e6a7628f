"""What a history says of its subjects: the newest check, its age, what changed and when it broke."""

from datetime import timedelta
from itertools import pairwise, product
from typing import Any

import pytest

from hf_integration.base.vocabulary import ExitStatus
from hf_integration.watching.entry import WORST_FIRST, Subject, of_error, worst
from hf_integration.watching.standing import AHEAD, Standing, long, standings
from tests.watching.histories import KINDS, START, SUBJECT, deployment, entry, hourly

PASSES = {"authentic", "waived"}
STATUS = {"authentic": 0, "waived": 0, "altered": 1, "inconclusive": 3, "error": 3}

HOUR = timedelta(hours=1)


def standing(kinds: tuple[str, ...], *, age: timedelta = HOUR, max_age: timedelta = 2 * HOUR) -> Standing:
    entries = hourly(kinds)
    (found,) = standings(entries, now=entries[-1].began + age, max_age=max_age)
    return found


@pytest.mark.parametrize("kinds", list(product(KINDS, repeat=3)), ids=",".join)
class TestEveryCourseOfThreeChecks:
    def test_has_the_status_of_the_newest(self, kinds: tuple[str, ...]) -> None:
        assert standing(kinds).exit_status == STATUS[kinds[-1]]

    def test_is_no_pass_once_it_is_too_old(self, kinds: tuple[str, ...]) -> None:
        found = standing(kinds, age=2 * HOUR + timedelta(seconds=1))
        assert found.exit_status == (STATUS[kinds[-1]] or 3)
        assert found.stale == "nothing was checked for 2 h"

    def test_knows_when_it_broke(self, kinds: tuple[str, ...]) -> None:
        broke = standing(kinds).broke
        passed = [number for number, kind in enumerate(kinds) if kind in PASSES]
        since = passed[-1] + 1 if passed else 0
        assert (broke.began if broke else None) == (START + since * HOUR if since < 3 else None)

    def test_knows_the_last_authentic_one(self, kinds: tuple[str, ...]) -> None:
        authentic = [hour for hour, kind in enumerate(kinds) if kind == "authentic"]
        assert standing(kinds).last_authentic == (START + authentic[-1] * HOUR if authentic else None)

    def test_tells_every_change_of_status(self, kinds: tuple[str, ...]) -> None:
        found = [
            (change.at, change.before, change.after)
            for change in standing(kinds).changes()
            if change.what == "status"
        ]
        words = [{"waived": "altered, waived"}.get(kind, kind) for kind in kinds]
        pairs = pairwise(words)
        expected = [(START + hour * HOUR, *pair) for hour, pair in enumerate(pairs, 1) if len(set(pair)) > 1]
        assert found == expected


class TestAge:
    def test_just_within_is_new_and_just_beyond_is_not(self) -> None:
        assert standing(("authentic",), age=2 * HOUR).stale is None
        assert standing(("authentic",), age=2 * HOUR + timedelta(seconds=1)).stale

    def test_a_check_from_the_future_is_no_pass(self) -> None:
        assert standing(("authentic",), age=-AHEAD).exit_status == 0
        late = standing(("authentic",), age=-AHEAD - timedelta(seconds=1))
        assert late.exit_status == 3
        assert late.stale == "the newest check is dated 5 min in the future"

    def test_by_default_three_days_are_too_old(self) -> None:
        (found,) = standings(hourly(["authentic"]), now=START + timedelta(days=3))
        assert (found.exit_status, found.stale) == (3, "nothing was checked for 3 days")

    @pytest.mark.parametrize(
        ("span", "said"),
        [
            (timedelta(0), "0 s"),
            (timedelta(seconds=59), "59 s"),
            (timedelta(minutes=12, seconds=3), "12 min"),
            (timedelta(hours=5, minutes=4), "5 h 4 min"),
            (timedelta(days=1, hours=2, minutes=9), "1 day 2 h"),
            (timedelta(days=400), "400 days"),
        ],
    )
    def test_is_said_in_words(self, span: timedelta, said: str) -> None:
        assert long(span) == said


class TestChanges:
    @pytest.mark.parametrize(
        ("what", "before", "after"),
        [
            ("recipe", {"deployment": deployment("tei: tanh GELU")}, {"deployment": deployment("torch")}),
            ("recipe", {"deployment": deployment("torch")}, {"deployment": deployment(None)}),
            ("trust", {"trust": "pinned"}, {"trust": "local"}),
            ("revision", {"revision": "a" * 40}, {"revision": "b" * 40}),
            ("revision", {"revision": None}, {"revision": "b" * 40}),
        ],
    )
    def test_each_kind_is_told_though_an_error_came_between(
        self, what: str, before: dict[str, Any], after: dict[str, Any]
    ) -> None:
        course = [entry("authentic", **before), entry("error", hours=1), entry("authentic", hours=2, **after)]
        (found,) = standings(course, now=START + 3 * HOUR)
        (change,) = [one for one in found.changes() if one.what != "status"]
        assert (change.what, change.at) == (what, START + 2 * HOUR)

    def test_of_an_earlier_time_are_left_out(self) -> None:
        found = standing(("authentic", "altered", "authentic"))
        assert len(found.changes()) == 2
        assert [change.after for change in found.changes(START + 2 * HOUR)] == ["authentic"]


def test_subjects_are_told_apart_by_encoder_endpoint_and_model() -> None:
    subjects = [Subject("a"), Subject("a", "http://h"), Subject("a", "http://h", "m"), Subject("b")]
    course = [entry(kind, subject=subject) for subject in subjects for kind in ("error", "authentic")]
    found = standings(course[::-1], now=START + HOUR)
    assert [one.subject for one in found] == subjects
    assert [one.exit_status for one in found] == [3, 3, 3, 3]  # of each, the error was recorded last


class TestTheWorst:
    def test_counts_whatever_the_order(self) -> None:
        for one, other in product(WORST_FIRST, repeat=2):
            expected = min(one, other, key=WORST_FIRST.index)
            assert worst([one, other]) == worst([other, one]) == expected

    def test_is_an_altered_encoder(self) -> None:
        assert worst(list(WORST_FIRST)) == ExitStatus.ALTERED

    def test_is_never_a_pass_with_a_status_that_nobody_knows(self) -> None:
        assert worst([0, 99]) == ExitStatus.INTERNAL


@pytest.mark.parametrize("status", list(ExitStatus))
def test_an_error_is_never_recorded_with_a_verdicts_status_of_0_or_1(status: ExitStatus) -> None:
    recorded = of_error("boom", status, SUBJECT, began=START, seconds=1).exit_status
    assert recorded not in (0, 1)
    assert recorded == (70 if status in (0, 1) else status)
