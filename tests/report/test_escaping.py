"""Strings from outside on a terminal."""

import pytest

from hf_integration.report import harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é Ω 漢 🙂", "plain é Ω 漢 🙂"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("one\ntwo\r\tthree", r"one\ntwo\r\tthree"),
        ("\u202etxt.exe", r"\u202etxt.exe"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028separator", r"line\u2028separator"),
        ("\x9b31m\x7f", r"\x9b31m\x7f"),
        ("lone\udc80", r"lone\udc80"),
        ("", ""),
    ],
)
def test_what_a_terminal_would_obey_or_hide_is_spelled_out(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_long_texts_are_cut_and_marked_as_cut() -> None:
    assert harmless("x" * 5, longest=5) == "xxxxx"
    assert harmless("x" * 6, longest=5) == "xxxxx…"
    assert len(harmless("\x00" * 10**6)) < 2000
