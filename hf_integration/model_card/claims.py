"""What a model card says about a watermark card, read from its bytes or from the Hub."""

from hf_integration.errors import ModelCardError
from hf_integration.flaw import FlawError
from hf_integration.model_card.metadata import KEY, Metadata, read_metadata
from hf_integration.model_card.repository import README, RepoCommit
from hf_integration.model_card.yaml_header import read_key, split


def read_claims(readme: bytes) -> Metadata | None:
    """What a model card says about a watermark card, or ``None`` where it says nothing.

    Raises:
        FlawError: its YAML header is none, or what it says is malformed.
    """
    value = read_key(split(readme).header, KEY)
    return None if value is None else read_metadata(value)


def claims_of(there: RepoCommit) -> Metadata | None:
    """What a repository's model card says about a watermark card.

    Raises:
        ModelCardError: it is malformed.
        InconclusiveError: the Hub cannot be asked.
    """
    try:
        return read_claims(there.readme())
    except FlawError as flaw:
        raise ModelCardError(
            f"the model card of {there} cannot be read: {README}: {flaw}",
            remedy=flaw.remedy or "name a card that you trust with --card",
        ) from None
