"""Files of stamps: what is written is read again, and whatever else is there is one line and status 4."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_integration.base.checksum import FIELD, checksum
from hf_integration.errors import RecordError, UsageError
from hf_integration.stamps import records
from hf_integration.stamps.records import packed
from hf_integration.stamps.stamp import Other, Stamp
from tests.cli.conftest import environment

COUNT, WIDTH = 5, 6


def small(**changes: Any) -> Stamp:
    """A stamp of random numbers, small enough to be mutated everywhere."""
    numbers = np.random.default_rng(0).standard_normal((COUNT, WIDTH)).astype(np.float32).astype(np.float64)
    kept = np.random.default_rng(1).standard_normal((3, 8)).astype(np.float32).astype(np.float64)
    long = np.random.default_rng(2).standard_normal((2, 8)).astype(np.float32).astype(np.float64)
    stamp = Stamp(
        encoder="org/encoder",
        commit="0" * 40,
        card=f"sha256:{'0' * 64}",
        created="2026-11-28T12:00:00+00:00",
        recipe="as the encoder itself",
        form="float32",
        tolerance=1e-5,
        texts=tuple(f"text {place} ü" for place in range(COUNT)),
        long=2,
        embeddings=numbers,
        others=(Other("cls", False, WIDTH, 1e-5, kept), Other("cut", True, WIDTH, 1e-5, long)),
    )
    return replace(stamp, **changes)


LINE = str(small())
CONTENT: dict[str, Any] = json.loads(LINE)


def written(content: dict[str, Any]) -> str:
    """With a checksum that fits."""
    return json.dumps({**content, FIELD: checksum(content)})


def flaw(text: str) -> str:
    with pytest.raises(RecordError) as raised:
        Stamp.load(text)
    said = str(raised.value)
    assert said.startswith("damaged stamp: the given text: ")
    assert "\n" not in said
    assert said.isprintable()
    assert len(said) < 700
    assert raised.value.exit_status == 4
    return said


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "stamp.json").write_text(LINE + "\n")
    for source in (LINE, tmp_path / "stamp.json", str(tmp_path / "stamp.json"), small()):
        assert str(Stamp.load(source)) == LINE
    assert "\n" not in LINE
    assert LINE.isascii()


@pytest.mark.parametrize("name", [name for name in CONTENT if name != FIELD])
class TestEveryKey:
    def test_must_be_there(self, name: str) -> None:
        flaw(written({key: value for key, value in CONTENT.items() if key != name}))

    @pytest.mark.parametrize(
        "value", [True, -1, 0, 1e300, "", "\x1b[2J", "x" * 30_000, [], ["x"], [None], {}, {"a": 1}], ids=repr
    )
    def test_must_be_of_its_kind(self, name: str, value: Any) -> None:
        if name == "long" and value in (0, True) and value is not True:
            pytest.skip("no text needs to be long, but then the numbers of others do not fit")
        if name == "others" and value == []:
            pytest.skip("a stamp of an endpoint knows no other recipe")
        if name in ("commit", "card") and value is None:
            pytest.skip("not every encoder has one")
        flaw(written({**CONTENT, name: value}))

    def test_must_not_be_edited(self, name: str) -> None:
        other = small(
            encoder="other",
            commit="1" * 40,
            card=None,
            created="2026-11-28T12:00:01+00:00",
            recipe="tei",
            form="decimals:4",
            tolerance=2e-5,
            texts=tuple("abcde"),
            others=(),
            embeddings=np.ones((COUNT, WIDTH)),
        )
        edited = json.loads(str(other))[name]
        if edited != CONTENT[name]:
            assert "checksum" in flaw(json.dumps({**CONTENT, name: edited}))


OF_OTHERS = CONTENT["others"][0]


@pytest.mark.parametrize("name", list(OF_OTHERS))
@pytest.mark.parametrize("value", [None, -1, 1e300, "", "AAAA", "\u202e", [], {}], ids=repr)
def test_every_key_of_another_recipe(name: str, value: Any) -> None:
    if name == "says" and value == "AAAA":
        pytest.skip("it may say so")
    flaw(written({**CONTENT, "others": [{**OF_OTHERS, name: value}]}))


@pytest.mark.parametrize(
    "row",
    [
        "",
        "!!!!",
        "ü",
        packed(np.ones(WIDTH - 1)),
        packed(np.ones(WIDTH + 1)),
        packed(np.zeros(WIDTH)),
        packed(np.full(WIDTH, np.nan)),
        packed(np.full(WIDTH, np.inf)),
        packed(np.full(WIDTH, -np.inf)),
    ],
)
def test_an_embedding_that_is_none(row: str) -> None:
    for place in range(COUNT):
        rows = [*CONTENT["embeddings"]]
        rows[place] = row
        assert "embeddings" in flaw(written({**CONTENT, "embeddings": rows}))


@pytest.mark.parametrize("place", range(0, len(LINE), 97))
def test_a_character_anywhere(place: int) -> None:
    for character in ("x", '"', "\0", "{", "0"):
        if LINE[place] != character:
            edited = LINE[:place] + character + LINE[place + 1 :]
            if edited.startswith("{"):
                flaw(edited)


@pytest.mark.parametrize("size", [1, 2, 100, len(LINE) // 2, len(LINE) - 1])
def test_the_end_is_missing(size: int) -> None:
    flaw(LINE[:size])


@pytest.mark.parametrize(
    "text",
    [
        "{" + '"a":{' * 40 + "}" * 41,
        '{"a":' + "[" * 100_000,
        '{"format":"sslauth-stamp","format":"sslauth-stamp"}',
        '{"format":"sslauth-stamp","schema":true}',
        '{"format":"sslauth-stamp","schema":1.0}',
        '{"format":"sslauth-stamp","schema":NaN}',
        '{"format":"sslauth-baseline","schema":1}',
        "{}",
        '{"a":"\\ud800"}',
        "{\ud800}",
    ],
    ids=range(10),
)
def test_hostile_json(text: str) -> None:
    flaw(text)


def test_a_newer_version_says_what_to_upgrade() -> None:
    assert "upgrade pytest-sslauth" in flaw(written({**CONTENT, "schema": 2}))


@pytest.mark.parametrize("count", [0, 257])
def test_number_of_texts(count: int) -> None:
    flaw(written({**CONTENT, "texts": [str(place) for place in range(count)]}))


def test_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"there is no stamp .*missing\.json"):
        Stamp.load(tmp_path / "missing.json")
    for name in ("n" * 300, f'"{LINE}"', LINE[1:]):  # or a line in quotes, or without its beginning
        with pytest.raises(UsageError, match=r"the stamp|no stamp") as raised:
            Stamp.load(name)
        assert len(str(raised.value)) < 500
    (tmp_path / "empty.json").touch()
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(records, "MOST_BYTES", len(LINE) - 1)
    (tmp_path / "large.json").write_text(LINE)
    for name in ("empty.json", "pipe", ".", "large.json"):
        with pytest.raises(RecordError, match="damaged stamp"):
            Stamp.load(tmp_path / name)
    flaw(LINE)


def test_checking_imports_no_torch_and_few_modules(tmp_path: Path) -> None:
    (tmp_path / "stamp.json").write_text(LINE)
    code = """
import sys
from hf_integration import check_stamp
import numpy as np
found = check_stamp(sys.argv[1], lambda texts: np.ones((len(texts), 6)))
print(found.status, *sorted({"torch", "transformers", "huggingface_hub", "typer"} & {*sys.modules}))
"""
    process = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "stamp.json")],
        capture_output=True, text=True, env=environment(), check=True,
    )  # fmt: skip
    assert process.stdout == "other\n"
