"""The Hub that tests hold in their hands."""

import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

# each of them registers its routes
from tests.hub_server import discussions, downloads, information, listings, naming, uploads
from tests.hub_server.faults import Fault
from tests.hub_server.messages import Reply, Request
from tests.hub_server.repository import File, Repository, is_large
from tests.hub_server.routes import answer
from tests.hub_server.serving import Port
from tests.hub_server.store import Store, commit_of, file_of

ROUTES = (discussions, downloads, information, listings, naming, uploads)
ROOT = Path(__file__).parents[2]


class HubServer:
    """A Hub on two ports: the Hub itself, and the 'CDN' that large files come from.

    Attributes:
        requests: what came in, on both ports, in order.
        faults: rules of misbehaviour; the first that strikes a request decides about it.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self._lock = threading.Lock()
        self._hub, self._cdn = Port("hub", self._answer), Port("cdn", self._answer)
        self._store = Store(hub_url=self._hub.url, cdn_url=self.cdn_url)

    def __enter__(self) -> Self:
        self._hub.start()
        self._cdn.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._hub.stop()
        self._cdn.stop()

    @property
    def url(self) -> str:
        return self._hub.url

    @property
    def cdn_url(self) -> str:
        return self._cdn.url.replace("127.0.0.1", "localhost")  # another host: clients before 2.0 ask for one

    @property
    def failures(self) -> list[str]:
        """Tracebacks of defects of this server, which clients saw as status 500."""
        return self._hub.failures + self._cdn.failures

    @property
    def token(self) -> str | None:
        """The account's token: needed for writing, and for what is private or gated; ``None`` for any."""
        return self._store.token

    @token.setter
    def token(self, token: str | None) -> None:
        self._store.token = token

    @property
    def page(self) -> int:
        """Files in one page of a listing."""
        return self._store.page

    @page.setter
    def page(self, page: int) -> None:
        self._store.page = page

    def create(
        self, repo_id: str, files: Mapping[str, bytes], *, private: bool = False, gated: bool = False
    ) -> str:
        """Make a model repository with these files and give its commit."""
        repository = Repository("models", repo_id, private=private, gated=gated)
        self._store.repositories["models", repo_id] = repository
        return self.commit(repo_id, files, message="first files")

    def accept(self, repo_id: str) -> None:
        """Let the account accept the conditions of a gated repository."""
        self._store.accepted.add(repo_id)

    def commit(
        self,
        repo_id: str,
        files: Mapping[str, bytes],
        *,
        delete: Iterable[str] = (),
        branch: str = "main",
        message: str = "some files",
    ) -> str:
        """Add and remove files on a branch, which starts from main if it is new, and give the commit."""
        repository = self.repository(repo_id)
        with self._lock:
            parent, held = commit_of(repository, branch if branch in repository.branches else "main")
            kept = {path: file for path, file in held.files.items() if path not in set(delete)}
            new = {path: File(content, is_large(path, len(content))) for path, content in files.items()}
            return repository.commit(branch, {**kept, **new}, title=message, parent=parent)

    def repository(self, repo_id: str) -> Repository:
        return self._store.repositories["models", repo_id]

    def head(self, repo_id: str, branch: str = "main") -> str:
        return self.repository(repo_id).branches[branch]

    def read(self, repo_id: str, path: str, revision: str = "main") -> bytes:
        return file_of(self.repository(repo_id), revision, path)[1].content

    def files(self, repo_id: str, revision: str = "main") -> dict[str, bytes]:
        """All files of a revision."""
        held = commit_of(self.repository(repo_id), revision)[1].files
        return {path: file.content for path, file in held.items()}

    def tag(self, repo_id: str, tag: str, revision: str = "main") -> None:
        repository = self.repository(repo_id)
        repository.tags[tag] = commit_of(repository, revision)[0]

    def environment(self, home: Path, **more: str) -> dict[str, str]:
        """Environment of a process for which this is the Hub, and ``home`` all that it remembers of it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        ours = {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(paths),
        }
        return {**kept, **ours, **more}

    def _answer(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)

        def right() -> Reply:
            with self._lock:
                return answer(self._store, request)

        for fault in self.faults:
            if fault.strikes(request):
                return fault.behaviour(request, right)
        return right()
