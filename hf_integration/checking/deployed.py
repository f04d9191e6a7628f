"""An endpoint and the trusted copy that it is held against, found and opened for whoever asks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hf_integration.base.vocabulary import USUAL_KEYS
from hf_integration.checking.finding import Asked, Found, Place, Project
from hf_integration.checking.held_card import Access
from hf_integration.checking.trusted_copy import TrustedCopy, trusted_copy
from hf_integration.checking.wanted import EndpointWanted
from hf_integration.endpoints import Endpoint, Patience

if TYPE_CHECKING:
    from hf_integration.authentication import Authentication
    from hf_integration.base.progress import Progress
    from hf_integration.card import WatermarkCard
    from hf_integration.serving.endpoint_check import Asking


@dataclass(frozen=True, eq=False)
class Deployed:
    """What is asked, and what its answers are held against.

    Attributes:
        copy: the trusted copy.
        endpoint: the server, open for as long as it is being asked.
        asking: how it is asked.
    """

    copy: TrustedCopy
    endpoint: Endpoint
    asking: "Asking"

    def check(
        self, progress: "Progress", *, accept_self_asserted: bool
    ) -> "tuple[Authentication, WatermarkCard]":
        """Ask it; see :func:`~hf_integration.serving.endpoint_check.check_endpoint`."""
        from hf_integration.serving.endpoint_check import check_endpoint
        from hf_integration.serving.sources import CopySource

        return check_endpoint(
            CopySource(self.copy.encoder),
            self.endpoint,
            self.asking,
            trust=self.copy.trust,
            progress=progress,
            accept_self_asserted=accept_self_asserted,
        )


def wanted_of(place: Place, wanted: EndpointWanted) -> EndpointWanted:
    """What a caller says of an endpoint, and what the encoder's entry says besides.

    Raises:
        UsageError: there is no URL, or they contradict each other.
    """
    entry = f"'{place.name}'" if place.pin is None else f"'{place.pin.name}' in {place.pin.file.name}"
    return wanted.completed(None if place.pin is None else place.pin.endpoint, entry=entry)


@contextmanager
def deployed(
    project: Project,
    asked: Asked,
    wanted: EndpointWanted,
    access: Access,
    *,
    understood: Callable[[Found | Place], object] = lambda _: None,
) -> Iterator[Deployed]:
    """Load the trusted copy and open the endpoint, for a ``with`` block.

    Args:
        project: where names are looked up.
        asked: the trusted copy, its card and who has to have signed that.
        wanted: the endpoint; what is left out is taken from the entry of the copy.
        access: to the Hub; its ``say`` is also given a line before each pause of the client.
        understood: is told what the names mean before anything is loaded.

    Raises:
        UsageError: the endpoint is not named, or not as it can be asked.
        SSLAuthError: as of :func:`trusted_copy`.
    """
    from hf_integration.serving.endpoint_check import Asking
    from hf_integration.serving.noticing import CONFIDENCE
    from hf_integration.serving.presets import preset

    whole = wanted_of(project.encoder(asked), wanted)
    address = whole.address()
    serving = None if whole.serving is None else preset(whole.serving)
    asking = Asking(
        serving=serving,
        keys=whole.keys or USUAL_KEYS,
        spread=whole.spread or 0.0,
        confidence=whole.confidence or CONFIDENCE,
    )
    copy = trusted_copy(project, asked, access, understood=understood)
    # a text that is embedded elsewhere takes a second or two at worst
    patience = Patience(total=Patience.total + 2 * asking.keys)
    with Endpoint(address, patience=patience, say=access.say) as endpoint:
        yield Deployed(copy, endpoint, asking)
