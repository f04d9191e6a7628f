"""The section between the markers, and the bytes around it."""

import pytest

from hf_integration.base.errors import FlawError
from hf_integration.hub.readme import BEGIN, END, replace_section

B, E = BEGIN.encode(), END.encode()
OWN = B + b"\nnew\n" + E


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", OWN + b"\n"),
        (b"text", b"text\n\n" + OWN + b"\n"),
        (b"text\n", b"text\n\n" + OWN + b"\n"),
        (b"text\n" + B + b"old\n\n" + E + b" tail", b"text\n" + OWN + b" tail"),
        (b"a <!--sslauth:begin--><!--  sslauth:end  --> b", b"a " + OWN + b" b"),
    ],
)
def test_every_other_byte_stays(before: bytes, after: bytes) -> None:
    assert replace_section(before, "new\n", b"\n") == after
    assert replace_section(after, "new\n", b"\n") == after


def test_line_ends_of_the_file_are_used() -> None:
    text = replace_section(b"text\r\n", "a\nb\n", b"\r\n")
    assert text == b"text\r\n\r\n" + B + b"\r\na\r\nb\r\n" + E + b"\r\n"


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        (B, "sslauth:begin marker stands alone"),
        (b"x" + E, "sslauth:end marker stands alone"),
        (E + b"\n" + B, "the wrong way round"),
        (B + B + E, "doubled or nested"),
        (B + B + E + E, "doubled or nested"),
        (B + E + B + E, "doubled or nested"),
        (B + E + E, "doubled or nested"),
        (B + B, "doubled or nested"),
    ],
)
def test_markers_that_are_not_one_pair_are_refused(text: bytes, flaw: str) -> None:
    with pytest.raises(FlawError, match=flaw):
        replace_section(text, "new", b"\n")
