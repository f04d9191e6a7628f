"""Whether a card was minted for a repository: names, and what the Hub says about renamed ones."""

from hf_integration.card import WatermarkCard
from hf_integration.errors import SSLAuthError
from hf_integration.snapshot.hub_errors import hub_errors


def minted_for_another(card: WatermarkCard, repo: str, *, token: str | None = None) -> str:
    """The repository that a card was minted for, if it is another one; else an empty string.

    A card that was minted from a local folder names no repository: digests and commit say what it is of.
    """
    if card.commit is None or card.encoder_name.casefold() == repo.casefold():
        return ""
    return "" if _renamed(card.encoder_name, repo, token) else card.encoder_name


def _renamed(old: str, repo: str, token: str | None) -> bool:
    """Whether the Hub knows both by the same name now: nobody can make it say so of another's repository."""
    from huggingface_hub import HfApi

    names = []
    try:
        for name in (old, repo):
            with hub_errors(name, None):
                names.append(str(HfApi(token=token).model_info(name).id))
    except SSLAuthError:
        return False
    return names[0] == names[1]
