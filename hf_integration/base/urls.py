"""URLs of servers as people write them: which ones are taken, and which would show a secret."""

import re
from urllib.parse import urlsplit

from hf_integration.base.errors import UsageError
from hf_integration.base.text import quoted

LONGEST_URL = 500

_GIVE_ADDRESS = "give it as http://HOST:PORT or https://HOST, with a path if the server has one"
_PLAIN = re.compile(r"[!-~]+", re.ASCII)
_HOST = re.compile(r"[a-z0-9._:-]+", re.ASCII)


def check_url(url: str) -> None:
    """Refuse what is no address of a server, or holds a secret. What might is not quoted.

    Raises:
        UsageError: it is or does.
    """
    for sign, what in (("@", "a user name or password"), ("?", "a query"), ("#", "a fragment")):
        if sign in url:
            raise UsageError(
                f"the endpoint's URL holds {what}, and it is shown in reports",
                remedy="leave it out; a key is given by the name of its environment variable",
            )
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(_HOST.fullmatch(parts.hostname or ""))
        known = known and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        known = False
    # a backslash is a slash to some readers and none to others, who would then ask different hosts
    if not known or len(url) > LONGEST_URL or not _PLAIN.fullmatch(url) or "\\" in url:
        raise UsageError(f"'{quoted(url)}' is no URL of a server", remedy=_GIVE_ADDRESS)
