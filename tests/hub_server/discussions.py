"""Discussions and pull requests."""

from typing import Any

from tests.hub_server.messages import HubError, Reply, Request
from tests.hub_server.repository import Repository, now
from tests.hub_server.routes import route
from tests.hub_server.store import USER, Store

AUTHOR = {"name": USER, "type": "user"}


def open_discussion(
    repository: Repository, title: str, text: str, *, pull_request: bool, base: str = "main"
) -> int:
    """Open one and give its number."""
    number = len(repository.discussions) + 1
    discussion = {
        "num": number,
        "title": title,
        "author": AUTHOR,
        "createdAt": now(),
        "status": "open",
        "isPullRequest": pull_request,
        "repo": {"name": repository.name, "type": repository.kind.removesuffix("s")},
        "filesWithConflicts": [],
        "diff": "",
        "changes": {"base": f"refs/heads/{base}"},
        "events": [_comment(f"event-{number}", text)],
    }
    repository.discussions.append(discussion)
    return number


@route("GET", "/api/{kind}/{name}/discussions")
def discussions(store: Store, request: Request, kind: str, name: str) -> Reply:
    found = store.repository(request, kind, name).discussions
    return Reply.of({"discussions": found, "count": len(found), "start": 0})


@route("POST", "/api/{kind}/{name}/discussions")
def start_discussion(store: Store, request: Request, kind: str, name: str) -> Reply:
    repository = store.writable(request, kind, name)
    asked = request.json()
    pull = bool(asked.get("pullRequest"))
    number = open_discussion(repository, asked["title"], asked["description"], pull_request=pull)
    if pull:
        repository.branches[f"refs/pr/{number}"] = repository.branches["main"]
    return Reply.of({"num": number, "pullRequest": pull})


@route("GET", "/api/{kind}/{name}/discussions/{number}")
def discussion(store: Store, request: Request, kind: str, name: str, number: str) -> Reply:
    return Reply.of(_numbered(store.repository(request, kind, name), number))


@route("POST", "/api/{kind}/{name}/discussions/{number}/comment")
def comment(store: Store, request: Request, kind: str, name: str, number: str) -> Reply:
    found = _numbered(store.writable(request, kind, name), number)
    return _happened(found, _comment(_next_event(found), request.json().get("comment", "")))


@route("POST", "/api/{kind}/{name}/discussions/{number}/status")
def set_status(store: Store, request: Request, kind: str, name: str, number: str) -> Reply:
    found = _numbered(store.writable(request, kind, name), number)
    found["status"] = request.json()["status"]
    return _happened(found, _status_event(found))


@route("POST", "/api/{kind}/{name}/discussions/{number}/merge")
def merge(store: Store, request: Request, kind: str, name: str, number: str) -> Reply:
    """Let the base become what the pull request is; there is no merging of changes on both sides."""
    repository = store.writable(request, kind, name)
    found = _numbered(repository, number)
    base = found["changes"]["base"].removeprefix("refs/heads/")
    repository.branches[base] = repository.branches[f"refs/pr/{number}"]
    found["status"] = "merged"
    found["changes"]["mergeCommitId"] = repository.branches[base]
    return _happened(found, _status_event(found))


def _numbered(repository: Repository, number: str) -> dict[str, Any]:
    if not 0 < int(number) <= len(repository.discussions):
        raise HubError(404, "Discussion not found")
    return repository.discussions[int(number) - 1]


def _next_event(found: dict[str, Any]) -> str:
    return f"event-{found['num']}-{len(found['events'])}"


def _comment(name: str, text: str) -> dict[str, Any]:
    latest = {"raw": text, "html": text, "updatedAt": now(), "author": AUTHOR}
    data = {"edited": False, "hidden": False, "latest": latest, "history": [{}], "numEdits": 0}
    return {"id": name, "type": "comment", "author": AUTHOR, "createdAt": now(), "data": data}


def _status_event(found: dict[str, Any]) -> dict[str, Any]:
    about = {"id": _next_event(found), "type": "status-change", "author": AUTHOR, "createdAt": now()}
    return {**about, "data": {"status": found["status"]}}


def _happened(found: dict[str, Any], event: dict[str, Any]) -> Reply:
    found["events"].append(event)
    return Reply.of({"newMessage": event, "newStatus": event})
