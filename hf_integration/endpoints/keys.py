"""The key of an endpoint: named by its environment variable, sent to the server, and never shown."""

import os
import re
from typing import Any
from urllib.parse import quote

from hf_integration.base.errors import UsageError
from hf_integration.base.text import LONGEST_QUOTE, quoted

LONGEST_KEY = 1000
"""Characters of a key. Tokens of clouds have some hundred; see :func:`shown` for why more are refused."""

HIDDEN = "[the key]"

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,99}", re.ASCII)
"""Capital letters only: somebody who gives a key for its variable's name must not find it in the message."""


class Key:
    """A key, which its ``repr`` does not show: tracebacks with local variables go into logs.

    Args:
        variable: name of the environment variable that holds the key.

    Attributes:
        variable: the same.

    Raises:
        UsageError: no such name, or the variable is unset, empty, or holds what cannot stand in a header. The
            key is not quoted.
    """

    __slots__ = ("_secret", "variable")

    def __init__(self, variable: str) -> None:
        if not _VARIABLE.fullmatch(variable):
            raise UsageError(
                "the key is given by the name of an environment variable in capital letters",
                remedy="put the key into a variable and give its name, such as OPENAI_API_KEY",
            )
        self.variable = variable
        self._secret = os.environ.get(variable, "").strip()
        if not self._secret:
            raise UsageError(f"{variable}, which should hold the key, is not set", remedy="export it first")
        # the library's error for such a header would quote it
        if len(self._secret) > LONGEST_KEY or not all("!" <= character <= "~" for character in self._secret):
            raise UsageError(
                f"{variable} holds no key: white space, control or non-ASCII characters, or too many of them",
                remedy="copy it again, without line breaks",
            )

    def __repr__(self) -> str:
        return f"<key in {self.variable}>"

    def __reduce__(self) -> str:
        raise TypeError("a key is neither copied nor pickled")

    def authorise(self, request: Any) -> Any:
        """Put the key into a request of httpx, as every API here expects it."""
        request.headers["Authorization"] = f"Bearer {self._secret}"
        return request

    def removed_from(self, text: str) -> str:
        """A text without the key, as it is or as URLs quote it."""
        return text.replace(self._secret, HIDDEN).replace(quote(self._secret, safe=""), HIDDEN)


def shown(text: str, key: Key | None, *, longest: int = LONGEST_QUOTE) -> str:
    """What a server said, fit for a message: on one line, bounded, harmless, and without the key it may echo.

    The key goes before the cut, which would leave half of it. A text that was cut before, at
    :data:`~hf_integration.endpoints.exchange.MOST_OF_A_REFUSAL`, may end in half a key: too far behind to be
    shown, as long as nothing but keys was taken out before it.
    """
    return quoted(key.removed_from(text) if key else text, longest=longest)
