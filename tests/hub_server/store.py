"""What the Hub knows, and who may see it."""

from dataclasses import dataclass, field

from tests.hub_server.messages import HubError, Request
from tests.hub_server.repository import Commit, File, Repository

USER = "alice"


@dataclass
class Store:
    """Repositories, uploads on their way, and the one account.

    Attributes:
        token: of the account; ``None`` lets everybody write, and any token open what is private.
        accepted: repositories whose conditions the account has accepted.
        uploads: contents of large files that no commit holds yet, by SHA-256.
    """

    token: str | None = None
    hub_url: str = ""
    cdn_url: str = ""
    page: int = 1000
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)
    uploads: dict[str, bytes] = field(default_factory=dict)

    def known(self, request: Request) -> bool:
        """Whether a request comes from the account.

        Raises:
            HubError: with 401, for a token that is none; the Hub refuses it even where none is needed.
        """
        given = request.headers.get("authorization")
        if given is None:
            return False
        if self.token is not None and given != f"Bearer {self.token}":
            raise HubError(401, "Invalid credentials in Authorization header")
        return True

    def repository(self, request: Request, kind: str, name: str) -> Repository:
        """A repository that the sender may know about.

        Raises:
            HubError: with 404; to strangers 401, which hides whether there is a private one.
        """
        known = self.known(request)
        found = self.repositories.get((kind, name))
        if found is not None and (known or not found.private):
            return found
        if known:
            raise HubError(404, "Repository not found", "RepoNotFound")
        # The Hub sends no code here; the client knows this case by a pattern that only fits https.
        raise HubError(401, "Invalid username or password.", "RepoNotFound")

    def readable(self, request: Request, kind: str, name: str) -> Repository:
        """A repository whose files the sender may read.

        Raises:
            HubError: also for gated ones, whose conditions have to be accepted.
        """
        found = self.repository(request, kind, name)
        if found.gated and not (self.known(request) and name in self.accepted):
            why = f"Access to model {name} is restricted and you are not in the authorized list."
            raise HubError(403 if self.known(request) else 401, why, "GatedRepo")
        return found

    def writable(self, request: Request, kind: str, name: str) -> Repository:
        """A repository that the sender may change.

        Raises:
            HubError: also for whoever gave no token, where one is needed.
        """
        self.demand_account(request)
        return self.repository(request, kind, name)

    def demand_account(self, request: Request) -> None:
        """Refuse strangers.

        Raises:
            HubError: with 401.
        """
        if not self.known(request) and self.token is not None:
            raise HubError(401, "Invalid username or password.")

    def content(self, sha256: str) -> bytes | None:
        """Bytes of a large file, uploaded just now or held by a commit."""
        if sha256 in self.uploads:
            return self.uploads[sha256]
        for repository in self.repositories.values():
            for commit in repository.commits.values():
                for file in commit.files.values():
                    if file.large and file.sha256 == sha256:
                        return file.content
        return None


def commit_of(repository: Repository, revision: str) -> tuple[str, Commit]:
    """Name and commit of a revision.

    Raises:
        HubError: there is none.
    """
    name = repository.resolve(revision or "main")
    if name is None:
        raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
    return name, repository.commits[name]


def file_of(repository: Repository, revision: str, path: str) -> tuple[str, File]:
    """Name of the commit and a file in it.

    Raises:
        HubError: there is none.
    """
    name, commit = commit_of(repository, revision)
    if path not in commit.files:
        raise HubError(404, "Entry not found", "EntryNotFound", X_Repo_Commit=name)
    return name, commit.files[path]
