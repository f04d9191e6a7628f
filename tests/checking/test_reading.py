"""Reading ``sslauth.toml``: strict, with file, line and key in every error, whatever a stranger wrote."""

import os
from datetime import date
from pathlib import Path

import pytest

from hf_integration.base.errors import UsageError
from hf_integration.checking.pins import PINS_FILE, Pin, Waiver, pins_in, read_pins
from hf_integration.checking.pins.reading import line_of

COMMIT, DIGEST = "c0ffee" * 6 + "1234", "sha256:" + "ab" * 32

WHOLE = f"""\
# our encoders
version = 1

[encoders.minilm]
repo = "org/name"
track = "v2"
card = "cards/minilm"
commit = "{COMMIT}"
card_digest = "{DIGEST}"
signer = "keys/publisher.pem"

[[encoders.minilm.waivers]]
state = "{DIGEST}"
reason = "the tokenizer was fixed upstream"
until = 2030-01-31

[encoders.local]
path = "models/tiny"
"""


def written(folder: Path, text: str) -> Path:
    file = folder / PINS_FILE
    file.write_bytes(text.encode())
    return file


def entry(line: str, *, place: str = 'repo = "org/name"') -> str:
    return f"version = 1\n\n[encoders.minilm]\n{place}\n{line}\n"


class TestValues:
    def test_everything_that_can_be_said_is_read(self, tmp_path: Path) -> None:
        pins = read_pins(written(tmp_path, WHOLE))
        file = tmp_path / PINS_FILE
        waiver = Waiver(DIGEST, "the tokenizer was fixed upstream", date(2030, 1, 31))
        assert pins.encoders == {
            "minilm": Pin(
                "minilm",
                file,
                repo="org/name",
                track="v2",
                card="cards/minilm",
                commit=COMMIT,
                card_digest=DIGEST,
                signer="keys/publisher.pem",
                waivers=(waiver,),
            ),
            "local": Pin("local", file, path="models/tiny"),
        }

    def test_without_a_file_there_are_no_pins(self, tmp_path: Path) -> None:
        assert pins_in(tmp_path) is None

    def test_paths_are_relative_to_the_file(self, tmp_path: Path) -> None:
        pins = read_pins(written(tmp_path, WHOLE)).encoders
        assert pins["minilm"].card_folder == tmp_path / "cards/minilm"
        assert pins["minilm"].signer_reference == str(tmp_path / "keys/publisher.pem")
        assert pins["local"].reference == str(tmp_path / "models/tiny")
        assert pins["local"].card_folder == tmp_path / "models/tiny"

    def test_the_card_lies_in_the_encoders_own_repo_by_default(self, tmp_path: Path) -> None:
        pin = read_pins(written(tmp_path, entry(""))).encoders["minilm"]
        assert (pin.card_folder, pin.card_repo, pin.has_own_card, pin.tracked) == (
            None,
            "org/name",
            True,
            "main",
        )

    def test_a_missing_folder_of_cards_never_becomes_a_repo_on_the_hub(self, tmp_path: Path) -> None:
        pin = read_pins(written(tmp_path, entry('card = "cards/minilm"'))).encoders["minilm"]
        assert pin.card_repo is None
        (tmp_path / "watermarks").mkdir()
        pin = read_pins(written(tmp_path, entry('card = "watermarks/minilm"'))).encoders["minilm"]
        assert pin.card_repo is None
        pin = read_pins(written(tmp_path, entry('card = "org/cards"'))).encoders["minilm"]
        assert pin.card_repo == "org/cards"

    def test_an_entry_is_locked_once_all_that_can_be_pinned_is(self, tmp_path: Path) -> None:
        text = f"version = 1\n[encoders.a]\npath = 'a'\ncard_digest = '{DIGEST}'\n"
        assert read_pins(written(tmp_path, text)).encoders["a"].locked
        text = f"version = 1\n[encoders.a]\nrepo = 'a/b'\ncard_digest = '{DIGEST}'\n"
        assert not read_pins(written(tmp_path, text)).encoders["a"].locked

    def test_crlf_and_a_date_in_quotes_are_read(self, tmp_path: Path) -> None:
        text = WHOLE.replace("until = 2030-01-31", 'until = "2030-01-31"').replace("\n", "\r\n")
        assert read_pins(written(tmp_path, text)).encoders["minilm"].waivers[0].until == date(2030, 1, 31)


class TestErrors:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[encoders.a]\nrepo = 'a/b'\n", "sslauth.toml, line 1: no 'version'"),
            ("version = 2\n", "sslauth.toml, line 1: version: this version of sslauth reads"),
            ("version = true\n", "line 1: version"),
            ("version = 1\nencoder = 1\n", "line 2: encoder: unknown key"),
            ("version = 1\nencoders = []\n", "line 2: encoders: must be a table, not an array"),
            ("version = 1\n[encoders]\na = 1\n", "line 3: encoders.a: must be a table, not a number"),
            (entry('comit = "x"'), "line 5: encoders.minilm.comit: unknown key; known are repo, path"),
            (entry("card = 7"), "line 5: encoders.minilm.card: must be a string, not a number"),
            (entry('card = ""'), "line 5: encoders.minilm.card: empty"),
            (entry(f'card_digest = "{DIGEST[:-1]}"'), "line 5: encoders.minilm.card_digest: 'sha256:"),
            (entry(f'card_digest = "{DIGEST.upper()}"'), "line 5: encoders.minilm.card_digest"),
            (entry('commit = "main"'), "line 5: encoders.minilm.commit: 'main' is not a commit"),
            (entry('track = "../../x"'), "line 5: encoders.minilm.track"),
            (entry('path = "x"'), "line 3: encoders.minilm: both 'repo' and 'path'"),
            (entry("", place=""), "line 3: encoders.minilm: no 'repo'"),
            (entry('track = "main"', place='path = "x"'), "line 5: encoders.minilm.track: a folder"),
            (entry('signer = "sigstore:me"'), "line 5: encoders.minilm.signer"),
            (entry("waivers = 1"), "line 5: encoders.minilm.waivers"),
            (entry("waivers = [1]"), "line 5: encoders.minilm.waivers.0: must be a table"),
            (
                entry(f'[[encoders.minilm.waivers]]\nstate = "{DIGEST}"\nreason = " "\nuntil = 2030-01-01'),
                "line 7: encoders.minilm.waivers.0.reason: empty",
            ),
            (
                entry(f'[[encoders.minilm.waivers]]\nstate = "{DIGEST}"\nreason = "r"'),
                "line 5: encoders.minilm.waivers.0: a waiver without 'until'",
            ),
            (
                entry(f'[[encoders.minilm.waivers]]\nstate = "{DIGEST}"\nreason = "r"\nuntil = "soon"'),
                "line 8: encoders.minilm.waivers.0.until: must be a date",
            ),
            (
                entry(
                    f'[[encoders.minilm.waivers]]\nstate = "{DIGEST}"\nreason="r"\nuntil=2030-01-01T10:00:00'
                ),
                "line 8: encoders.minilm.waivers.0.until: must be a date",
            ),
            ("version = 1\nversion = 1\n", "line 2"),
            ("version = \n", "line 1"),
        ],
    )
    def test_what_cannot_be_meant_names_file_line_and_key(
        self, tmp_path: Path, text: str, message: str
    ) -> None:
        with pytest.raises(UsageError) as raised:
            read_pins(written(tmp_path, text))
        assert message in str(raised.value)
        assert "sslauth.toml" in str(raised.value)
        assert "\n" not in str(raised.value)

    def test_the_line_is_that_of_the_statement_also_behind_long_values(self) -> None:
        text = 'a = """\n\n[c]\nb = 1\n"""\nc.b = [\n  1,\n  2,\n]\nd = 1\n'
        paths: list[list[str | int]] = [["a"], ["c", "b"], ["c", "b", 1], ["d"]]
        assert [line_of(text, path) for path in paths] == [1, 6, 6, 10]


class TestHostileFiles:
    @pytest.mark.parametrize(
        "name", ["..", "a/b", "a b", "", "-x", "\\u001b[2J", "\\u202e", "a" * 97, "é", "a\\nb"]
    )
    def test_a_name_is_plain_and_leads_nowhere(self, tmp_path: Path, name: str) -> None:
        text = f'version = 1\n[encoders."{name}"]\nrepo = "a/b"\n'
        with pytest.raises(UsageError, match="line 2") as raised:
            read_pins(written(tmp_path, text))
        assert str(raised.value).isprintable()

    @pytest.mark.parametrize("key", ["card", "signer", "path"])
    @pytest.mark.parametrize(
        "value", ["/etc", "~/x", "C:/x", "C:x", "//host/x", "a\\\\b", "\\\\\\\\host\\\\x"]
    )
    def test_a_path_is_relative_and_of_no_other_machine(self, tmp_path: Path, key: str, value: str) -> None:
        place = "" if key == "path" else 'path = "x"'
        with pytest.raises(UsageError, match=f"encoders.minilm.{key}"):
            read_pins(written(tmp_path, entry(f'{key} = "{value}"', place=place)))

    @pytest.mark.parametrize("value", ["\\u001b]0;x\\u0007", "a\\nb", "\\u202etxt", "x" * 501])
    def test_strings_hold_nothing_that_a_terminal_obeys(self, tmp_path: Path, value: str) -> None:
        with pytest.raises(UsageError, match=r"encoders.minilm.card") as raised:
            read_pins(written(tmp_path, entry(f'card = "{value}"')))
        assert str(raised.value).isprintable()

    @pytest.mark.parametrize("repo", ["org/na/me", "../x", "org/", "https://hf.co/a/b", "a b"])
    def test_a_repo_is_a_repo_id(self, tmp_path: Path, repo: str) -> None:
        with pytest.raises(UsageError, match=r"line 4: encoders.minilm.repo"):
            read_pins(written(tmp_path, entry("", place=f'repo = "{repo}"')))

    @pytest.mark.parametrize(
        "repo", ["gpt2", "_org/tiny", "org/_x", "0/a.b-c_d", "a" * 96, "a" * 96 + "/" + "b" * 96]
    )
    def test_every_repo_id_of_the_hubs_client_is_one(self, tmp_path: Path, repo: str) -> None:
        from huggingface_hub.utils._validators import validate_repo_id

        validate_repo_id(repo)
        assert (
            read_pins(written(tmp_path, entry("", place=f'repo = "{repo}"'))).encoders["minilm"].repo == repo
        )

    @pytest.mark.parametrize(
        "track", ["main", "feat@1", "refs/pr/1", "_x", "v1.0+cu", "a{b}", "ünï", "#1", "-x", "x" * 255]
    )
    def test_every_revision_that_can_be_resolved_can_be_tracked(self, tmp_path: Path, track: str) -> None:
        from hf_integration.snapshot import hub

        assert hub._REVISION.fullmatch(track)
        assert read_pins(written(tmp_path, entry(f'track = "{track}"'))).encoders["minilm"].track == track

    def test_a_huge_file_is_refused_unread(self, tmp_path: Path) -> None:
        file = tmp_path / PINS_FILE
        with file.open("wb") as stream:
            stream.truncate(1 << 30)
        with pytest.raises(UsageError, match="has more than"):
            read_pins(file)

    def test_a_pipe_a_folder_and_a_link_to_nowhere_are_refused(self, tmp_path: Path) -> None:
        file = tmp_path / PINS_FILE
        os.mkfifo(file)
        with pytest.raises(UsageError, match="not a regular file"):
            pins_in(tmp_path)
        file.unlink()
        file.mkdir()
        with pytest.raises(UsageError, match="not a regular file"):
            pins_in(tmp_path)
        file.rmdir()
        file.symlink_to("nowhere")
        with pytest.raises(UsageError, match="cannot be read"):
            pins_in(tmp_path)

    @pytest.mark.parametrize(
        "text",
        [
            b"version = 1\n\xff\n",
            b"version = 1\na = " + b"[" * 20_000,
            b"version = 1\na = " + b"9" * 100_000,
            b'version = 1\n[encoders.a]\nrepo = """' + b"\n" * 100_000 + b'"""',
            b"version = 1\nx = '''" + b"\n" * 100_000 + b"'''",
            b"".join(b"[encoders.a%d]\nrepo = 'a/b'\n" % n for n in range(1001)) + b"version = 1",
            b"\xef\xbb\xbfversion = 1\n",
            b"version = 1\n\x00",
            b"",
        ],
        ids=["not UTF-8", "deep", "a number", "lines", "unknown", "many", "BOM", "NUL", "empty"],
    )
    def test_anything_else_is_one_line_in_a_moment(self, tmp_path: Path, text: bytes) -> None:
        file = tmp_path / PINS_FILE
        file.write_bytes(text)
        with pytest.raises(UsageError, match=r"sslauth.toml") as raised:
            read_pins(file)
        assert str(raised.value).isprintable()


class TestFinding:
    TEXT = """version = 1
[encoders.minilm]
repo = "org/name"
[encoders.local]
path = "models/tiny"
[encoders.twice]
repo = "org/two"
[encoders.again]
repo = "org/two"
"""

    @pytest.mark.parametrize(
        ("argument", "name"),
        [
            ("minilm", "minilm"),
            ("org/name", "minilm"),
            ("Org/NAME", "minilm"),
            ("./models/tiny/", "local"),
            ("models/../models/tiny", "local"),
            ("twice", "twice"),
            ("name", None),
            ("./minilm", None),
            ("~nobody-of-this-name/x", None),
            ("a\0b", None),
            ("", None),
        ],
    )
    def test_an_entry_is_meant_by_name_repo_or_folder(
        self, tmp_path: Path, argument: str, name: str | None
    ) -> None:
        found = read_pins(written(tmp_path, self.TEXT)).find(argument, base=tmp_path)
        assert (found and found.name) == name

    def test_a_repo_that_two_entries_pin_must_be_called_by_name(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"pinned more than once .* 'twice', 'again'"):
            read_pins(written(tmp_path, self.TEXT)).find("org/two", base=tmp_path)

    def test_a_folder_called_like_a_pinned_repo_is_ambiguous(self, tmp_path: Path) -> None:
        (tmp_path / "org" / "name").mkdir(parents=True)
        pins = read_pins(written(tmp_path, self.TEXT))
        with pytest.raises(UsageError, match="both a folder here and the Hub repository"):
            pins.find("org/name", base=tmp_path)
        assert pins.find("./org/name", base=tmp_path) is None

    def test_a_name_comes_before_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "minilm").mkdir()
        found = read_pins(written(tmp_path, self.TEXT)).find("minilm", base=tmp_path)
        assert found is not None
