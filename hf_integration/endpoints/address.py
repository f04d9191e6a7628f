"""Where a server is and how it is spoken to, as a caller says it."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlsplit, urlunsplit

from hf_integration.base.errors import UsageError
from hf_integration.base.text import is_plain, quoted
from hf_integration.base.urls import check_url
from hf_integration.base.vocabulary import APIS, MOST_WIDTH, Api, is_repo_id
from hf_integration.endpoints.apis import DIALECTS, Dialect
from hf_integration.endpoints.keys import Key

LONGEST_MODEL = 300


@dataclass(frozen=True, kw_only=True)
class Address:
    """An embedding server, and what of it is asked.

    The URL is a base or the full route. It is the full route if its path ends like the API's route does:
    ``/v1/embeddings`` and ``/gateway/embeddings`` are full for the API ``openai``. Otherwise the API's route
    is added to it, less what the path ends with already: ``http://host``, ``http://host/`` and
    ``http://host/v1`` all become ``http://host/v1/embeddings``. For the API ``hf``, a URL without a model is
    always the full route: an inference endpoint of one's own has none below it.

    Attributes:
        url: of http or https, without credentials, query and fragment: it is shown in reports.
        api: the API that is spoken.
        model: the model's name, where the API has one.
        key_variable: name of the environment variable that holds the key, if the server asks for one.
        dimensions: of the embeddings, where the API lets a caller choose.

    Raises:
        UsageError: one of them makes no sense, or none for this API.
    """

    url: str
    api: Api
    model: str | None = None
    key_variable: str | None = None
    dimensions: int | None = None

    def __post_init__(self) -> None:
        if self.api not in APIS:
            raise UsageError(f"no API is called '{quoted(self.api)}'", remedy=f"one of {', '.join(APIS)}")
        check_url(self.url)
        self._check_model()
        if self.dimensions is not None:
            if not self.dialect.dimensions:
                raise UsageError(f"the API {self.api} lets nobody choose dimensions", remedy="leave them out")
            if not 0 < self.dimensions <= MOST_WIDTH:
                raise UsageError(f"{self.dimensions} dimensions", remedy=f"1 to {MOST_WIDTH}")
        key = self.key()  # whether there is one is said before the work, not in the middle of it
        if key is not None and key.removed_from(self.url) != self.url:
            raise UsageError("the URL holds the key, and it is shown in reports", remedy="leave it out")

    @property
    def dialect(self) -> Dialect:
        """How the API is spoken."""
        return DIALECTS[self.api]

    @property
    def route(self) -> str:
        """The URL that embeddings are asked from."""
        parts = urlsplit(self.url)
        whole = self.api == "hf" and self.model is None
        below = [] if whole else self.dialect.route.format(model=quote(self.model or "")).split("/")
        return urlunsplit((parts.scheme, parts.netloc, _joined(parts.path, below), "", ""))

    def beside(self, name: str) -> str:
        """The URL of another route of the same server, beside that for embeddings."""
        return f"{self.route.rpartition('/')[0]}/{name}"

    @property
    def in_the_open(self) -> bool:
        """Whether what is sent can be read on the way: over http, to another machine than this one."""
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        try:
            here = ip_address(host).is_loopback
        except ValueError:
            here = host == "localhost"
        return parts.scheme == "http" and not here

    def key(self) -> Key | None:
        """The key, read from the environment now.

        Raises:
            UsageError: the variable is unset, empty, or holds no key.
        """
        return None if self.key_variable is None else Key(self.key_variable)

    def _check_model(self) -> None:
        if self.model is None:
            if self.dialect.needs_model:
                raise UsageError(f"the API {self.api} needs a model's name", remedy="say which is asked")
            return
        if not self.dialect.names_model:
            raise UsageError(
                f"the API {self.api} has no name of a model: a server has one model", remedy="leave it out"
            )
        if not 0 < len(self.model) <= LONGEST_MODEL or not is_plain(self.model):
            raise UsageError(
                f"'{quoted(self.model)}' is no name of a model", remedy="give it as the server knows it"
            )
        if self.api == "hf":
            if not is_repo_id(self.model):
                raise UsageError(f"'{quoted(self.model)}' is no repo id of the Hub", remedy="org/name is one")
            # else the URL's model would be asked, and the report would show the other one
            if urlsplit(self.url).path.rstrip("/").endswith("/feature-extraction"):
                raise UsageError(
                    "the URL is a full route, which names the model", remedy="leave one of them out"
                )


def _joined(path: str, route: list[str]) -> str:
    """The path of a URL, and so much of a route as it does not end with already."""
    held = path.rstrip("/").split("/")
    if not route or held[-1] == route[-1]:
        return "/".join(held) or "/"
    overlap = max(count for count in range(len(route)) if held[len(held) - count :] == route[:count])
    return "/".join([*held, *route[overlap:]])
