"""What the Hub says about repositories: the model's page, references and history."""

import re
from collections.abc import Mapping
from typing import Any

import yaml  # type: ignore[import-untyped]  # stubs are not among our tools

from tests.hub_server.listings import large_file
from tests.hub_server.messages import Reply, Request
from tests.hub_server.repository import File, Repository
from tests.hub_server.routes import route
from tests.hub_server.store import USER, Store, commit_of

Entry = dict[str, Any]


@route("GET", "/api/whoami-v2")
def whoami(store: Store, request: Request) -> Reply:
    store.demand_account(request)
    access = {"type": "access_token", "accessToken": {"displayName": "test", "role": "write"}}
    return Reply.of({"type": "user", "name": USER, "fullname": USER, "orgs": [], "auth": access})


@route("GET", "/api/{kind}")
def repositories(store: Store, request: Request, kind: str) -> Reply:
    known, search = store.known(request), request.option("search")
    found = [
        _information(repository, "main", blobs=False)
        for (their_kind, name), repository in store.repositories.items()
        if their_kind == kind and search in name and (known or not repository.private)
    ]
    return Reply.of(found)


@route("GET", "/api/{kind}/{name}")
@route("GET", "/api/{kind}/{name}/revision/{revision}")
def information(store: Store, request: Request, kind: str, name: str, revision: str = "main") -> Reply:
    repository = store.repository(request, kind, name)
    return Reply.of(_information(repository, revision, blobs=request.asked("blobs")))


@route("GET", "/api/{kind}/{name}/refs")
def references(store: Store, request: Request, kind: str, name: str) -> Reply:
    repository = store.repository(request, kind, name)
    found: dict[str, list[Entry]] = {"branches": [], "converts": [], "tags": [], "pullRequests": []}
    for branch, commit in repository.branches.items():
        if branch.startswith("refs/pr/"):
            pull = {"name": branch.removeprefix("refs/"), "ref": branch, "targetCommit": commit}
            found["pullRequests"].append(pull)
        else:
            found["branches"].append({"name": branch, "ref": f"refs/heads/{branch}", "targetCommit": commit})
    for tag, commit in repository.tags.items():
        found["tags"].append({"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": commit})
    return Reply.of(found)


@route("GET", "/api/{kind}/{name}/commits/{revision}")
def history(store: Store, request: Request, kind: str, name: str, revision: str) -> Reply:
    repository = store.repository(request, kind, name)
    first, _ = commit_of(repository, revision)
    commits = [
        {
            "id": commit_name,
            "title": commit.title,
            "message": commit.description,
            "date": commit.date,
            "authors": [{"user": USER}],
        }
        for commit_name, commit in repository.history(first)
    ]
    return Reply.of(commits)


def _information(repository: Repository, revision: str, *, blobs: bool) -> Entry:
    name, commit = commit_of(repository, revision)
    siblings = []
    for path, file in sorted(commit.files.items()):
        entry: Entry = {"rfilename": path}
        if blobs:
            entry |= {"size": len(file.content), "blobId": file.oid}
            if file.large:
                entry["lfs"] = large_file(file, "sha256")
        siblings.append(entry)
    about = {
        "_id": "0" * 24,
        "id": repository.name,
        "modelId": repository.name,
        "author": repository.name.split("/")[0],
        "sha": name,
        "private": repository.private,
        "disabled": False,
        "gated": "manual" if repository.gated else False,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "lastModified": commit.date,
        "createdAt": repository.created,
        "siblings": siblings,
    }
    header = _model_card(commit.files)
    return {**about, "cardData": header, "tags": header.get("tags") or []} if header else about


def _model_card(files: Mapping[str, File]) -> Entry:
    text = files["README.md"].content if "README.md" in files else b""
    found = re.match(rb"\s*---\r?\n(.*?)\n---", text, re.DOTALL)
    try:
        header = yaml.safe_load(found.group(1)) if found else None
    except yaml.YAMLError:
        return {}
    return header if isinstance(header, dict) else {}
