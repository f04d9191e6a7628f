"""Listings: every file of a folder, or some paths, with the digests that a commit fixes for them."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs

from tests.hub_server.messages import HubError, Reply, Request
from tests.hub_server.repository import File
from tests.hub_server.routes import route
from tests.hub_server.store import Store, commit_of

Entry = dict[str, Any]


@route("GET", "/api/{kind}/{name}/tree/{revision}")
@route("GET", "/api/{kind}/{name}/tree/{revision}/{path}")
def listing(store: Store, request: Request, kind: str, name: str, revision: str, path: str = "") -> Reply:
    """A folder's files, in pages that a link leads on from."""
    _, commit = commit_of(store.repository(request, kind, name), revision)
    recursive, expand = request.asked("recursive"), request.asked("expand")
    entries = list(_folder(commit.files, path.strip("/"), recursive=recursive, expand=expand))
    if path and not entries:
        raise HubError(404, f"{path} does not exist", "EntryNotFound")
    start = int(request.option("cursor", "0"))
    end = start + store.page
    headers = {}
    if end < len(entries):
        query = f"recursive={recursive}&expand={expand}&cursor={end}"
        headers["Link"] = f'<{store.hub_url}{request.path}?{query}>; rel="next"'
    return Reply.of(entries[start:end], headers=headers)


@route("POST", "/api/{kind}/{name}/paths-info/{revision}")
def some_paths(store: Store, request: Request, kind: str, name: str, revision: str) -> Reply:
    """Like the listing, for paths in a form or in JSON."""
    _, commit = commit_of(store.repository(request, kind, name), revision)
    if request.headers.get("content-type", "").startswith("application/json"):
        asked = request.json()
        paths, expand = asked["paths"], bool(asked.get("expand"))
    else:
        form = parse_qs(request.body.decode())
        paths, expand = form.get("paths", []), form.get("expand", [""])[0].lower() == "true"
    entries = []
    for path in paths:
        if path in commit.files:
            entries.append(_file_entry(path, commit.files[path], expand=expand))
        elif any(other.startswith(f"{path.rstrip('/')}/") for other in commit.files):
            entries.append(_folder_entry(path))
    return Reply.of(entries)


def large_file(file: File, key: str) -> Entry:
    return {key: file.sha256, "size": len(file.content), "pointerSize": len(file.pointer)}


def _folder(files: Mapping[str, File], folder: str, *, recursive: bool, expand: bool) -> Iterator[Entry]:
    base = f"{folder}/" if folder else ""
    named = set()
    for path, file in sorted(files.items()):
        if not path.startswith(base):
            continue
        parts = path[len(base) :].split("/")
        for depth in range(1, len(parts) if recursive else min(2, len(parts))):
            inner = base + "/".join(parts[:depth])
            if inner not in named:
                named.add(inner)
                yield _folder_entry(inner)
        if recursive or len(parts) == 1:
            yield _file_entry(path, file, expand=expand)


def _folder_entry(path: str) -> Entry:
    oid = hashlib.sha1(path.encode(), usedforsecurity=False).hexdigest()
    return {"type": "directory", "path": path, "size": 0, "oid": oid}


def _file_entry(path: str, file: File, *, expand: bool) -> Entry:
    entry: Entry = {"type": "file", "path": path, "size": len(file.content), "oid": file.oid}
    if file.large:
        entry["lfs"] = large_file(file, "oid")
    if expand:
        scan = {"virusFound": False}
        entry["securityFileStatus"] = {"status": "safe", "avScan": scan, "pickleImportScan": None}
    return entry
