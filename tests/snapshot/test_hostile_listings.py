"""Listings and pages of a server that is no Hub: nothing outside of the cache, no traceback, an end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hf_integration.base.errors import IntegrityError
from hf_integration.snapshot import resolve
from hf_integration.snapshot.hub_errors import HubUnreachableError
from hf_integration.snapshot.listing import _note, _noted, forget, list_files
from hf_integration.snapshot.transport import MOST_REQUESTS, EndlessListingError
from tests.hub_server import Fault, HubServer, faults
from tests.hub_server.faults import Behaviour
from tests.hub_server.messages import Reply, Request

OUTSIDE = "../../../../pwned"


@pytest.fixture
def tiny(hub_here: HubServer) -> HubServer:
    hub_here.create("org/tiny", {"config.json": b"{}", "model.safetensors": b"weights"})
    return hub_here


class TestCommits:
    @pytest.mark.parametrize("commit", [OUTSIDE, "a" * 39, "a" * 40 + "\n", "A" * 40, "", "main", None, 7])
    def test_what_is_none_is_refused_before_anything_is_asked_or_written(
        self, tiny: HubServer, tmp_path: Path, commit: Any
    ) -> None:
        (tmp_path / "pwned.json").write_text("mine")
        uses: list[Callable[[], Any]] = [
            lambda: list_files("org/tiny", commit, token=None, cache_dir=tmp_path / "cache"),
            lambda: _noted(tmp_path / "a" / "b" / "c", commit),
            lambda: _note(tmp_path / "a" / "b" / "c", commit, []),
            lambda: forget(tmp_path / "a" / "b" / "c", commit),
        ]
        asked = len(tiny.requests)
        for use in uses:
            with pytest.raises(IntegrityError, match="not a commit"):
                use()
        assert len(tiny.requests) == asked
        assert [path.name for path in tmp_path.rglob("*.json")] == ["pwned.json"]
        assert (tmp_path / "pwned.json").read_text() == "mine"

    def test_one_is_listed_and_forgotten(self, tiny: HubServer, tmp_path: Path) -> None:
        head = tiny.head("org/tiny")
        assert len(list_files("org/tiny", head, token=None, cache_dir=tmp_path)) == 3
        assert [path.stem for path in tmp_path.rglob("*.json")] == [head]
        forget(tmp_path / "models--org--tiny", head)
        assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize("path", ["/revision/main|/api/models/org/tiny$", "/tree/"])
@pytest.mark.parametrize("brackets", [b"[" * 200_000, b'{"a":' * 200_000])
def test_brackets_without_end_are_no_answer_of_a_hub(tiny: HubServer, path: str, brackets: bytes) -> None:
    tiny.faults.append(Fault(faults.body(lambda _: brackets), path=path))
    with pytest.raises(HubUnreachableError, match="the answer is not that of a Hub") as raised:
        resolve("org/tiny")
    assert "\n" not in str(raised.value)


def led_on(more: Callable[[int], list[dict[str, Any]]]) -> Behaviour:
    """Pages whose link to the next leads to the same one."""
    pages = iter(range(1_000_000))

    def behaviour(request: Request, _answer: Callable[[], Reply]) -> Reply:
        host = request.headers["host"]
        link = f'<http://{host}{request.path}?recursive=true>; rel="next"'
        return Reply.of(more(next(pages)), headers={"Link": link})

    return behaviour


class TestListingsWithoutEnd:
    def test_pages_that_hold_nothing_and_lead_to_themselves(self, tiny: HubServer) -> None:
        fault = Fault(led_on(lambda _: []), path="/tree/")
        tiny.faults.append(fault)
        with pytest.raises(IntegrityError, match=f"goes on after {MOST_REQUESTS} pages") as raised:
            resolve("org/tiny")
        assert "\n" not in str(raised.value)
        assert fault.struck == MOST_REQUESTS

    def test_pages_that_take_for_ever(self, tiny: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("hf_integration.snapshot.transport.LONGEST_LISTING", 0)
        tiny.faults.append(Fault(led_on(lambda _: []), path="/tree/"))
        with pytest.raises(EndlessListingError, match="not over after 0 seconds"):
            resolve("org/tiny")

    def test_folders_that_hide_the_files_behind_them(
        self, tiny: HubServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hf_integration.snapshot.listing.MOST_ENTRIES", 50)

        def before(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
            folders = [{"type": "directory", "path": f"f{n}", "oid": "0" * 40} for n in range(60)]
            return folders + entries

        tiny.faults.append(Fault(faults.edited(before), path="/tree/"))
        with pytest.raises(IntegrityError, match="more than 50 files and folders"):
            resolve("org/tiny")

    def test_a_listing_in_many_pages_is_read_to_its_end(self, hub_here: HubServer) -> None:
        hub_here.page = 1
        hub_here.create("org/many", {f"{n}.txt": b"x" for n in range(50)} | {"model.safetensors": b"w"})
        assert len(resolve("org/many", patterns=["*.txt"]).files) == 50
