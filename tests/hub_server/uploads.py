"""Uploads: which files are large, their bytes, and the commit that takes them up."""

import base64
import hashlib
import json
from typing import Any

from tests.hub_server.discussions import open_discussion
from tests.hub_server.messages import HubError, Reply, Request
from tests.hub_server.repository import File, Repository, is_large
from tests.hub_server.routes import kind_of, prefix_of, route
from tests.hub_server.store import USER, Store, commit_of


@route("POST", "/api/repos/create")
def create(store: Store, request: Request) -> Reply:
    store.demand_account(request)
    kind, name = _named_in(request)
    address = {"url": f"{store.hub_url}/{prefix_of(kind)}{name}", "name": name, "id": name}
    if (kind, name) in store.repositories:
        return Reply.of({"error": "You already created this repo", **address}, 409)
    private = request.json().get("visibility") == "private" or bool(request.json().get("private"))
    store.repositories[kind, name] = Repository(kind, name, private=private)
    return Reply.of(address)


@route("DELETE", "/api/repos/delete")
def delete(store: Store, request: Request) -> Reply:
    kind, name = _named_in(request)
    store.writable(request, kind, name)
    del store.repositories[kind, name]
    return Reply(200, b"OK", {"Content-Type": "text/plain"})


@route("POST", "/api/validate-yaml")
def validate_header(store: Store, request: Request) -> Reply:
    return Reply.of({"errors": [], "warnings": []})


@route("POST", "/api/{kind}/{name}/preupload/{revision}")
def sort_files(store: Store, request: Request, kind: str, name: str, revision: str) -> Reply:
    """Say which files are large, and what is there already."""
    commit, held = commit_of(store.writable(request, kind, name), revision)
    files = []
    for file in request.json()["files"]:
        mode = "lfs" if is_large(file["path"], file["size"]) else "regular"
        sorted_file = {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}
        if file["path"] in held.files:
            # lets the client leave out what would change nothing
            sorted_file["oid"] = held.files[file["path"]].etag
        files.append(sorted_file)
    return Reply.of({"files": files, "commitOid": commit})


@route("POST", "/{prefix}{name}.git/info/lfs/objects/batch")
def where_to_upload(store: Store, request: Request, prefix: str, name: str) -> Reply:
    store.writable(request, kind_of(prefix), name)
    objects = []
    for wanted in request.json()["objects"]:
        place: dict[str, Any] = {"oid": wanted["oid"], "size": wanted["size"], "authenticated": True}
        if store.content(wanted["oid"]) is None:
            upload = {"href": f"{store.hub_url}/_lfs/{wanted['oid']}", "header": {}}
            place["actions"] = {"upload": upload, "verify": {"href": f"{store.hub_url}/_lfs/verify"}}
        objects.append(place)
    headers = {"Content-Type": "application/vnd.git-lfs+json"}
    return Reply.of({"transfer": "basic", "objects": objects}, headers=headers)


@route("PUT", "/_lfs/{oid}")
def upload(store: Store, request: Request, oid: str) -> Reply:
    if hashlib.sha256(request.body).hexdigest() != oid:
        raise HubError(400, "these bytes have another sha256")
    store.uploads[oid] = request.body
    return Reply(200, b"", {"ETag": f'"{oid}"'})


@route("POST", "/_lfs/verify")
def verify(store: Store, request: Request) -> Reply:
    content = store.content(request.json()["oid"])
    there = content is not None and len(content) == request.json()["size"]
    return Reply.of({}, 200 if there else 404)


@route("POST", "/api/{kind}/{name}/commit/{revision}")
def commit(store: Store, request: Request, kind: str, name: str, revision: str) -> Reply:
    """Take up files, as a commit on a branch or as a pull request."""
    repository = store.writable(request, kind, name)
    parent, held = commit_of(repository, revision)
    files = dict(held.files)
    header: dict[str, str] = {}
    for line in filter(None, request.body.splitlines()):
        operation = json.loads(line)
        if operation["key"] == "header":
            header = operation["value"]
        else:
            _apply(store, files, operation["key"], operation["value"])
    expected = header.get("parentCommit")
    if expected and repository.resolve(expected) != parent:
        raise HubError(412, "A commit has happened since. Please refresh and try again.")
    title, description = header["summary"], header.get("description", "")
    result: dict[str, Any] = {"success": True, "hookOutput": ""}
    branch = revision if revision in repository.branches else "main"
    address = f"{store.hub_url}/{prefix_of(kind)}{name}"
    if request.asked("create_pr"):
        number = open_discussion(repository, title, description, pull_request=True, base=revision)
        branch, result["pullRequestUrl"] = f"refs/pr/{number}", f"{address}/discussions/{number}"
    new = repository.commit(branch, files, title=title, description=description, parent=parent)
    return Reply.of({**result, "commitUrl": f"{address}/commit/{new}", "commitOid": new})


def _named_in(request: Request) -> tuple[str, str]:
    asked = request.json()
    kind = f"{asked.get('type') or 'model'}s"
    return kind, f"{asked.get('organization') or USER}/{asked['name']}"


def _apply(store: Store, files: dict[str, File], key: str, value: dict[str, Any]) -> None:
    """Let one operation of a commit change the files.

    Raises:
        HubError: what it names is not there.
    """
    path = value["path"]
    if key == "file":
        files[path] = File(base64.b64decode(value["content"]), large=False)
    elif key == "lfsFile":
        content = store.content(value["oid"])
        if content is None:
            raise HubError(400, f"LFS object {value['oid']} was not uploaded")
        files[path] = File(content, large=True)
    elif key == "deletedFile":
        if path not in files:
            raise HubError(404, "A file with this name doesn't exist", "EntryNotFound")
        del files[path]
    elif key == "deletedFolder":
        for inner in [other for other in files if other.startswith(f"{path.rstrip('/')}/")]:
            del files[inner]
