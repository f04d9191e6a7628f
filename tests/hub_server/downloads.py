"""Files: small ones from the Hub itself, large ones by a redirect to the second port."""

import re
from pathlib import PurePosixPath

from tests.hub_server.messages import HubError, Reply, Request
from tests.hub_server.routes import kind_of, route
from tests.hub_server.store import Store, file_of

BYTES = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}


@route("GET|HEAD", "/{prefix}{name}/resolve/{revision}/{path}")
def resolve(store: Store, request: Request, prefix: str, name: str, revision: str, path: str) -> Reply:
    repository = store.readable(request, kind_of(prefix), name)
    commit, file = file_of(repository, revision, path)
    about = {"X-Repo-Commit": commit, "Content-Disposition": f'inline; filename="{PurePosixPath(path).name}"'}
    if not file.large:
        return part_of(file.content, request, {**about, "ETag": f'"{file.oid}"'})
    linked = {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(len(file.content))}
    place = {"Location": f"{store.cdn_url}/cdn/{file.sha256}", "ETag": f'"{file.oid}"'}
    return Reply(302, b"Found. Redirecting", {"Content-Type": "text/plain", **about, **linked, **place})


@route("GET|HEAD", "/cdn/{oid}")
def large_file(store: Store, request: Request, oid: str) -> Reply:
    """Whoever knows the address may have it, as with the signed addresses of the Hub."""
    content = store.content(oid)
    if content is None:
        raise HubError(404, "no such object")
    return part_of(content, request, {"ETag": f'"{oid}"'})


def part_of(content: bytes, request: Request, headers: dict[str, str]) -> Reply:
    """The whole content, or the range that was asked for."""
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if asked is None or not any(asked.groups()):
        return Reply(200, content, {**BYTES, **headers})
    first, last = asked.groups()
    start = int(first) if first else max(0, len(content) - int(last))
    end = min(int(last) + 1, len(content)) if first and last else len(content)
    if start >= len(content):
        return Reply(416, b"", {"Content-Range": f"bytes */{len(content)}"})
    return Reply(
        206,
        content[start:end],
        {**BYTES, **headers, "Content-Range": f"bytes {start}-{end - 1}/{len(content)}"},
    )
