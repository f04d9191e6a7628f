"""Endpoints that tests name: each is asked once in a session, and handed out as something that embeds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hf_integration.base.progress import Silent
from hf_integration.checking.deployed import deployed, wanted_of
from hf_integration.checking.finding import Asked, Place, Project
from hf_integration.checking.held_card import Access
from hf_integration.checking.wanted import EndpointWanted
from hf_integration.endpoints import Address, Endpoint
from hf_integration.verdict import Verdict
from pytest_sslauth import engine
from pytest_sslauth.marker import CheckRequest
from pytest_sslauth.options import Settings
from pytest_sslauth.outcome import Outcome, not_checked
from pytest_sslauth.report_folder import ReportNames

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class AuthenticEndpoint:
    """A server behind which the encoder was found that is meant.

    Attributes:
        url: where it is.
        model: what it is asked for, where the API has a name for it.
        verdict: of the check.
    """

    def __init__(self, address: Address, verdict: Verdict) -> None:
        self._address = address
        self.url = address.url
        self.model = address.model
        self.verdict = verdict

    def embed(self, texts: Sequence[str], *, per_request: int = 32) -> "NDArray[np.float64]":
        """Ask for embeddings.

        Args:
            texts: at least one.
            per_request: how many of them share a request, unless the API allows fewer.

        Returns:
            Array ``(n, dim)``, in the order of the texts.

        Raises:
            EndpointError: the server did not answer, or not with embeddings.
        """
        with Endpoint(self._address) as endpoint:
            return endpoint.embed(texts, per_request=per_request).embeddings

    def __repr__(self) -> str:
        return f"<AuthenticEndpoint {self.url}>"


class EndpointChecks:
    """Asks endpoints and remembers what came out, also where one did not answer.

    Args:
        settings: what all checks of the session have in common.
        project: where names are looked up.
        access: to the Hub.
        names: of report files.
    """

    def __init__(self, settings: Settings, project: Project, access: Access, names: ReportNames) -> None:
        self._settings = settings
        self._project = project
        self._access = access
        self._names = names
        self._known: dict[tuple[object, ...], tuple[Outcome, AuthenticEndpoint | None]] = {}

    def check(self, request: CheckRequest) -> tuple[Outcome, AuthenticEndpoint | None]:
        """Ask an endpoint, unless it was asked before in this session.

        Args:
            request: the trusted copy, and the endpoint as the caller named it.

        Returns:
            The outcome, and what embeds if it is authentic.
        """
        said = EndpointWanted(**dict(request.endpoint or ()))  # type: ignore[arg-type]  # checked by the marker
        try:
            asked = Asked(encoder=request.encoder, card=request.card, revision=request.revision)
            place = self._project.encoder(asked)
            key = (place, request)
            if key not in self._known:
                self._known[key] = self._ask(asked, said, place)
            return self._known[key]
        except Exception as error:
            return not_checked(request.encoder, error), None

    def _ask(
        self, asked: Asked, said: EndpointWanted, place: Place
    ) -> tuple[Outcome, AuthenticEndpoint | None]:
        address = wanted_of(place, said).address()
        source = f"the server at {address.url}, against {place.found_in(self._settings.rootdir)}"

        try:
            with deployed(self._project, asked, said, self._access) as found:
                accept = self._settings.accept_self_asserted
                authentication, card = found.check(Silent(), accept_self_asserted=accept)
        except Exception as error:
            return not_checked(asked.encoder, error, notes=[source]), None
        outcome = engine.outcome(
            authentication, card, self._settings, self._names, source=source, pin=place.pin
        )
        client = None if outcome.failure else AuthenticEndpoint(address, authentication.verdict)
        return outcome, client
