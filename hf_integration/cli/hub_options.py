"""How a command asks the Hub."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from hf_integration.cli.tokens import check_token


@dataclass(frozen=True)
class HubOptions:
    """The options of every command that have to do with the Hub.

    Attributes:
        token: Hub token, if not the saved one.
        cache_dir: Hub cache, if not the usual one.
    """

    token: str | None = field(default=None, repr=False)
    cache_dir: Path | None = None

    def use(self) -> None:
        """Make them hold for everything that this process and its children ask the Hub.

        Called before huggingface_hub is imported, which reads the cache's place once.

        Raises:
            UsageError: the token, or the one of the environment, cannot be one.
        """
        check_token(self.token)
        if self.token is not None:
            os.environ["HF_TOKEN"] = self.token
        if self.cache_dir is not None:
            os.environ["HF_HUB_CACHE"] = str(self.cache_dir.absolute())
