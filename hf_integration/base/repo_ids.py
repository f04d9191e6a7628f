"""Names of Hub repositories, and when two of them mean the same one."""

import re

REPO_ID = re.compile(r"(\b[\w.-]{1,96}\b/)?\b[\w.-]{1,96}\b", re.ASCII)
"""As ``huggingface_hub`` checks names: ``org/name``, or a name alone."""


def is_repo_id(name: str) -> bool:
    """Whether a name can be a repository's; whether a folder of that name is here is not looked at."""
    return REPO_ID.fullmatch(name) is not None


def same_repo(one: str | None, other: str | None) -> bool:
    """Whether two names mean one repository, which the Hub names without regard to case."""
    return one is not None and other is not None and one.casefold() == other.casefold()
