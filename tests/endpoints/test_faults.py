"""Every fault of a server, for every API that can have it: the error that is expected, on one line."""

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from hf_integration.base.text import is_plain
from hf_integration.base.vocabulary import ExitStatus
from hf_integration.endpoints import Api, Endpoint
from hf_integration.errors import EndpointError
from tests.endpoints import faults as ours
from tests.endpoints.asking import ALL, ASKED, HASTE, ONCE, address, right
from tests.endpoints.server import ROUTES, EmbeddingServer
from tests.hub_server import faults
from tests.hub_server.faults import Behaviour, Fault
from tests.hub_server.messages import Reply

WITH_INDEX: tuple[Api, ...] = ("openai", "llamacpp")
WITH_NAMES: tuple[Api, ...] = ("openai", "ollama", "cohere")
WITHOUT_INDEX: tuple[Api, ...] = ("tei", "ollama", "cohere", "hf")

HOSTILE = "\x1b[2J\u202ebad\u200b " + "x" * 500


@dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        name: of the fault.
        behaviour: of the server.
        message: a regular expression of the error's message; ``None`` where the answer is right all the same.
        apis: that can have it.
    """

    name: str
    behaviour: Behaviour
    message: str | None
    apis: tuple[Api, ...] = ALL


def body(content: bytes) -> Behaviour:
    return ours.answers(content)


def status(code: int, message: str = "so it is") -> Behaviour:
    return lambda _request, _answer: Reply.of({"error": message}, code)


TABLE = [
    # statuses
    Row("bad request", status(400), r"refused the request \(status 400\): so it is \(check model"),
    Row(
        "unauthorized",
        status(401),
        r"asks for a key \(status 401\): so it is \(name the environment variable",
    ),
    Row("forbidden", status(403), r"asks for a key \(status 403\)"),
    Row(
        "not found",
        status(404),
        r"no such route .*\(status 404\): so it is \(check the URL and --api: openai /v1",
    ),
    Row("method not allowed", status(405), r"no such route .*\(status 405\)"),
    Row("proxy asks", status(407), r"answered with status 407: so it is \(check the URL and any proxy"),
    Row("too large", status(413), r"refused the request \(status 413\): so it is"),
    Row("unprocessable", status(422), r"refused the request \(status 422\): so it is"),
    Row("failed dependency", status(424), r"refused the request \(status 424\): so it is"),
    Row("too many requests", status(429), r"no more requests now \(status 429\): so it is, at the last of 1"),
    Row("internal error", status(500), r"the server failed \(status 500\): so it is, at the last of 1 tries"),
    Row("bad gateway", status(502), r"the server failed \(status 502\)"),
    Row("unavailable", status(503), r"the server failed \(status 503\)"),
    Row("gateway timeout", status(504), r"the server failed \(status 504\)"),
    Row("no content", lambda _r, _a: Reply(204), r"answered with status 204"),
    Row("created", status(201), r"answered with status 201"),
    Row("redirect", faults.redirect("http://elsewhere.example{path}"), r"redirects to 'http://elsewhere.exa"),
    Row(
        "redirect to itself",
        faults.redirect("{path}"),
        r"redirects to '/.*' \(status 302\), which is not fol",
    ),
    Row(
        "redirect to nonsense", faults.redirect("http://[::1"), r"redirects to 'http://\[::1' \(status 302\)"
    ),
    Row(
        "hostile redirect", faults.redirect("http://e/" + "\t" + "x" * 500), r"redirects to 'http://e/\\tx+…'"
    ),
    Row("hostile reason", status(422, HOSTILE), r": \\x1b\[2J\\u202ebad\\u200b x+… \("),
    Row("reason in HTML", ours.answers(b"<html>no</html>", "text/html", 400), r"400\): an HTML page \("),
    Row("reason in text", ours.answers(b"no\nmore", "text/plain", 422), r"422\): no\\nmore \("),
    Row("reason in a list", ours.answers(b'{"detail": [{"msg": "bad"}]}', status=422), r"422\): bad \("),
    Row("no reason", ours.answers(b"", status=500), r"the server failed \(status 500\), at the last"),
    Row("reason that is none", ours.answers(b'{"error": 3}', status=400), r"request \(status 400\) \("),
    Row("long reason", ours.answers(b"x" * 300_000, "text/plain", 400), r"\(status 400\): x+… \("),
    Row("gzipped refusal", ours.gzip_bomb(400), r"refused the request \(status 400\) \("),
    # connections
    Row("reset before", faults.reset(), r"the server broke off the connection, at the last of 1 tries"),
    Row("reset in the middle", faults.reset(after=20), r"the server broke off"),
    Row("hang-up in the middle", faults.hang_up(after=20), r"the server broke off its answer"),
    Row("hang-up before", faults.hang_up(after=0), r"the server broke off its answer"),
    Row("stall before", faults.stall(), r"did not answer wholly within 0.1 seconds, at the last"),
    Row("stall in the middle", faults.stall(after=20), r"did not answer wholly within 0.1 seconds"),
    Row("drip of the body", faults.drip(0.05), r"did not answer wholly within 0.1 seconds"),
    Row("endless drip", ours.dripped_body(), r"did not answer wholly within 0.1 seconds"),
    Row("drip of headers", ours.dripped_headers(), r"did not answer wholly within 0.1 seconds"),
    Row("interim answers", ours.interim_answers(), r"did not answer wholly within 0.1 seconds"),
    Row("another protocol", ours.no_http(), r"broke off its answer, or does not speak HTTP"),
    Row("endless body", ours.endless_body(), r"more than the 1638400 bytes that such an answer can have"),
    Row(
        "body cut, length kept",
        faults.body(lambda content: content[:-9]),
        r"cannot be read as JSON: not valid",
    ),
    Row("endless length", faults.headers(Content_Length="999999999"), r"broke off its answer"),
    # contents
    Row("HTML", faults.html(), r"the answer is an HTML page instead of JSON: <!DOCTYPE html>"),
    Row(
        "text",
        ours.answers(b"come\x1b later", "text/plain"),
        r"is text/plain instead of JSON: come\\x1b later",
    ),
    Row("right, called text", faults.headers(Content_Type="text/plain"), None),
    Row("right, called nothing", faults.headers(Content_Type=""), None),
    Row("gzip bomb", ours.gzip_bomb(), r"the server compressed its answer"),
    Row("nothing", body(b""), r"not valid JSON at line 1 column 1"),
    Row(
        "truncated JSON",
        faults.body(lambda content: content[: len(content) // 2]),
        r"not valid JSON at line 1",
    ),
    Row("two documents", faults.body(lambda content: content * 2), r"not valid JSON .*Extra data"),
    Row("not UTF-8", body(b'"\xff"'), r"not UTF-8 at byte 1"),
    Row("null", body(b"null"), r"not one of the API \w+: the answer: (not a list|nothing is called)"),
    Row("an error with status 200", body(b'{"error": "x"}'), r"the answer: (not a list|nothing is called)"),
    Row("an empty list", body(b"[]"), r"the answer: (0 embeddings for 3 texts|nothing is called)"),
    Row("a name twice", ours.twice(), r"cannot be read as JSON: the key occurs twice"),
    Row("huge nesting", ours.nested(60_000), r"nested deeper than 32 levels"),
    Row("some nesting", ours.nested(40), r"nested deeper than 32 levels"),
    Row("too many values", ours.many_values(), r"more than 114688 values"),
    Row("a lone surrogate", body(b'"\\ud800"'), r"a string with a lone surrogate"),
    # numbers
    Row("another number", ours.number(b"1001.00"), None),
    Row("an integer", ours.number(b"1001"), None),
    Row("NaN", ours.number(b"NaN"), r"NaN is not a JSON number"),
    Row("Infinity", ours.number(b"Infinity"), r"Infinity is not a JSON number"),
    Row("-Infinity", ours.number(b"-Infinity"), r"-Infinity is not a JSON number"),
    Row("1e400", ours.number(b"1e400"), r"the number 1e400 is too large"),
    Row(
        "beyond float32",
        ours.number(b"3.5e38"),
        r"embedding 0: a number that is not finite, or larger than any",
    ),
    Row("-1e300", ours.number(b"-1e300"), r"embedding 0: a number that is not finite, or larger than any"),
    Row("many digits", ours.number(b"1" * 41), r"a number of 41 characters, more than 40"),
    Row("a null", ours.number(b"null"), r"embedding 0: something else than numbers"),
    Row("a boolean", ours.number(b"true"), r"embedding 0: something else than numbers"),
    Row("a string", ours.number(b'"1001.0"'), r"embedding 0: something else than numbers"),
    Row("a list", ours.number(b"[1001.0]"), r"embedding 0: something else than numbers"),
    # embeddings
    Row("one too few", ours.rows(lambda rows: rows[:-1]), r"2 embeddings for 3 texts"),
    Row("one too many", ours.rows(lambda rows: [*rows, rows[0]]), r"4 embeddings for 3 texts"),
    Row("no rows", ours.rows(lambda _: []), r"0 embeddings for 3 texts"),
    Row("another width", ours.embedding(lambda row: row[:-1]), r"embeddings of 3 and of 4 numbers"),
    Row(
        "an empty embedding", ours.embedding(lambda _: []), r"embedding 2: 0 numbers; it may have 1 to 16384"
    ),
    Row(
        "too wide", ours.embedding(lambda _: [0] * 16_385), r"embedding 2: 16385 numbers; it may have 1 to 16"
    ),
    Row(
        "one for each token",
        ours.embedding(lambda row: [row, row]),
        r"embedding 2: a list for each of its tok",
    ),
    Row("an object", ours.embedding(lambda _: {}), r"embedding 2: neither a list of numbers nor base64"),
    Row(
        "a wish for base64",
        ours.embedding(lambda _: "AACAPw=="),
        r"some embeddings are lists .* some are base64",
    ),
    Row("answers in another order", ours.rows(lambda rows: rows[::-1]), None, WITH_INDEX),
    Row("duplicate index", ours.index(lambda index: index // 2), r"the index 0 occurs twice", WITH_INDEX),
    Row(
        "index too large", ours.index(lambda index: index + 1), r"its index is not one of 0 to 2", WITH_INDEX
    ),
    Row("index below 0", ours.index(lambda index: index - 1), r"its index is not one of 0 to 2", WITH_INDEX),
    Row("index of text", ours.index(str), r"its index is not one of 0 to 2", WITH_INDEX),
    Row("index of truth", ours.index(bool), r"its index is not one of 0 to 2", WITH_INDEX),
    Row(
        "missing index",
        ours.rows(lambda rows: [{"embedding": row["embedding"]} for row in rows]),
        r"\[0\]: nothing is called 'index'",
        WITH_INDEX,
    ),
    Row(
        "missing embedding",
        ours.rows(lambda rows: [{"index": row["index"]} for row in rows]),
        r"\[0\]: nothing is called 'embedding'",
        WITH_INDEX,
    ),
    Row(
        "entries that are none",
        ours.rows(lambda _: [1, 2, 3]),
        r"\[0\]: nothing is called 'index'",
        WITH_INDEX,
    ),
    Row("rows that are none", ours.rows(lambda _: [1, 2, 3]), r"embedding 0: neither a list", WITHOUT_INDEX),
    Row(
        "nothing by that name", body(b"{}"), r"the answer: nothing is called '(data|embeddings)'", WITH_NAMES
    ),
    Row("no object by that name", body(b'{"data": 1, "embeddings": 1}'), r"not a list|'float'", WITH_NAMES),
]

CASES = [pytest.param(row, api, id=f"{row.name}-{api}") for row in TABLE for api in row.apis]


@pytest.fixture(scope="module")
def endpoints(servers: dict[Api, EmbeddingServer]) -> Iterator[dict[tuple[Api, bool], Endpoint]]:
    """By API, and whether it takes haste: no fault may spoil the answers that a client gets after it."""
    with contextlib.ExitStack() as stack:
        yield {
            (api, haste): stack.enter_context(Endpoint(address(server), patience=HASTE if haste else ONCE))
            for api, server in servers.items()
            for haste in (True, False)
        }


@pytest.mark.parametrize(("row", "api"), CASES)
def test_a_fault_is_an_error_of_one_line_or_no_matter(
    row: Row, api: Api, server_of: dict[Api, EmbeddingServer], endpoints: dict[tuple[Api, bool], Endpoint]
) -> None:
    server = server_of[api]
    server.faults.append(Fault(row.behaviour, method="POST"))
    begin = time.monotonic()
    endpoint = endpoints[api, "wholly within" in (row.message or "")]
    if row.message is None:
        assert right(endpoint.embed(ASKED, per_request=3))
    else:
        with pytest.raises(EndpointError) as caught:
            endpoint.embed(ASKED, per_request=3)
        message = str(caught.value)
        assert re.search(row.message, message), message
        assert message.startswith(f"{server.url}{ROUTES[api]}: the ")
        assert is_plain(message)
        assert len(message) < 700
        assert caught.value.exit_status == ExitStatus.INCONCLUSIVE
    assert server.faults[0].struck == 1
    assert len(server.requests) == 1
    assert time.monotonic() - begin < 5


def test_the_names_of_the_faults_are_different() -> None:
    assert len({row.name for row in TABLE}) == len(TABLE)
