"""What is checked, and the one way in which it is: by the card, the claims about it, and the waivers."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.dates import today
from hf_integration.checking.pins.pin import Waiver

if TYPE_CHECKING:
    from hf_integration.authentication import Authentication
    from hf_integration.base.progress import Progress
    from hf_integration.base.vocabulary import Precision
    from hf_integration.card import WatermarkCard
    from hf_integration.encoders import Encoder
    from hf_integration.hub import PublishedCard
    from hf_integration.verdict import Trust


@dataclass(frozen=True, eq=False)
class Subject:
    """An encoder in memory and the card that it is held against.

    Attributes:
        encoder: the encoder.
        card: its card.
        trust: why the card is believed, as far as a pin or a signature gives a reason; else where it was
            loaded from decides.
        waivers: accepted alterations of the encoder.
        published: what the encoder's own repository claims about the card, if it comes from there.
    """

    encoder: "Encoder"
    card: "WatermarkCard"
    trust: "Trust | None" = None
    waivers: tuple[Waiver, ...] = ()
    published: "PublishedCard | None" = None

    def asked_about(
        self, repo: str | None, *, token: str | None = None, cache_dir: Path | None = None
    ) -> "Subject":
        """The same with what a repository claims about the card, if that is where it lies.

        A card of the encoder's own repository is only as good as what that says of it, unless it is pinned.

        Args:
            repo: what the encoder was loaded by; nothing is asked about a folder.
            token: Hub token.
            cache_dir: Hub cache.

        Raises:
            ModelCardRefusedError: the repository has another card at the encoder's commit, or took it back.
            InconclusiveError: the Hub cannot be asked.
            IntegrityError: what the model card says is malformed, or of another card.
        """
        if self.trust == "pinned" or repo is None or self.encoder.commit is None:
            return self
        from hf_integration.hub import published_if_own

        commit = self.encoder.commit
        published = published_if_own(self.card, repo, commit, token=token, cache_dir=cache_dir)
        return replace(self, published=published)

    def authenticate(
        self,
        *,
        precision: "Precision | None" = None,
        budget: float | None = None,
        accept_self_asserted: bool = False,
        progress: "Progress | None" = None,
    ) -> "Authentication":
        """Check the encoder; see :class:`~hf_integration.authentication.Authenticator` for the arguments."""
        from hf_integration.authentication import Authenticator
        from hf_integration.checking.waiving import waived
        from hf_integration.hub import with_claims

        authenticator = Authenticator(
            card=self.card,
            precision=precision,
            trust=self.trust,
            accept_self_asserted=accept_self_asserted,
            budget=budget,
        )
        authentication = authenticator.authenticate(self.encoder, progress=progress)
        verdict = authentication.verdict
        if self.published is not None:
            verdict = with_claims(verdict, self.published, self.encoder)
        verdict = waived(verdict, self.waivers, today=today(), expires=self.card.expires)
        return replace(authentication, verdict=verdict)
