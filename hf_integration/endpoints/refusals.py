"""What an answer with another status than 200 means, as an error: what was asked, why not, and what to do."""

from typing import Any

from hf_integration.base import strict_json
from hf_integration.base.errors import EndpointError, FlawError, RequestRefusedError
from hf_integration.endpoints.address import Address
from hf_integration.endpoints.apis import DIALECTS
from hf_integration.endpoints.exchange import MOST_OF_A_REFUSAL, Reply
from hf_integration.endpoints.keys import Key, shown

BUSY = frozenset({429, 500, 502, 503, 504})
"""Statuses after which the same request may well be answered."""

ABSENT = frozenset({404, 405})
"""Statuses of a route that a server does not have."""

UNFIT = frozenset({400, 413, 415, 422, 424})
"""Statuses of servers that understood which route is meant, and refuse this request."""

OF_ITS_TEXT = frozenset({400, 413, 422})
"""Those of them that may be because of what is in it, as a text that is too long."""

_REASONS = ("error", "message", "detail", "msg")
"""Where servers say why: OpenAI in ``error.message``, text-embeddings-inference and Ollama in ``error``,
Cohere in ``message``, FastAPI in ``detail`` or ``detail[0].msg``."""


def refusal(reply: Reply, url: str, address: Address, key: Key | None) -> EndpointError:
    """The error that an answer stands for.

    Args:
        reply: the answer, of another status than 200.
        url: that was asked.
        address: of the server.
        key: that was sent, or ``None``.
    """
    status = reply.status
    why = _reason(reply, key)
    if 300 <= status < 400:
        return EndpointError(
            f"{url}: the server redirects to '{shown(reply.location, key)}' (status {status}),"
            " which is not followed",
            remedy="give that URL, if you trust it",
        )
    if status in (401, 403):
        if key is None:
            return EndpointError(
                f"{url}: the server asks for a key (status {status}){why}",
                remedy="name the environment variable that holds one",
            )
        return EndpointError(
            f"{url}: the server refused the key in {key.variable} (status {status}){why}",
            remedy="check that it is the key of this server, and that it may embed",
        )
    if status in ABSENT:
        routes = ", ".join(f"{api} /{dialect.route}" for api, dialect in DIALECTS.items())
        return EndpointError(
            f"{url}: the server has no such route for the API {address.api}, or no such model"
            f" (status {status}){why}",
            remedy=f"check the URL and --api: {routes}",
        )
    if status == 429:
        return EndpointError(
            f"{url}: the server takes no more requests now (status 429){why}",
            remedy="try again later, or with another quota",
        )
    if status in BUSY:
        return EndpointError(f"{url}: the server failed (status {status}){why}", remedy="try again later")
    if status in UNFIT:
        return (RequestRefusedError if status in OF_ITS_TEXT else EndpointError)(
            f"{url}: the server refused the request (status {status}){why}",
            remedy="check model, dimensions and --api",
        )
    return EndpointError(
        f"{url}: the server answered with status {status}{why}",
        remedy="check the URL and any proxy on the way",
    )


def said_by(reply: Reply) -> str:
    """The reason in an answer that refuses, as it stands there, or an empty string."""
    try:
        value: Any = strict_json.parse(reply.body)
    except FlawError:
        return "an HTML page" if is_html(reply) else start_of(reply)
    for _ in range(4):
        if isinstance(value, list) and value:
            value = value[0]
        elif isinstance(value, dict):
            value = next((value[name] for name in _REASONS if value.get(name)), "")
    return value if isinstance(value, str) else ""


def start_of(reply: Reply) -> str:
    """The beginning of an answer as text. White space before it stays: see :func:`shown`."""
    return reply.body[:MOST_OF_A_REFUSAL].decode("utf-8", "replace").rstrip()


def is_html(reply: Reply) -> bool:
    """Whether an answer is a page for people, as captive portals and broken proxies send."""
    return "html" in reply.kind.lower() or reply.body.lstrip()[:9].lower().startswith(
        (b"<!doctype", b"<html")
    )


def _reason(reply: Reply, key: Key | None) -> str:
    reason = said_by(reply)
    return f": {shown(reason, key)}" if reason else ""
