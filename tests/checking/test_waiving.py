"""Waivers: of one state, until the end of one day, and for nothing that digests cannot tell apart."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from hf_integration.checking.pins import Waiver
from hf_integration.checking.waiving import waived
from hf_integration.verdict import Accepted, FileEvidence, TensorEvidence, Verdict
from tests.report.verdicts import ALTERED, AUTHENTIC, INCONCLUSIVE

STATE = "sha256:" + "cd" * 32
LAST = date(2030, 1, 31)
WAIVER = Waiver(STATE, "fixed upstream", LAST)
FOUND = replace(ALTERED, state=STATE)


def test_a_waived_alteration_stays_altered_and_is_accepted() -> None:
    verdict = waived(FOUND, [WAIVER], today=LAST, expires=None)
    assert (verdict.status, verdict.authentic, verdict.accepted, verdict.exit_status) == (
        "altered",
        False,
        True,
        0,
    )
    assert verdict.waiver == Accepted("fixed upstream", "2030-01-31")
    assert Verdict.from_dict(verdict.to_dict()) == verdict


@pytest.mark.parametrize(
    "found",
    [
        replace(FOUND, files=FileEvidence(checked=3)),
        # a re-encoding whose settings were edited: its tensors match, its state is its own
        replace(FOUND, tensors=TensorEvidence(checked=20, matches="float16")),
    ],
    ids=["tensors alone", "files alone"],
)
def test_either_kind_of_alteration_can_be_waived(found: Verdict) -> None:
    assert waived(found, [WAIVER], today=LAST, expires=None).accepted


def test_the_advice_not_to_use_the_encoder_gives_way_to_what_to_do_until_when() -> None:
    verdict = waived(
        replace(FOUND, diagnosis=("first", "second", "do not use")), [WAIVER], today=LAST, expires=None
    )
    assert verdict.diagnosis == (
        "first",
        "second",
        "accepted until 2030-01-31: mint and lock a new card before, and take the waiver out",
    )


@pytest.mark.parametrize(("days", "accepted"), [(-400, True), (0, True), (1, False), (400, False)])
def test_a_waiver_ends_after_its_last_day(days: int, accepted: bool) -> None:
    verdict = waived(FOUND, [WAIVER], today=LAST + timedelta(days), expires=None)
    assert verdict.accepted == accepted
    assert verdict.exit_status == (0 if accepted else 1)


def test_an_expired_waiver_is_named() -> None:
    verdict = waived(FOUND, [WAIVER], today=LAST + timedelta(1), expires=None)
    assert verdict.waiver is None
    assert verdict.reason == f"{ALTERED.reason}; its waiver ended on 2030-01-31: fixed upstream"


@pytest.mark.parametrize(("days", "accepted"), [(-1, False), (0, True), (400, True)])
def test_nothing_is_excused_by_a_card_that_expired(days: int, accepted: bool) -> None:
    last_day = (LAST + timedelta(days)).isoformat()
    verdict = waived(FOUND, [WAIVER], today=LAST, expires=last_day)
    assert (verdict.accepted, verdict.exit_status) == (accepted, 0 if accepted else 1)
    assert accepted or verdict.reason == (
        f"{ALTERED.reason}; its waiver is not applied, as the card expired on {last_day}: fixed upstream"
    )


def test_the_waiver_that_ends_last_decides() -> None:
    later = replace(WAIVER, until=LAST + timedelta(9), reason="later")
    verdict = waived(FOUND, [later, WAIVER], today=LAST + timedelta(1), expires=None)
    assert verdict.waiver == Accepted("later", "2030-02-09")


@pytest.mark.parametrize(
    "verdict",
    [
        replace(FOUND, state="sha256:" + "cd" * 31 + "ce"),
        replace(FOUND, state=""),
        replace(AUTHENTIC, state=STATE),
        replace(INCONCLUSIVE, state=STATE),
        # all tensors and files equal: code broke the watermark, and the state is that of the real encoder
        replace(FOUND, tensors=TensorEvidence(checked=20, matches="stored"), files=FileEvidence(checked=3)),
    ],
    ids=["another state", "no weights", "authentic", "inconclusive", "code"],
)
def test_nothing_else_is_excused(verdict: Verdict) -> None:
    assert waived(verdict, [WAIVER], today=LAST, expires=None) is verdict
    assert verdict.waiver is None


@pytest.mark.parametrize("state", ["", None])
def test_a_state_that_is_empty_fits_no_waiver(state: str | None) -> None:
    assert not waived(
        replace(FOUND, state=state), [replace(WAIVER, state="")], today=LAST, expires=None
    ).accepted


@pytest.mark.parametrize("status", ["authentic", "inconclusive"])
def test_a_waiver_on_another_status_accepts_nothing(status: str) -> None:
    verdict = replace(INCONCLUSIVE, status=status, waiver=Accepted("r", "2030-01-31"))  # type: ignore[arg-type]
    assert verdict.accepted == (status == "authentic")
