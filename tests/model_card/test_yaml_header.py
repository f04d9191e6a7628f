"""One key of a YAML header is replaced, and nothing else of the file."""

import random

import pytest
import yaml  # type: ignore[import-untyped]

from hf_integration.base.errors import FlawError
from hf_integration.model_card import yaml_header
from hf_integration.model_card.yaml_header import DEEPEST, Parts, read_key, replace_key, split

LINES = ["sslauth:", '  new: "1"']
NEW = {"new": "1"}


def joined(parts: Parts) -> bytes:
    return parts.before + (parts.header or b"") + parts.after


def replaced(readme: bytes) -> bytes:
    return joined(replace_key(split(readme), "sslauth", LINES))


OWN = b'sslauth:\n  new: "1"\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"---\n" + OWN + b"---\n"),
        (b"# Hi", b"---\n" + OWN + b"---\n# Hi"),
        (b"\xef\xbb\xbf# Hi\n", b"\xef\xbb\xbf---\n" + OWN + b"---\n# Hi\n"),
        (b"---\n---\n", b"---\n" + OWN + b"---\n"),
        (b"\n\n---\na: 1\n---", b"\n\n---\na: 1\n" + OWN + b"---"),
        (b"\xef\xbb\xbf---\na: 1\n---\n", b"\xef\xbb\xbf---\na: 1\n" + OWN + b"---\n"),
        (b"---\na: |+\n  x\n\n---\n", b"---\na: |+\n  x\n\n" + OWN + b"---\n"),
        (b"---\na: 1 # why\n# end\n---\n", b"---\na: 1 # why\n# end\n" + OWN + b"---\n"),
        (b"---\nsslauth:\n---\n", b"---\n" + OWN + b"---\n"),
        (b"---\nsslauth: {a: 1,\n  b: 2}\nz: 1\n---\n", b"---\n" + OWN + b"z: 1\n---\n"),
        (b"---\nsslauth:\n  a: 1\n\n# z's\nz: 1\n---\n", b"---\n" + OWN + b"\n# z's\nz: 1\n---\n"),
        (b"---\nsslauth:\n- a\n- b: c\n# end\n---\n", b"---\n" + OWN + b"# end\n---\n"),
        (b"---\na: &x 1\nb: *x\n---\n", b"---\na: &x 1\nb: *x\n" + OWN + b"---\n"),
        (b"----\nrule\n", b"---\n" + OWN + b"---\n----\nrule\n"),
        (b"---\na: .nan\n---\n", b"---\na: .nan\n" + OWN + b"---\n"),
    ],
)
def test_every_other_byte_stays(before: bytes, after: bytes) -> None:
    assert replaced(before) == after
    assert replaced(after) == after
    assert read_key(split(after).header, "sslauth") == NEW
    assert yaml.safe_load((split(after).header or b"").decode())["sslauth"] == NEW


@pytest.mark.parametrize("start", ["a: ", "a: &x ", "a: [b, ", "- ", ""])
@pytest.mark.parametrize("bracket", ["[", "{", "[ # ]\n  ", '[ "]", ', "{a: ", "- ", "? "])
def test_brackets_without_end_are_refused_before_all_of_them_are_parsed(start: str, bracket: str) -> None:
    header = (start + bracket * 150_000).encode()
    with pytest.raises(FlawError):  # by our bound, by that of a newer PyYAML, or as no YAML at all
        read_key(header, "sslauth")


def test_nesting_is_bounded_whatever_the_parser_bears() -> None:
    def nested(levels: int) -> bytes:  # the mapping is a level too
        return ("a: " + "[" * (levels - 1) + "]" * (levels - 1)).encode()

    assert read_key(nested(DEEPEST), "sslauth") is None
    with pytest.raises(FlawError, match=f"nested deeper than {DEEPEST} levels"):
        read_key(nested(DEEPEST + 1), "sslauth")


def test_brackets_in_quotes_and_brackets_that_close_are_no_nesting() -> None:
    header = ("a: '" + "[" * 5000 + "'\nb: [" + "[], " * 5000 + "]\nc: " + "[" * 90 + "]" * 90).encode()
    assert read_key(header, "a") == "[" * 5000


def test_line_ends_of_the_file_are_used() -> None:
    assert replaced(b"---\r\na: 1\r\n---\r\nx\n") == b'---\r\na: 1\r\nsslauth:\r\n  new: "1"\r\n---\r\nx\n'
    assert replaced(b"# x\r\n") == b'---\r\nsslauth:\r\n  new: "1"\r\n---\r\n# x\r\n'
    assert replaced(b"# x\ry") == b'---\rsslauth:\r  new: "1"\r---\r# x\ry'


@pytest.mark.parametrize(
    ("readme", "flaw"),
    [
        (b"---\na: 1\n", "never ends"),
        (b"--- \na: 1\n---\n", "white space"),
        (b"---\n- a\n---\n", "no mapping"),
        (b"---\nonly text\n---\n", "no mapping"),
        (b"---\n{a: 1}\n---\n", "no mapping"),
        (b"---\na: 1\na: 2\n---\n", "a: the YAML header has this key twice"),
        (b"---\nsslauth: 1\nsslauth: 2\n---\n", "twice"),
        (b"---\na: 1\n...\n---\n", "more than one document"),
        (b"---\n  a: 1\n---\n", "not valid in line"),
        (b"---\na: 1\n b: 2\n---\n", "not valid in line"),
        (b"---\n\ta: 1\n---\n", "not valid in line"),
        (b"---\na: {b:\n---\n", "not valid"),
        (b"---\na: \xff\n---\n", "not UTF-8"),
        (b"---\n? sslauth\n: 1\n---\n", "not written as this command"),
        (b'---\n"sslauth": 1\n---\n', "not written as this command"),
        (b"---\nsslauth: &x 1\nb: *x\n---\n", "an anchor, an alias or a tag"),
        (b"---\nb: &x 1\nsslauth: *x\n---\n", "an anchor, an alias or a tag"),
        (b"---\nsslauth: !!python/object:os.system 1\n---\n", "an anchor, an alias or a tag"),
        (b"---\nsslauth: {a: 1, a: 2}\n---\n", "holds a key twice"),
        (b"---\nsslauth: " + b"[" * 20 + b"]" * 20 + b"\n---\n", "nested deeper"),
        (b"---\na: 1\x07\n---\n", "not valid"),
    ],
)
def test_what_cannot_be_edited_without_harm_is_refused(readme: bytes, flaw: str) -> None:
    with pytest.raises(FlawError, match=flaw):
        replaced(readme)


def test_a_header_that_is_too_long_is_not_even_parsed() -> None:
    with pytest.raises(FlawError, match="more than"):
        split(b"---\na: " + b"x" * yaml_header.MOST_BYTES + b"\n---\n")


@pytest.mark.parametrize(
    "header", [b"a: [" + b"1," * 400_000 + b"1]\n", b"".join(b"k%d: 1\n" % n for n in range(110_000))]
)
def test_a_header_of_very_many_values_is_refused_in_a_moment(header: bytes) -> None:
    with pytest.raises(FlawError, match="more than 200000 values"):
        read_key(header, "sslauth")


def test_a_bomb_of_aliases_costs_no_more_than_its_bytes() -> None:
    levels = [b"a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [b"a%d: &a%d [%s]" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 30)]
    header = b"\n".join(levels) + b"\n"
    assert read_key(header, "sslauth") is None
    assert joined(replace_key(Parts(b"---\n", header, b"---\n", b"\n"), "sslauth", LINES)).count(b"\n") == 34


def test_a_key_can_be_taken_away_again() -> None:
    parts = split(b"---\na: 1\nsslauth:\n  x: 1\n# end\n---\n")
    assert joined(replace_key(parts, "sslauth", None)) == b"---\na: 1\n# end\n---\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"1", 1),
        (b'"1"', "1"),
        (b"true", True),
        (b"~", None),
        (b"2027-01-01", "2027-01-01"),
        (b"[a, 'b', {c: -3}]", ["a", "b", {"c": -3}]),
        (b"1e5", "1e5"),
        (b"9" * 30, "9" * 30),
    ],
)
def test_values_are_read_strictly(text: bytes, value: object) -> None:
    assert read_key(b"sslauth: " + text + b"\n", "sslauth") == value


def test_random_headers_keep_their_bytes_or_are_refused() -> None:
    numbers = random.Random(0)  # noqa: S311  # texts, no secrets
    pieces = [
        "a: 1",
        "b:",
        "  c: 2",
        "- x",
        "# note",
        "",
        "d: |",
        "   text",
        "e: 'it''s'",
        "sslauth:",
        "  digest: x",
        'f: "é\\n"',
        "g: [1,",
        "  2]",
        "---",
        "h: &z 1",
        "i: *z",
        "\tj: 1",
        "<!-- sslauth:begin -->",
    ]
    edited = 0
    for _ in range(1500):
        newline = numbers.choice(["\n", "\r\n"])
        lines = ["---", *numbers.choices(pieces, k=numbers.randrange(8)), "---", "# Title", "text"]
        readme = newline.join(lines).encode()
        try:
            parts = split(readme)
            new = replace_key(parts, "sslauth", LINES)
        except FlawError:
            continue
        edited += 1
        own = newline.join([*LINES, ""]).encode()
        before, found, after = joined(new).partition(own)
        assert found
        assert readme.startswith(before)
        assert readme.endswith(after)
        removed = readme[len(before) : len(readme) - len(after)]
        assert removed == b"" or removed.startswith(b"sslauth:")
    assert edited > 100
