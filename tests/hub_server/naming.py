"""Branches and tags: making and removing names of commits."""

from tests.hub_server.messages import Reply, Request
from tests.hub_server.routes import route
from tests.hub_server.store import Store, commit_of


@route("POST|DELETE", "/api/{kind}/{name}/branch/{path}")
def branch(store: Store, request: Request, kind: str, name: str, path: str) -> Reply:
    repository = store.writable(request, kind, name)
    if request.method == "DELETE":
        repository.branches.pop(path, None)
        return Reply(204)
    if path in repository.branches:
        return Reply.of({"error": f"Reference already exists: {path}"}, 409)
    repository.branches[path], _ = commit_of(repository, request.json().get("startingPoint") or "main")
    return Reply()


@route("POST|DELETE", "/api/{kind}/{name}/tag/{path}")
def tag(store: Store, request: Request, kind: str, name: str, path: str) -> Reply:
    """The path is the revision to tag, or the tag to remove."""
    repository = store.writable(request, kind, name)
    if request.method == "DELETE":
        repository.tags.pop(path, None)
        return Reply(204)
    if request.json()["tag"] in repository.tags:
        return Reply.of({"error": "Tag already exists"}, 409)
    repository.tags[request.json()["tag"]], _ = commit_of(repository, path)
    return Reply()
