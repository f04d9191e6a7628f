"""Endpoints that tests name: each is asked once in a session, and handed out as something that embeds."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from hf_integration.base.progress import Silent
from hf_integration.checking.deployed import deployed, wanted_of
from hf_integration.checking.finding import Asked, Found, Place, Project
from hf_integration.checking.held_card import Access
from hf_integration.checking.wanted import EndpointWanted
from hf_integration.endpoints import Address, Endpoint
from hf_integration.verdict import Verdict
from pytest_sslauth import engine
from pytest_sslauth.folders import fingerprint
from pytest_sslauth.marker import CheckRequest
from pytest_sslauth.once import Checked, check_once
from pytest_sslauth.options import Settings
from pytest_sslauth.outcome import Outcome, is_out_of_reach, not_checked
from pytest_sslauth.report_folder import ReportNames
from pytest_sslauth.shared import SharedResults

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
        shared: results of all workers of the run, if it has workers.
        names: of report files.
    """

    def __init__(
        self,
        settings: Settings,
        project: Project,
        access: Access,
        shared: SharedResults | None,
        names: ReportNames,
    ) -> None:
        self._settings = settings
        self._project = project
        self._access = access
        self._shared = shared
        self._names = names
        self._known: dict[tuple[object, ...], Outcome] = {}

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
            address = wanted_of(place, said).address()
            if key not in self._known:
                check = partial(self._ask, asked, said, place, address)
                self._known[key] = check_once(self._shared, self._settings, key, check).outcome
            outcome = self._known[key]
            if outcome.failure or outcome.verdict is None:
                return outcome, None
            return outcome, AuthenticEndpoint(address, outcome.verdict)
        except Exception as error:
            return not_checked(request.encoder, error), None

    def _ask(self, asked: Asked, said: EndpointWanted, place: Place, address: Address) -> Checked:
        source = f"the server at {address.url}, against {place.found_in(self._settings.rootdir)}"
        before = fingerprint(place.inputs)
        used: list[Place | None] = []

        def understood(meant: Found | Place) -> None:
            used.append(meant.card if isinstance(meant, Found) else meant)

        try:
            with deployed(self._project, asked, said, self._access, understood=understood) as found:
                accept = self._settings.accept_self_asserted
                authentication, card = found.check(Silent(), accept_self_asserted=accept)
            outcome = engine.outcome(
                authentication, card, self._settings, self._names, source=source, pin=place.pin
            )
        except Exception as error:
            absent = is_out_of_reach(error, place, revision=asked.revision)
            outcome = not_checked(asked.encoder, error, notes=[source], out_of_reach=absent)
        for place_of_card in used:
            outcome = outcome.using(place_of_card, self._settings.cards)
        return Checked(place.inputs, before, outcome)
