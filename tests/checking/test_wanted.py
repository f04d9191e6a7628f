"""What a caller and an entry say of an endpoint, put together: every field, said by either or by both."""

import itertools
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest

from hf_integration.base.errors import UsageError
from hf_integration.base.vocabulary import APIS, FEWEST_DIMENSIONS, FEWEST_KEYS, MOST_KEYS, MOST_WIDTH
from hf_integration.checking.pins import PINS_FILE, read_pins
from hf_integration.checking.wanted import EndpointWanted

OURS: dict[str, Any] = {
    "url": "http://h:1",
    "api": "tei",
    "model": "m",
    "key_env": "KEY",
    "serving": "tei",
    "dimensions": 64,
    "by_card": True,
    "keys": 32,
    "confidence": 0.95,
    "spread": 600.0,
}
OTHERS: dict[str, Any] = {
    "url": "http://other:2",
    "api": "openai",
    "model": "n",
    "key_env": "ANOTHER",
    "serving": "torch",
    "dimensions": 128,
    "by_card": False,
    "keys": 16,
    "confidence": 0.9,
    "spread": 90.0,
}
PINNED = EndpointWanted(**OURS)
OF_THE_ENCODER = {"serving", "dimensions", "by_card"}
OF_THE_SERVER = {"api", "model", "key_env"}


def test_every_field_is_in_the_tables() -> None:
    assert set(OURS) == set(OTHERS) == {field.name for field in fields(EndpointWanted)}


@pytest.mark.parametrize("url", [None, OURS["url"]])
def test_of_the_entrys_own_server_all_is_taken(url: str | None) -> None:
    assert EndpointWanted(url=url).completed(PINNED, entry="x") == PINNED


def test_another_server_is_not_spoken_to_like_the_entrys() -> None:
    found = EndpointWanted(url=OTHERS["url"]).completed(PINNED, entry="x")
    expected = {name: None if name in OF_THE_SERVER else value for name, value in OURS.items()}
    assert asdict(found) == {**expected, "url": OTHERS["url"]}


@pytest.mark.parametrize("name", sorted(set(OTHERS) - OF_THE_ENCODER))
@pytest.mark.parametrize("url", [None, OURS["url"], OTHERS["url"]])
def test_what_the_caller_says_goes_before(url: str | None, name: str) -> None:
    said = replace(EndpointWanted(url=url), **{name: OTHERS[name]})
    assert getattr(said.completed(PINNED, entry="x"), name) == OTHERS[name]


@pytest.mark.parametrize("name", sorted(OF_THE_ENCODER))
@pytest.mark.parametrize("url", [None, OURS["url"], OTHERS["url"]])
def test_what_is_expected_of_the_encoder_is_not_contradicted(url: str | None, name: str) -> None:
    said = replace(EndpointWanted(url=url), **{name: OTHERS[name]})
    with pytest.raises(UsageError, match=f"{name} {OTHERS[name]} contradicts 'x'.*has {OURS[name]}"):
        said.completed(PINNED, entry="'x'")
    same = replace(said, **{name: OURS[name]})
    assert getattr(same.completed(PINNED, entry="x"), name) == OURS[name]
    silent = replace(PINNED, **{name: None})
    assert getattr(said.completed(silent, entry="x"), name) == OTHERS[name]


def test_without_any_url_nothing_is_asked() -> None:
    with pytest.raises(UsageError, match="'x' names no endpoint"):
        EndpointWanted(serving="tei").completed(None, entry="'x'")
    alone = EndpointWanted(url="http://h", serving="tei")
    assert alone.completed(None, entry="x") == alone


class TestTables:
    """``[encoders.NAME.endpoint]``."""

    @staticmethod
    def read(folder: Path, *lines: str) -> EndpointWanted | None:
        text = ["version = 1", "[encoders.a]", "path = 'a'", "[encoders.a.endpoint]", *lines, ""]
        (folder / PINS_FILE).write_text("\n".join(text))
        return read_pins(folder / PINS_FILE).encoders["a"].endpoint

    @staticmethod
    def line(name: str, value: Any) -> str:
        if name == "spread":
            return f'spread = "{value / 60:g}m"'
        if isinstance(value, bool):
            return f"{name} = {str(value).lower()}"
        return f"{name} = {value}" if isinstance(value, (int, float)) else f'{name} = "{value}"'

    def test_every_key_is_read(self, tmp_path: Path) -> None:
        lines = [self.line(name, value) for name, value in OURS.items()]
        assert self.read(tmp_path, *lines) == PINNED
        assert self.read(tmp_path, lines[0]) == EndpointWanted(url=OURS["url"])

    @pytest.mark.parametrize("api", APIS)
    def test_every_api_is_known(self, tmp_path: Path, api: str) -> None:
        found = self.read(tmp_path, 'url = "https://h"', f'api = "{api}"')
        assert found is not None
        assert found.api == api

    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            ((), "line 4: encoders.a.endpoint: an endpoint without 'url'"),
            (('url = "ftp://h"',), "line 5: encoders.a.endpoint.url: 'ftp://h' is no URL of a server"),
            (('url = "http://me:secret@h"',), "line 5: encoders.a.endpoint.url: the endpoint's URL holds"),
            (('url = "http://h?key=secret"',), "line 5: encoders.a.endpoint.url: the endpoint's URL holds"),
            (('url = "http://h"', 'apy = "tei"'), "line 6: encoders.a.endpoint.apy: unknown key; known are"),
            (('url = "http://h"', 'api = "soap"'), "'soap' is no API; known are openai, tei"),
            (('url = "http://h"', "api = 1"), "line 6: encoders.a.endpoint.api: must be a string"),
            *(
                (('url = "http://h"', f"{name} = {value}"), f"{name}: must be a whole number from {low}")
                for name, low, most in (
                    ("keys", FEWEST_KEYS, MOST_KEYS),
                    ("dimensions", FEWEST_DIMENSIONS, MOST_WIDTH),
                )
                for value in (low - 1, most + 1, "true", "1.5", '"64"')
            ),
            *(
                (('url = "http://h"', f"{name} = {value}"), f"line 6: encoders.a.endpoint.{name}: ")
                for name, value in itertools.product(("model", "key_env", "serving"), ("7", '""', "[]"))
            ),
            *(
                (
                    ('url = "http://h"', f"confidence = {value}"),
                    "confidence: must be a number between 0 and 1",
                )
                for value in ("0.0", "1.0", "1", "nan", "inf", '"0.9"')
            ),
            *(
                (('url = "http://h"', f"spread = {value}"), "spread: must be a span of time such as '90s'")
                for value in ("600", '"600"', '"0s"', '"-1m"', '"1 m"', '""')
            ),
        ],
    )
    def test_what_cannot_be_meant_is_refused(
        self, tmp_path: Path, lines: tuple[str, ...], message: str
    ) -> None:
        with pytest.raises(UsageError) as raised:
            self.read(tmp_path, *lines)
        assert message in str(raised.value)
        assert "secret" not in str(raised.value)

    @pytest.mark.parametrize("value", ["1", '"http://h"', "[]"])
    def test_an_endpoint_is_a_table(self, tmp_path: Path, value: str) -> None:
        text = f"version = 1\n[encoders.a]\npath = 'a'\nendpoint = {value}\n"
        (tmp_path / PINS_FILE).write_text(text)
        with pytest.raises(UsageError, match=r"line 4: encoders\.a\.endpoint: must be a table"):
            read_pins(tmp_path / PINS_FILE)
