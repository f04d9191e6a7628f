"""Model cards on the Hub: what a repository's ``README.md`` says about a watermark card, at one commit."""

from hf_integration.model_card.metadata import Metadata, Revocation, claims_of, read_claims
from hf_integration.model_card.repository import RepoCommit

__all__ = ["Metadata", "RepoCommit", "Revocation", "claims_of", "read_claims"]
