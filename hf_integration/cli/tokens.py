"""The Hub's token: refused where the client could only quote it, and never shown."""

import os
import re

from hf_integration.base.errors import UsageError

VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
"""Where the Hub's client looks for a token, in this order."""

HIDDEN = "[token]"

_LOOKS_LIKE_ONE = re.compile(
    r"(?<=Bearer )[^\n]+"
    # 34 letters and digits, with room for a shorter one; names of code are words with underscores
    r"|\bhf_[A-Za-z0-9]{16,}\w*"
    r"|\bhf_(?:oauth|jwt|app)_[\w.-]{8,}"
)
_SHORTEST_PIECE = 8


def check_token(token: str | None) -> None:
    """Refuse a token that cannot stand in a header: an error of the client would quote it.

    Args:
        token: what ``--token`` gave, or ``None``; then the one of the environment is looked at, as the client
            cleans it.

    Raises:
        UsageError: it holds white space, control characters or letters outside of ASCII; does not quote it.
    """
    if token is not None:
        if not token:
            raise UsageError("--token is empty", remedy="leave it out, or give one; is a variable unset?")
        _check("--token", token)
        return
    for name in VARIABLES:
        if value := os.environ.get(name):
            _check(name, _cleaned(value))
            return


def _cleaned(value: str) -> str:
    """What the client makes of a variable."""
    return value.replace("\r", "").replace("\n", "").strip()


def _check(name: str, token: str) -> None:
    if not all("!" <= character <= "~" for character in token):
        raise UsageError(
            f"{name} is no token: it holds white space, control or non-ASCII characters",
            remedy="copy it again from the Hub's settings, without line breaks",
        )


def without_tokens(text: str) -> str:
    """A text for people with every token left out: those of the environment, and what looks like one."""
    for name in VARIABLES:
        token = os.environ.get(name, "")
        # a line break may be quoted as it is, or escaped: what stands around it is hidden in any case
        pieces = {token, _cleaned(token), repr(token)[1:-1], *token.split()}
        for piece in sorted(pieces, key=len, reverse=True):
            if len(piece) >= _SHORTEST_PIECE:
                text = text.replace(piece, HIDDEN)
    return _LOOKS_LIKE_ONE.sub(HIDDEN, text)
