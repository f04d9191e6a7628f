"""An endpoint and the trusted copy that it is held against, found and opened for whoever asks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.errors import UsageError
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import USUAL_KEYS, same_repo
from hf_integration.checking.finding import Asked, Found, Place, Project
from hf_integration.checking.held_card import Access, hold_card
from hf_integration.checking.subject import own_commit
from hf_integration.checking.trusted_copy import TrustedCopy, trusted_copy
from hf_integration.checking.wanted import EndpointWanted
from hf_integration.endpoints import Endpoint, Patience

if TYPE_CHECKING:
    from hf_integration.authentication import Authentication
    from hf_integration.base.progress import Progress
    from hf_integration.card import WatermarkCard
    from hf_integration.serving.card_source import CardSource
    from hf_integration.serving.endpoint_check import Asking
    from hf_integration.serving.sources import Source
    from hf_integration.verdict import Trust


@dataclass(frozen=True, eq=False)
class Deployed:
    """What is asked, and what its answers are held against.

    Attributes:
        source: what is known of the encoder.
        trust: why that is believed.
        signers: who signed the card, as far as that was verified.
        copy: the trusted copy, or ``None`` where answers are held against a card.
        endpoint: the server, open for as long as it is being asked.
        asking: how it is asked.
    """

    source: "Source"
    trust: "Trust"
    signers: tuple[str, ...]
    copy: TrustedCopy | None
    endpoint: Endpoint
    asking: "Asking"

    def check(
        self, progress: "Progress", *, accept_self_asserted: bool
    ) -> "tuple[Authentication, WatermarkCard]":
        """Ask it; see :func:`~hf_integration.serving.endpoint_check.check_endpoint`."""
        from hf_integration.serving.endpoint_check import check_endpoint

        authentication, card = check_endpoint(
            self.source,
            self.endpoint,
            self.asking,
            trust=self.trust,
            progress=progress,
            accept_self_asserted=accept_self_asserted,
        )
        verdict = replace(authentication.verdict, signers=self.signers)
        return replace(authentication, verdict=verdict), card


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
    """Load the trusted copy or the card, and open the endpoint, for a ``with`` block.

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
    copy: TrustedCopy | None = None
    source: Source
    if whole.by_card:
        source, trust, signers = _by_card(project, asked, whole, access, understood)
        asking = replace(asking, keys=source.count)
    else:
        from hf_integration.serving.sources import CopySource

        copy = trusted_copy(project, asked, access, understood=understood)
        source, trust, signers = CopySource(copy.encoder), copy.trust, copy.signers
    # a text that is embedded elsewhere takes a second or two at worst
    patience = Patience(total=Patience.total + 2 * asking.keys)
    with Endpoint(address, patience=patience, say=access.say) as endpoint:
        yield Deployed(source, trust, signers, copy, endpoint, asking)


def _by_card(
    project: Project,
    asked: Asked,
    wanted: EndpointWanted,
    access: Access,
    understood: Callable[[Found | Place], object],
) -> "tuple[CardSource, Trust, tuple[str, ...]]":
    """A card as the source, why it is believed, and who signed it: the encoder is looked at by nobody.

    Raises:
        UsageError: a number of key samples is asked for, the card says nothing of deployments, or it is of
            another encoder.
        SSLAuthError: as of :func:`~hf_integration.checking.held_card.hold_card`.
    """
    from hf_integration.serving.card_source import CardSource

    card, trust, signers = card_alone(project, asked, wanted, access, understood=understood)
    return CardSource(card), trust, signers


def card_alone(
    project: Project,
    asked: Asked,
    wanted: EndpointWanted,
    access: Access,
    *,
    understood: Callable[[Found | Place], object],
) -> "tuple[WatermarkCard, Trust, tuple[str, ...]]":
    """The card of an encoder that nobody looks at, why it is believed, and who signed it.

    Args:
        project: where names are looked up.
        asked: the encoder, its card and who has to have signed that.
        wanted: what is said of the deployment.
        access: to the Hub.
        understood: is told what the names mean before anything is loaded.

    Raises:
        UsageError: a number of key samples is asked for, or the card is of another encoder.
        SSLAuthError: as of :func:`~hf_integration.checking.held_card.hold_card`.
    """
    from hf_integration.authentication.trust import trust_beside

    if wanted.keys is not None:
        raise UsageError(
            "--keys and --notice choose fresh key samples, and a card has its own",
            remedy="leave them out, or leave --by-card out",
        )
    found = project.find(asked)
    if found.encoder.publishers:
        raise UsageError(
            f"the files of '{asked.encoder}' must be signed by their publisher, and --by-card looks at none",
            remedy="leave --by-card out",
        )
    understood(found)
    found.check_revision()
    held = hold_card(found, access, commit=own_commit(found, access))
    if held.trust != "pinned":
        _check_is_of(held.card, found)
    return held.card, held.trust or trust_beside(held.card, found.encoder.folder), held.signers


def _check_is_of(card: "WatermarkCard", found: Found) -> None:
    """Refuse the card of another encoder: nobody loads weights here that would contradict it.

    A card that was minted from a folder knows no more than that folder's name.

    Raises:
        UsageError: it is of another encoder, or of another commit.
    """
    place, revision = found.encoder, found.revision
    asked = place.repo or (place.name if place.folder is None else place.folder.resolve().name)
    if card.commit is not None and place.repo is not None:
        is_of = same_repo(card.encoder_name, asked)
    else:
        is_of = same_repo(Path(card.encoder_name).name, Path(asked).name)
    of = f"the card at {card.location} is of {quoted(card.encoder_name)}"
    remedy = "give the card of that encoder, or pin this one by its digest in sslauth.toml"
    if not is_of:
        raise UsageError(f"{of}, not of {quoted(asked)}", remedy=remedy)
    if revision not in (None, card.commit):
        raise UsageError(
            f"{of} at {card.commit or 'no known commit'}, not at {quoted(revision)}", remedy=remedy
        )
