"""The real client uploads to the server, opens pull requests and names commits."""

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError

from tests.hub_server import HubServer

TOKEN = "hf_" + "ThisIsTheAccountsToken"
WEIGHTS = bytes(range(256)) * 40


def operations() -> list[CommitOperationAdd | CommitOperationDelete]:
    return [CommitOperationAdd("README.md", b"# hi\n"), CommitOperationAdd("w.safetensors", WEIGHTS)]


def test_a_commit_takes_up_small_and_large_files(hub_here: HubServer) -> None:
    hub_here.token = TOKEN
    api = HfApi(token=TOKEN)
    api.create_repo("org/new")
    done = api.create_commit("org/new", operations(), commit_message="first")
    assert done.oid == hub_here.head("org/new")
    assert hub_here.read("org/new", "README.md") == b"# hi\n"
    assert hub_here.read("org/new", "w.safetensors") == WEIGHTS
    api.create_commit("org/new", [CommitOperationDelete("README.md")], commit_message="second")
    assert set(hub_here.files("org/new")) == {".gitattributes", "w.safetensors"}
    assert [commit.title for commit in api.list_repo_commits("org/new")][:2] == ["second", "first"]


def test_a_folder_can_be_uploaded_and_deleted(hub_here: HubServer) -> None:
    api = HfApi()
    hub_here.create("org/tiny", {"sslauth/a.txt": b"a", "sslauth/b.txt": b"b", "c.txt": b"c"})
    api.create_commit("org/tiny", [CommitOperationDelete("sslauth/")], commit_message="without")
    assert set(hub_here.files("org/tiny")) == {".gitattributes", "c.txt"}


def test_strangers_cannot_write(hub_here: HubServer) -> None:
    hub_here.token = TOKEN
    before = hub_here.create("org/tiny", {})
    with pytest.raises(HfHubHTTPError, match="401"):
        HfApi().create_commit("org/tiny", operations(), commit_message="mine now")
    assert hub_here.head("org/tiny") == before


def test_a_pull_request_leaves_main_alone_until_it_is_merged(hub_here: HubServer) -> None:
    api = HfApi()
    before = hub_here.create("org/tiny", {"config.json": b"{}"})
    done = api.create_commit("org/tiny", operations(), commit_message="please", create_pr=True)
    assert (hub_here.head("org/tiny"), done.pr_num) == (before, 1)
    assert hub_here.read("org/tiny", "README.md", "refs/pr/1") == b"# hi\n"
    found = next(iter(api.get_repo_discussions("org/tiny")))
    assert (found.title, found.is_pull_request, found.status) == ("please", True, "open")
    api.comment_discussion("org/tiny", 1, "thank you")
    api.merge_pull_request("org/tiny", 1)
    assert hub_here.read("org/tiny", "README.md") == b"# hi\n"
    assert api.get_discussion_details("org/tiny", 1).status == "merged"


def test_a_commit_on_an_outdated_parent_is_refused(hub_here: HubServer) -> None:
    parent = hub_here.create("org/tiny", {})
    newer = hub_here.commit("org/tiny", {"config.json": b"{}"})
    with pytest.raises(HfHubHTTPError, match="412"):
        HfApi().create_commit("org/tiny", operations(), commit_message="late", parent_commit=parent)
    assert hub_here.head("org/tiny") == newer


def test_branches_and_tags_are_made_listed_and_removed(hub_here: HubServer) -> None:
    api = HfApi()
    first = hub_here.create("org/tiny", {})
    api.create_branch("org/tiny", branch="next", revision=first)
    api.create_tag("org/tiny", tag="v1")
    found = api.list_repo_refs("org/tiny")
    assert {branch.name: branch.target_commit for branch in found.branches} == {"main": first, "next": first}
    assert [(tag.name, tag.target_commit) for tag in found.tags] == [("v1", first)]
    api.delete_branch("org/tiny", branch="next")
    api.delete_tag("org/tiny", tag="v1")
    found = api.list_repo_refs("org/tiny")
    assert ([branch.name for branch in found.branches], found.tags) == (["main"], [])


def test_the_header_of_a_model_card_is_read(hub_here: HubServer) -> None:
    hub_here.create("org/tiny", {"README.md": b"---\ntags: [speech]\nsslauth:\n  schema: 1\n---\n# hi\n"})
    found = HfApi().model_info("org/tiny")
    assert found.card_data is not None
    assert found.card_data["sslauth"] == {"schema": 1}
    assert found.tags == ["speech"]
