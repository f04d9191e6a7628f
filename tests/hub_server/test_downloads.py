"""The real client downloads from the server what was put there."""

import time
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.hub_server import HubServer

FILES = {
    "config.json": b"{}",
    "model.safetensors": bytes(range(256)) * 40,
    "deep/er/text.txt": "zwölf\n".encode(),
}
TOKEN = "hf_" + "ThisIsTheAccountsToken"


def test_a_snapshot_holds_every_byte(hub_here: HubServer) -> None:
    commit = hub_here.create("org/tiny", FILES)
    folder = Path(snapshot_download("org/tiny"))
    assert folder.name == commit
    assert {path: (folder / path).read_bytes() for path in FILES} == FILES


def test_large_files_come_from_the_second_port_without_the_token(hub_here: HubServer) -> None:
    hub_here.token = TOKEN
    hub_here.create("org/tiny", FILES, private=True)
    snapshot_download("org/tiny", token=TOKEN)
    on_cdn = [request for request in hub_here.requests if request.server == "cdn"]
    assert [request.path.startswith("/cdn/") for request in on_cdn] == [True]
    assert "authorization" not in on_cdn[0].headers


def test_a_range_is_a_part(hub_here: HubServer) -> None:
    hub_here.create("org/tiny", FILES)
    url = f"{hub_here.url}/org/tiny/resolve/main/model.safetensors"
    reply = httpx2.get(url, follow_redirects=True, headers={"Range": "bytes=3-5"})
    assert (reply.status_code, reply.content) == (206, bytes([3, 4, 5]))
    assert httpx2.get(url, follow_redirects=True, headers={"Range": "bytes=999999-"}).status_code == 416


def test_a_commit_stays_what_it_was_and_names_move(hub_here: HubServer) -> None:
    first = hub_here.create("org/tiny", FILES)
    hub_here.tag("org/tiny", "v1")
    second = hub_here.commit("org/tiny", {"config.json": b"[]"}, delete=["deep/er/text.txt"])
    api = HfApi()
    assert api.model_info("org/tiny").sha == second == hub_here.head("org/tiny")
    assert api.model_info("org/tiny", revision="v1").sha == first
    assert Path(hf_hub_download("org/tiny", "config.json", revision=first)).read_bytes() == b"{}"
    assert Path(hf_hub_download("org/tiny", "config.json")).read_bytes() == b"[]"
    assert "deep/er/text.txt" not in api.list_repo_files("org/tiny")


def test_another_branch_does_not_move_main(hub_here: HubServer) -> None:
    first = hub_here.create("org/tiny", FILES)
    second = hub_here.commit("org/tiny", {"config.json": b"[]"}, branch="next")
    assert (hub_here.head("org/tiny"), hub_here.head("org/tiny", "next")) == (first, second)
    assert hub_here.read("org/tiny", "config.json", "next") == b"[]"


def test_listings_come_in_pages_with_digests(hub_here: HubServer) -> None:
    import hashlib

    hub_here.page = 2
    hub_here.create("org/tiny", FILES)
    found = {entry.path: entry for entry in HfApi().list_repo_tree("org/tiny", recursive=True)}
    assert set(FILES) <= set(found)
    weights = HfApi().get_paths_info("org/tiny", "model.safetensors")[0]
    assert weights.lfs.sha256 == hashlib.sha256(FILES["model.safetensors"]).hexdigest()  # type: ignore[union-attr]


class TestNotThere:
    def test_a_file(self, hub_here: HubServer) -> None:
        hub_here.create("org/tiny", FILES)
        with pytest.raises(RemoteEntryNotFoundError):
            hf_hub_download("org/tiny", "missing.json")

    def test_a_revision(self, hub_here: HubServer) -> None:
        hub_here.create("org/tiny", FILES)
        with pytest.raises(RevisionNotFoundError):
            HfApi().model_info("org/tiny", revision="missing")

    @pytest.mark.usefixtures("hub_here")
    @pytest.mark.parametrize("token", [None, TOKEN])
    def test_a_repository(self, token: str | None) -> None:
        with pytest.raises(RepositoryNotFoundError) as caught:
            HfApi(token=token).model_info("org/missing")
        assert caught.value.response.status_code == (404 if token else 401)


class TestAccess:
    def test_a_private_repository_looks_missing_to_strangers(self, hub_here: HubServer) -> None:
        hub_here.token = TOKEN
        hub_here.create("org/tiny", FILES, private=True)
        with pytest.raises(RepositoryNotFoundError):
            snapshot_download("org/tiny")
        assert snapshot_download("org/tiny", token=TOKEN)

    def test_a_wrong_token_is_refused_even_for_public_files(self, hub_here: HubServer) -> None:
        hub_here.token = TOKEN
        hub_here.create("org/tiny", FILES)
        assert HfApi().model_info("org/tiny").sha
        with pytest.raises(HfHubHTTPError, match="401"):
            HfApi(token="hf_wrong").model_info("org/tiny")  # noqa: S106

    def test_a_gated_repository_shows_itself_but_not_its_files(self, hub_here: HubServer) -> None:
        hub_here.token = TOKEN
        hub_here.create("org/tiny", FILES, gated=True)
        assert HfApi().model_info("org/tiny").gated == "manual"
        with pytest.raises(GatedRepoError) as caught:
            hf_hub_download("org/tiny", "config.json", token=TOKEN)
        assert caught.value.response.status_code == 403
        hub_here.accept("org/tiny")
        assert hf_hub_download("org/tiny", "config.json", token=TOKEN)


def test_a_failing_server_answers_with_500_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("tests.hub_server.server.answer", fail)
    begin = time.monotonic()
    with HubServer() as server:
        assert httpx2.get(f"{server.url}/api/models", timeout=5).status_code == 500
    assert ["ZeroDivisionError" in failure for failure in server.failures] == [True]
    assert time.monotonic() - begin < 5
