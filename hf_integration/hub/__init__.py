"""Model cards on the Hub: publishing a watermark card, and checking what is claimed about one."""

from hf_integration.hub.claims import broken_without_encoder, with_claims
from hf_integration.hub.published import (
    PublishedCard,
    check_signature,
    published_card,
    published_if_own,
    refuse_revoked,
    revocation_reason,
)
from hf_integration.hub.publishing import Publication, Publisher
from hf_integration.model_card.metadata import revocation

__all__ = [
    "Publication",
    "PublishedCard",
    "Publisher",
    "broken_without_encoder",
    "check_signature",
    "published_card",
    "published_if_own",
    "refuse_revoked",
    "revocation",
    "revocation_reason",
    "with_claims",
]
