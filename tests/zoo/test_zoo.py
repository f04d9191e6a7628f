"""A part of the zoo, whole; and that the zoo finds what is wrong."""

import dataclasses
from collections import Counter

import pytest

from tests.threads import one_thread
from tests.zoo.__main__ import summary
from tests.zoo.checking import Outcome, check
from tests.zoo.layout import Layout
from tests.zoo.layouts import PART, layouts
from tests.zoo.most_used import MOST_USED, share

__all__ = ["one_thread"]

BY_NAME = {layout.name: layout for layout in layouts()}


# refused only once they are minted, which takes longer
ONCE_MINTED = ("aimv2, texts", "canine", "groupvit, images", "mra", "prophetnet")
REFUSED = [name for name, layout in BY_NAME.items() if layout.refused and name not in ONCE_MINTED]


@pytest.mark.parametrize("name", sorted(PART))
def test_a_layout_works_from_minting_to_the_last_altered_setting(name: str) -> None:
    outcome = check(BY_NAME[name])
    assert outcome.state == "works", outcome.said
    assert "altered" in outcome.said


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_for_its_reason(name: str) -> None:
    outcome = check(BY_NAME[name])
    assert outcome.state == "refused", outcome.said


def test_every_layout_has_a_name_of_its_own() -> None:
    assert max(Counter(layout.name for layout in layouts()).values()) == 1
    assert set(BY_NAME) >= PART
    assert len(BY_NAME) > 250


def test_the_encoders_that_are_used_most_have_layouts_that_are_there() -> None:
    assert {layout.removeprefix("*") for layout in MOST_USED.values()} <= set(BY_NAME)
    assert len(MOST_USED) > 100


WRONG: dict[str, tuple[Layout, str]] = {
    "another embedding than the library's": (
        dataclasses.replace(BY_NAME["dinov2"], use="mean"),
        "differs from the library's own use by",
    ),
    "refused and should work": (dataclasses.replace(BY_NAME["patchtst"], refused=""), "it takes time series"),
    "refused for another reason": (dataclasses.replace(BY_NAME["patchtst"], refused="videos"), "time series"),
    "works and should be refused": (
        dataclasses.replace(BY_NAME["bert"], refused="texts"),
        "should be refused",
    ),
    "cannot be built": (dataclasses.replace(BY_NAME["bert"], saved="BertModelOfNobody"), "BertModelOfNobody"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_called_that(what: str) -> None:
    layout, said = WRONG[what]
    outcome = check(layout)
    assert outcome.state == "WRONG"
    assert said in outcome.said


def test_an_alteration_that_is_not_found_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.layouts.trying._end", lambda *_: "SILENT")
    outcome = check(BY_NAME["bert"])
    assert (outcome.state, outcome.said[:8]) == ("WRONG", "silent: ")


def test_the_summary_counts_and_says_which_encoders_do_not_work() -> None:
    outcomes = [
        Outcome(BY_NAME["bert"], "works", ""),
        Outcome(BY_NAME["timm resnet50, as published"], "refused", ""),
    ]
    assert summary(outcomes) == "2 layouts: 1 works, 1 refused, 0 WRONG"
    said = share({outcome.layout.name: outcome.state for outcome in outcomes})
    assert "timm/resnet50.a1_in1k (timm resnet50, as published: refused)" in said
    assert "6 have a layout that was checked here, and 5 of these work (83.3%), 4 once sslauth" in said
    assert share({}) == ""
