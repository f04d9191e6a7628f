"""Editing ``sslauth.toml``: comments, order, line ends and what is not meant stay as they are."""

from pathlib import Path

import pytest

from hf_integration.base.errors import OutputError, UsageError
from hf_integration.checking.pins import PINS_FILE, read_pins
from hf_integration.checking.pins.editing import with_entry, with_values, write_pins
from hf_integration.checking.pins.reading import parse_pins

COMMIT, DIGEST = "c0ffee" * 6 + "1234", "sha256:" + "ab" * 32
NEW = {"commit": COMMIT, "card_digest": DIGEST}

TEXT = f"""\
# top
version = 1   # the format

[encoders.minilm]   # text
# which branch
repo = 'org/name'
commit = "{"0" * 40}"   # written by lock
track = "main"      # what lock resolves

# The image encoder. Ask before you touch it.
[encoders.image]
repo = "org/other"

[[encoders.image.waivers]]
state = "{DIGEST}"
reason = "known"
until = 2030-01-01
"""


class TestValues:
    def test_values_are_replaced_in_place_and_new_ones_follow_the_last(self) -> None:
        text = with_values(TEXT, {"minilm": NEW})
        assert text == TEXT.replace("0" * 40, COMMIT).replace(
            "# what lock resolves\n", f'# what lock resolves\ncard_digest = "{DIGEST}"\n'
        )

    def test_new_keys_stay_before_the_tables_and_comments_that_follow(self) -> None:
        text = with_values(TEXT, {"image": NEW})
        place = 'repo = "org/other"\n'
        assert text == TEXT.replace(place, f'{place}commit = "{COMMIT}"\ncard_digest = "{DIGEST}"\n')

    def test_windows_line_ends_stay(self) -> None:
        text = with_values(TEXT.replace("\n", "\r\n"), {"minilm": NEW, "image": NEW})
        assert text.count("\n") == text.count("\r\n") == TEXT.count("\n") + 3

    @pytest.mark.parametrize(
        "text",
        [
            'version = 1\n[encoders]\nminilm = {repo = "org/name"} # inline\n',
            'version = 1\n[encoders]\nminilm.repo = "org/name" # dotted\nimage.repo = "a/b"\n',
            'version = 1\nencoders.minilm.repo = "org/name"',
            'version = 1\n[encoders.minilm]\nrepo = "org/name"',
            'version = 1\n[encoders."minilm"]\nrepo = "org/name"\n[encoders.b]\nrepo = "x/y"\n'
            '[[encoders.minilm.waivers]]\nstate = "{DIGEST}"\nreason = "r"\nuntil = 2030-01-01\n',
        ],
        ids=["inline", "dotted", "top", "no newline", "out of order"],
    )
    def test_other_ways_of_writing_are_edited_as_well(self, tmp_path: Path, text: str) -> None:
        text = text.replace("{DIGEST}", DIGEST)
        file = tmp_path / PINS_FILE
        file.write_text(with_values(text, {"minilm": NEW}))
        pin = read_pins(file).encoders["minilm"]
        assert (pin.repo, pin.commit, pin.card_digest) == ("org/name", COMMIT, DIGEST)
        assert file.read_text().count("#") == text.count("#")


class TestEntries:
    def test_a_new_file_is_whole(self) -> None:
        text = with_entry("", "minilm", {"repo": "org/name", **NEW})
        assert text == (
            f'version = 1\n\n[encoders.minilm]\nrepo = "org/name"\ncommit = "{COMMIT}"\n'
            f'card_digest = "{DIGEST}"\n'
        )

    @pytest.mark.parametrize("text", [TEXT, TEXT.rstrip(), TEXT.replace("\n", "\r\n")])
    def test_an_entry_goes_to_the_end_and_nothing_else_moves(self, text: str) -> None:
        edited = with_entry(text, "v1.5", {"repo": "org/third"})
        assert edited.startswith(text)
        assert edited.replace("\r\n", "\n").endswith('\n\n[encoders."v1.5"]\nrepo = "org/third"\n')
        assert ("\r\n" in text) == (edited.count("\r\n") == edited.count("\n"))

    def test_a_table_within_an_entry_comes_last(self) -> None:
        endpoint = {"url": "http://localhost:1", "model": 'a"b'}
        text = with_entry(TEXT, "v1.5", {"endpoint": endpoint, "repo": "org/third"})
        (pin,) = [pin for pin in parse_pins(text, Path(PINS_FILE)).encoders.values() if pin.endpoint]
        assert pin.endpoint is not None
        assert (pin.name, pin.repo, pin.endpoint.model) == ("v1.5", "org/third", 'a"b')
        assert text == TEXT + (
            '\n[encoders."v1.5"]\nrepo = "org/third"\n\n'
            '[encoders."v1.5".endpoint]\nurl = "http://localhost:1"\nmodel = "a\\"b"\n'
        )

    def test_an_entry_that_is_there_is_not_written_again(self) -> None:
        with pytest.raises(UsageError, match=r"cannot be edited|already"):
            with_entry(TEXT, "minilm", {"repo": "org/third"})


class TestStrictness:
    """What is written is what the strict reader takes, or nothing is written."""

    @pytest.mark.parametrize(
        "values",
        [
            {"path": "~me/encoder"},
            {"path": "a\\b"},
            {"path": "/x"},
            {"path": "a\udcffb"},
            {"repo": "org/na/me"},
            {"repo": "org/third", "track": "a b"},
            {"repo": "org/third", "commit": "c0ffee"},
            {"path": "x" * 501},
            {},
        ],
    )
    def test_an_entry_that_could_not_be_read_is_refused(self, values: dict[str, str]) -> None:
        with pytest.raises(
            UsageError, match=r"could not be read again: sslauth.toml, line \d+: encoders.new"
        ):
            with_entry(TEXT, "new", values)

    def test_a_value_that_could_not_be_read_is_refused(self) -> None:
        with pytest.raises(UsageError, match=r"encoders.minilm.card_digest"):
            with_values(TEXT, {"minilm": {"card_digest": "sha256:AB"}})

    def test_a_file_that_would_be_too_large_is_refused(self) -> None:
        with pytest.raises(UsageError, match="has more than"):
            with_entry(TEXT + "#" * (256 << 10) + "\n", "new", {"repo": "org/third"})


class TestWriting:
    def test_a_file_that_was_changed_meanwhile_is_not_replaced(self, tmp_path: Path) -> None:
        file = tmp_path / PINS_FILE
        file.write_text(TEXT)
        with pytest.raises(OutputError, match="changed meanwhile"):
            write_pins(file, "version = 1\n", before="version = 1\n# old\n")
        with pytest.raises(OutputError, match="changed meanwhile"):
            write_pins(file, "version = 1\n", before=None)
        assert file.read_text() == TEXT

    def test_a_link_is_not_replaced_by_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "real.toml").write_text(TEXT)
        file = tmp_path / PINS_FILE
        file.symlink_to("real.toml")
        with pytest.raises(OutputError, match="is a link"):
            write_pins(file, "version = 1\n", before=TEXT)
        assert file.is_symlink()

    def test_nothing_else_is_left_in_the_folder(self, tmp_path: Path) -> None:
        file = tmp_path / PINS_FILE
        write_pins(file, TEXT, before=None)
        write_pins(file, TEXT + "# more\n", before=TEXT)
        assert [path.name for path in tmp_path.iterdir()] == [PINS_FILE]
        assert file.read_text() == TEXT + "# more\n"
