"""The report for people."""

from dataclasses import replace

import pytest

from hf_integration.report import HumanReporter, render
from hf_integration.report.columns import margin_text, number
from hf_integration.verdict import Accepted, Claim, TensorEvidence, Verdict
from tests.report.verdicts import ALTERED, AUTHENTIC, INCONCLUSIVE, WAIVED


class TestHeadline:
    @pytest.mark.parametrize(
        ("verdict", "first_line"),
        [
            (AUTHENTIC, "AUTHENTIC: org/encoder"),
            (ALTERED, "ALTERED: org/encoder"),
            (INCONCLUSIVE, "INCONCLUSIVE - this is not a pass: org/encoder"),
        ],
    )
    def test_the_first_line_says_the_status_and_the_second_why(
        self, verdict: Verdict, first_line: str
    ) -> None:
        lines = render(verdict).splitlines()
        assert lines[:2] == [first_line, verdict.reason]

    @pytest.mark.parametrize("verdict", [ALTERED, INCONCLUSIVE])
    def test_only_an_authentic_encoder_is_called_authentic(self, verdict: Verdict) -> None:
        assert "AUTHENTIC" not in render(verdict)


class TestClaims:
    CLAIMS = (Claim("digest", True, "the advertised one"), Claim("a\x1b[2J", False, "b\u202e"))

    def test_those_of_the_model_card_stand_in_the_report_and_broken_ones_are_marked(self) -> None:
        report = render(replace(INCONCLUSIVE, claims=self.CLAIMS))
        lines = report.partition("what its model card claims:\n")[2].splitlines()
        assert lines[0].split() == ["digest", "the", "advertised", "one"]
        assert lines[1].endswith("DOES NOT HOLD")
        assert "\x1b" not in report
        assert "\u202e" not in report

    def test_nothing_is_said_of_them_where_no_model_card_was_asked(self) -> None:
        assert "claims" not in render(AUTHENTIC)

    def test_they_survive_json(self) -> None:
        verdict = replace(INCONCLUSIVE, claims=self.CLAIMS)
        assert Verdict.from_dict(verdict.to_dict()) == verdict


class TestFacts:
    def test_everything_that_was_checked_is_named(self) -> None:
        report = render(AUTHENTIC)
        assert AUTHENTIC.revision is not None
        for expected in (
            AUTHENTIC.revision,
            f"{AUTHENTIC.card.digest} at cards/encoder",
            "local: it comes from a folder of yours, and not from what was checked",
            "float64",
            "13.3 (tolerance / error of the worst strip",
            "3 strips, 20 tensors, 3 behaviour files",
            "1.2 s",
        ):
            assert expected in report

    def test_a_self_asserted_card_says_what_that_means(self) -> None:
        assert "self-asserted: it comes from the very repository" in render(INCONCLUSIVE)

    def test_an_open_question_has_no_margin(self) -> None:
        assert "margin     none" in render(INCONCLUSIVE)

    def test_a_re_encoding_is_said(self) -> None:
        report = render(replace(AUTHENTIC, tensors=TensorEvidence(checked=20, matches="bfloat16")))
        assert "rounded to bfloat16" in report
        assert "as stored" not in report

    def test_so_is_one_that_rounds_a_part_of_the_tensors(self) -> None:
        report = render(replace(AUTHENTIC, tensors=TensorEvidence(checked=20, matches="bfloat16", kept=7)))
        assert "rounded to bfloat16, 7 of them as stored" in report

    def test_missing_tensors_are_not_passed_over(self) -> None:
        report = render(replace(AUTHENTIC, tensors=TensorEvidence(checked=0)))
        assert "no tensors at hand" in report


class TestEvidence:
    def test_every_strip_is_a_row_and_broken_ones_are_marked(self) -> None:
        rows = [line.split() for line in render(ALTERED).splitlines() if line.endswith(("intact", "BROKEN"))]
        assert [row[-1] for row in rows] == ["intact", "BROKEN", "BROKEN"]
        assert rows[1] == ["layer", "1", "1.38", "0.4", "4.5e+09", "BROKEN"]

    def test_a_strip_that_gave_no_number_is_beyond_the_scale(self) -> None:
        row = next(line for line in render(ALTERED).splitlines() if line.startswith("  embedding"))
        assert row.count("1e+18 or more") == 2

    def test_ten_tensors_are_listed_and_the_others_counted(self) -> None:
        report = render(ALTERED)
        assert "tensors that differ, of 20: 12" in report
        assert "  layer.9\n  and 2 more" in report
        assert "layer.10" not in report

    def test_differing_settings_are_listed(self) -> None:
        assert "  config.json: hidden_act: gelu -> relu" in render(ALTERED)

    def test_missing_and_unexpected_tensors_are_told_apart(self) -> None:
        evidence = TensorEvidence(checked=2, missing=("gone",), unexpected=("new",))
        report = render(replace(ALTERED, tensors=evidence))
        assert "lacks: 1\n  gone" in report
        assert "does not know: 1\n  new" in report

    def test_causes_come_before_what_to_do(self) -> None:
        report = render(ALTERED)
        assert report.index("what this points to:") < report.index(
            "what to do next:\n  do not use this encoder"
        )


class TestTerminal:
    def test_colours_are_used_only_when_asked_for(self) -> None:
        assert "\x1b" not in render(ALTERED)
        assert "\x1b[1;31mALTERED" in HumanReporter(color=True).render(ALTERED)

    def test_strings_from_outside_cannot_move_the_cursor_or_turn_the_text(self) -> None:
        hostile = "a\x1b[2J\r\n\u202eb\x07\u2028\udc80"
        verdict = replace(
            ALTERED,
            encoder=hostile,
            revision=hostile,
            reason=hostile,
            card=replace(ALTERED.card, digest=hostile, location=hostile),
            strips=(replace(ALTERED.strips[0], name=hostile),),
            tensors=TensorEvidence(1, (hostile,), (hostile,), (hostile,)),
            files=replace(ALTERED.files, changed=(hostile,)),
            diagnosis=(hostile, hostile),
        )
        report = render(verdict)
        assert all(character.isprintable() or character == "\n" for character in report)
        assert len(report.splitlines()) < 50


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.1234, "0.123"),
        (12.34, "12.3"),
        (12345.6, "12,346"),
        (3e9, "3.0e+09"),
        (2e-7, "2.0e-07"),
        (1e18, "1e+18 or more"),
        (float("nan"), "1e+18 or more"),
        (float("inf"), "1e+18 or more"),
    ],
)
def test_numbers_are_short_and_never_nan(value: float, text: str) -> None:
    assert number(value) == text


def test_margins_beyond_their_caps_are_not_given_digits() -> None:
    assert [margin_text(margin) for margin in (1e6, 2.5, 1e-13)] == ["1,000,000 or more", "2.5", "0"]


def test_strips_that_gave_no_numbers_are_no_table_of_broken_ones() -> None:
    nothing = tuple(replace(strip, error=1e18, deviation=1e18, intact=False) for strip in ALTERED.strips)
    report = render(replace(ALTERED, strips=nothing))
    assert "none of 3 strips gave numbers that could be compared" in report
    assert "BROKEN" not in report


class TestWaiver:
    def test_a_waived_alteration_says_so_first(self) -> None:
        lines = render(WAIVED).splitlines()
        assert lines[:2] == ["ALTERED, waived until 2030-01-31: known", ALTERED.reason]
        assert "AUTHENTIC" not in render(WAIVED)

    def test_the_state_that_a_waiver_names_is_shown_whole_and_only_of_an_altered_encoder(self) -> None:
        assert "sha256:" + "cd" * 32 in render(WAIVED)
        assert "cd" * 32 not in render(replace(AUTHENTIC, state=WAIVED.state))

    def test_a_reason_cannot_move_the_cursor(self) -> None:
        verdict = replace(WAIVED, waiver=Accepted("\x1b[2J", "\x1b[1A"))
        assert all(line.isprintable() for line in render(verdict).splitlines())


def test_a_verdict_is_neither_true_nor_false() -> None:
    # `assert sslauth.authenticate(...)` must not pass for whatever was found
    for verdict in (AUTHENTIC, ALTERED, INCONCLUSIVE):
        with pytest.raises(TypeError, match="neither true nor false"):
            assert verdict
