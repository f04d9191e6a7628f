"""The verdict table, row by row: nothing but its last rows is authentic."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from hf_integration.authentication.judgement import SELF_ASSERTED, Findings, Policy, judge
from hf_integration.encoders.identity.in_process import Finding
from hf_integration.verdict import FileEvidence, Status, StripResult, TensorEvidence

EQUAL = TensorEvidence(checked=10, matches="stored")
HALF = TensorEvidence(checked=10, matches="float16")
DIFFERENT = TensorEvidence(checked=10, changed=("layer.3.weight",))
MISSING = TensorEvidence(checked=10, missing=("layer.3.weight",))
NONE = TensorEvidence(checked=0)
SAME_FILES = FileEvidence(checked=4)
OTHER_FILES = FileEvidence(checked=4, changed=("config.json: hidden_act: gelu -> relu",))


def _judge(
    *,
    intact: bool = True,
    first_broken: str | None = None,
    accept_self_asserted: bool = False,
    clean_process: bool = False,
    **facts: Any,
) -> tuple[Status, str]:
    strips = [StripResult("processor", 0.1, 0.4, True, 0.1)]
    if not intact:
        strips.append(StripResult(first_broken or "layer 1", 0.9, 0.4, False, 3.0))
    usual = {
        "strips": tuple(strips),
        "tensors": EQUAL,
        "files": SAME_FILES,
        "has_weights": True,
        "stored_dtype": "float32",
        "trust": "local",
    }
    policy = Policy(self_asserted=accept_self_asserted, clean_process=clean_process)
    return judge(Findings(**{**usual, **facts}), policy)


def test_everything_equal_is_authentic() -> None:
    assert _judge()[0] == "authentic"


def test_a_recorded_cast_is_authentic_and_called_a_re_encoding() -> None:
    status, reason = _judge(tensors=HALF)
    assert status == "authentic"
    assert "re-encoding" in reason
    assert "float16" in reason


def test_so_is_one_of_a_part_of_the_tensors_which_says_how_many() -> None:
    partly = TensorEvidence(checked=10, matches="float16", kept=4)
    status, reason = _judge(tensors=partly)
    assert status == "authentic"
    assert reason.endswith("a re-encoding: 6 tensors rounded to float16, 4 as stored")


@pytest.mark.parametrize("tensors", [DIFFERENT, MISSING])
@pytest.mark.parametrize("intact", [True, False])
def test_different_tensors_are_altered_whatever_the_watermark_says(
    tensors: TensorEvidence, intact: bool
) -> None:
    status, reason = _judge(tensors=tensors, intact=intact, first_broken=None if intact else "layer 4")
    assert status == "altered"
    assert "layer.3.weight" in reason


def test_an_intact_watermark_over_different_tensors_says_that_the_change_is_below_the_floor() -> None:
    assert "below the floor" in _judge(tensors=DIFFERENT)[1]


@pytest.mark.parametrize("tensors", [EQUAL, HALF, DIFFERENT, NONE])
@pytest.mark.parametrize("intact", [True, False])
def test_different_behaviour_is_altered_and_named(intact: bool, tensors: TensorEvidence) -> None:
    status, reason = _judge(files=OTHER_FILES, intact=intact, tensors=tensors)
    assert status == "altered"
    assert "hidden_act" in reason


@pytest.mark.parametrize("clean", [True, False])
def test_an_encoder_that_cannot_run_leaves_the_question_open(clean: bool) -> None:
    status, reason = _judge(failure="ValueError: no", intact=False, clean_process=clean)
    assert (status, reason) == ("inconclusive", "the key samples could not be run: ValueError: no")
    assert _judge(failure="ValueError: no", intact=False, tensors=DIFFERENT)[0] == "altered"


@pytest.mark.parametrize("tensors", [EQUAL, DIFFERENT])
def test_another_kind_of_encoder_is_altered_and_said_before_all_its_settings(tensors: TensorEvidence) -> None:
    status, reason = _judge(other_kind="width 32 instead of 16", files=OTHER_FILES, tensors=tensors)
    assert (status, reason) == ("altered", "another encoder than the card's: width 32 instead of 16")


def test_a_broken_watermark_over_equal_tensors_is_inconclusive() -> None:
    status, reason = _judge(intact=False, first_broken="layer 2")
    assert status == "inconclusive"
    assert "layer 2" in reason


def test_a_broken_watermark_over_equal_tensors_is_altered_in_a_process_that_the_caller_calls_clean() -> None:
    assert _judge(intact=False, first_broken="layer 2", clean_process=True)[0] == "altered"


def test_without_tensors_an_intact_watermark_is_authentic_as_far_as_it_reaches() -> None:
    status, reason = _judge(tensors=NONE, has_weights=False)
    assert status == "authentic"
    assert "floor" in reason


def test_without_tensors_a_broken_watermark_is_altered() -> None:
    assert _judge(tensors=NONE, has_weights=False, intact=False, first_broken="embedding")[0] == "altered"


def test_a_source_with_weights_cannot_pass_by_showing_no_tensors() -> None:
    assert _judge(tensors=NONE)[0] == "altered"


@pytest.mark.parametrize("tensors", [EQUAL, HALF])
def test_a_self_asserted_card_is_never_a_pass_unless_accepted(tensors: TensorEvidence) -> None:
    assert _judge(trust="self-asserted", tensors=tensors)[0] == "inconclusive"
    assert _judge(trust="self-asserted", tensors=tensors, accept_self_asserted=True)[0] == "authentic"


@pytest.mark.parametrize("accept", [True, False])
def test_a_self_asserted_card_still_shows_an_alteration(accept: bool) -> None:
    assert _judge(trust="self-asserted", tensors=DIFFERENT, accept_self_asserted=accept)[0] == "altered"


def test_no_strip_at_all_is_no_intact_watermark() -> None:
    assert _judge(strips=())[0] != "authentic"


def test_only_an_intact_watermark_with_matching_evidence_is_ever_authentic() -> None:
    tensors = [EQUAL, HALF, DIFFERENT, MISSING, NONE]
    kinds = ["", "width 32 instead of 16"]
    files = [SAME_FILES, OTHER_FILES]
    trusts = ["local", "pinned", "signed", "self-asserted"]
    flags = [True, False]
    for t, f, trust, kind, intact, weights, accept, clean in product(
        tensors, files, trusts, kinds, flags, flags, flags, flags
    ):
        status, _ = _judge(
            tensors=t,
            files=f,
            trust=trust,
            other_kind=kind,
            intact=intact,
            has_weights=weights,
            accept_self_asserted=accept,
            clean_process=clean,
            first_broken=None if intact else "layer 1",
        )
        if status == "authentic":
            assert intact
            assert not kind
            assert f is SAME_FILES
            assert not weights or t in (EQUAL, HALF)
            assert trust != "self-asserted" or accept


class TestExpiredCards:
    def test_what_would_be_authentic_is_inconclusive_and_says_since_when(self) -> None:
        status, reason = _judge(expired="2020-01-31", trust="signed")
        assert status == "inconclusive"
        assert "the card expired on 2020-01-31" in reason

    @pytest.mark.parametrize("has_weights", [True, False])
    @pytest.mark.parametrize("trust", ["pinned", "signed", "local", "self-asserted"])
    def test_nothing_makes_it_pass(self, trust: str, has_weights: bool) -> None:
        judged = _judge(expired="2020-01-31", trust=trust, has_weights=has_weights, accept_self_asserted=True)
        assert judged[0] == "inconclusive"

    def test_an_alteration_stays_one(self) -> None:
        assert _judge(expired="2020-01-31", tensors=DIFFERENT)[0] == "altered"


MANY = tuple(f"layer.{index}.w" for index in range(5))
BROKEN: dict[str, Any] = {"intact": False, "first_broken": "layer 2"}
SHOWN = "layer.0.w, layer.1.w, layer.2.w and 2 more"


@pytest.mark.parametrize(
    ("facts", "status", "sentence"),
    [
        ({}, "authentic", "the watermark is intact, and all tensors and behaviour files are equal"),
        (
            {"has_weights": False, "tensors": NONE},
            "authentic",
            "the watermark is intact, as far as the card's floor and coverage reach; no tensors at hand",
        ),
        (
            {"tensors": HALF},
            "authentic",
            "the watermark is intact; the weights are a re-encoding: the float32 originals rounded to "
            "float16",
        ),
        # each of the three alone is enough for "all" not to be said
        (
            {"files": FileEvidence(4, notes=("a",))},
            "authentic",
            "the watermark is intact, and the tensors and behaviour files that were compared are equal; "
            "the report names 1 difference that cannot change the embedding that was checked",
        ),
        (
            {"files": FileEvidence(4, not_covered=("a",))},
            "authentic",
            "the watermark is intact, and the tensors and behaviour files that were compared are equal; "
            "the report names 1 thing that this verdict does not cover",
        ),
        (
            {"process": (Finding("moved"),)},
            "authentic",
            "the watermark is intact, and the tensors and behaviour files that were compared are equal; "
            "the report names 1 finding in this process",
        ),
        (
            {"files": FileEvidence(4, notes=("a",)), "process": (Finding("moved"), Finding("compiled"))},
            "authentic",
            "the watermark is intact, and the tensors and behaviour files that were compared are equal; "
            "the report names 2 findings in this process and 1 difference that cannot change the embedding "
            "that was checked",
        ),
        (
            {"files": FileEvidence(4, not_covered=("a", "b")), "process": (Finding("moved"),)},
            "authentic",
            "the watermark is intact, and the tensors and behaviour files that were compared are equal; "
            "the report names 1 finding in this process and 2 things that this verdict does not cover",
        ),
        (
            {"tensors": HALF, "files": FileEvidence(4, not_covered=("a",), notes=("b", "c"))},
            "authentic",
            "the watermark is intact; the weights are a re-encoding: the float32 originals rounded to "
            "float16; the report names 2 differences that cannot change the embedding that was checked and "
            "1 thing that this verdict does not cover",
        ),
        (
            {"tensors": HALF, "process": (Finding("moved"),)},
            "authentic",
            "the watermark is intact; the weights are a re-encoding: the float32 originals rounded to "
            "float16; the report names 1 finding in this process",
        ),
        (
            {"process": (Finding("moved"), Finding("a hook", "take it off"), Finding("training", "eval()"))},
            "inconclusive",
            "the watermark is intact, but its users may get other embeddings: a hook, training",
        ),
        (
            {"expired": "2020-01-31"},
            "inconclusive",
            "the card expired on 2020-01-31: nobody vouches for this encoder any more",
        ),
        ({"trust": "self-asserted"}, "inconclusive", SELF_ASSERTED),
        (
            BROKEN,
            "inconclusive",
            "the watermark broke from strip 'layer 2' on although the tensors and behaviour files are "
            "equal: code in this process or the environment differs",
        ),
        ({**BROKEN, "clean_process": True}, "altered", "the watermark broke from strip 'layer 2' on"),
        (
            {**BROKEN, "has_weights": False, "tensors": NONE},
            "altered",
            "the watermark broke from strip 'layer 2' on",
        ),
        (
            {
                "files": FileEvidence(4, derived=("config.json: a: 1 -> 2",)),
                "libraries": ("x 1 -> 2", "y 3 -> 4"),
            },
            "inconclusive",
            "the files are equal, but the libraries installed here make other settings of them: "
            "config.json: a: 1 -> 2 (x 1 -> 2, y 3 -> 4)",
        ),
        (
            {"tensors": replace(EQUAL, outside=("head.w",))},
            "altered",
            "1 tensor outside the embedding path was changed, new or gone: head.w; whoever loads the files "
            "for another task gets another model",
        ),
        (
            {"tensors": replace(EQUAL, outside=MANY)},
            "altered",
            f"5 tensors outside the embedding path were changed, new or gone: {SHOWN}; whoever loads the "
            "files for another task gets another model",
        ),
        (
            {"tensors": TensorEvidence(10, changed=MANY)},
            "altered",
            f"5 of 10 tensors changed: {SHOWN}; the watermark is intact, so the change is below the floor "
            "or where the key samples do not reach",
        ),
        (
            {**BROKEN, "tensors": TensorEvidence(10, MANY[:3], ("lost",), ("new", "newer"))},
            "altered",
            "3 of 10 tensors changed: layer.0.w, layer.1.w, layer.2.w; missing: lost; unexpected: new, "
            "newer; the watermark is broken",
        ),
        (
            {"files": OTHER_FILES},
            "altered",
            "behaviour differs from what the card recorded: config.json: hidden_act: gelu -> relu",
        ),
        (
            {**BROKEN, "files": OTHER_FILES, "tensors": DIFFERENT},
            "altered",
            "behaviour differs from what the card recorded: config.json: hidden_act: gelu -> relu; 1 of 10 "
            "tensors changed: layer.3.weight; the watermark is broken",
        ),
        (
            {"files": OTHER_FILES, "tensors": DIFFERENT},
            "altered",
            "behaviour differs from what the card recorded: config.json: hidden_act: gelu -> relu; 1 of 10 "
            "tensors changed: layer.3.weight; the watermark is intact, so the change is below the floor or "
            "where the key samples do not reach",
        ),
        (
            # nothing of the tensors is said of a source that has none
            {"files": OTHER_FILES, "tensors": NONE, "has_weights": False},
            "altered",
            "behaviour differs from what the card recorded: config.json: hidden_act: gelu -> relu",
        ),
    ],
)
def test_the_whole_sentence(facts: dict[str, Any], status: str, sentence: str) -> None:
    assert _judge(**facts) == (status, sentence)
