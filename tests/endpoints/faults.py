"""Misbehaviour of embedding servers, besides that of :mod:`tests.hub_server.faults`."""

import gzip
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.hub_server import faults
from tests.hub_server.faults import Behaviour
from tests.hub_server.messages import Reply, Request, Writable

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def raw(write: Callable[[Writable, threading.Event], None]) -> Behaviour:
    """Bytes that no HTTP server would send."""
    return lambda _request, _answer: Reply(raw=write)


def repeated(start: bytes, part: bytes, pause: float = 0) -> Behaviour:
    """Something again and again, until the client goes away."""

    def write(connection: Writable, stopping: threading.Event) -> None:
        connection.write(start)
        while not stopping.is_set():
            connection.write(part)
            connection.flush()
            if pause:
                stopping.wait(pause)

    return raw(write)


def endless_body() -> Behaviour:
    """Numbers without an end, in a body that does not say its length."""
    return repeated(HEAD + b"Connection: close\r\n\r\n[[", b"0.25," * 10_000)


def dripped_body() -> Behaviour:
    """A byte now and then: every read of the client is answered in time."""
    return repeated(HEAD + b"Connection: close\r\n\r\n[[", b"1", 0.05)


def dripped_headers() -> Behaviour:
    """A byte of a header now and then, before there is anything that a client could look at."""
    return repeated(HEAD + b"X-Header: ", b"1", 0.05)


def interim_answers() -> Behaviour:
    """``100 Continue``, and again, which HTTP allows."""
    return repeated(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.005)


def no_http() -> Behaviour:
    """Another protocol."""

    def write(connection: Writable, _: threading.Event) -> None:
        connection.write(b"220 mail.example.org ESMTP\r\n")

    return raw(write)


BOMB = gzip.compress(b"0" * (10 << 20), 1)


def gzip_bomb(status: int = 200) -> Behaviour:
    """Ten megabytes in some kilobytes."""
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    return lambda _request, _answer: Reply(status, BOMB, headers)


def answers(body: bytes, kind: str = "application/json", status: int = 200) -> Behaviour:
    """Always the same."""
    return lambda _request, _answer: Reply(status, body, {"Content-Type": kind})


def number(text: bytes) -> Behaviour:
    """The first number of the first embedding is another one, written like this."""

    def changed(content: bytes) -> bytes:
        # every embedding of the tests begins with the number that marks the text
        at = content.index(b"1001.0")
        return content[:at] + text + content[at + len(b"1001.0") :]

    return faults.body(changed)


def rows(change: Callable[[list[Any]], list[Any]]) -> Behaviour:
    """Other embeddings, or other entries around them, in the shape of the API."""

    def edit(value: Any) -> Any:
        if isinstance(value, list):
            return change(value)
        if "data" in value:
            return {**value, "data": change(value["data"])}
        if isinstance(value["embeddings"], dict):
            return {**value, "embeddings": {"float": change(value["embeddings"]["float"])}}
        return {**value, "embeddings": change(value["embeddings"])}

    return faults.edited(edit)


def embedding(change: Callable[[list[float]], object]) -> Behaviour:
    """The last embedding is another one, or none."""

    def edit(entries: list[Any]) -> list[Any]:
        last = entries[-1]
        if isinstance(last, list):
            return [*entries[:-1], change(last)]
        held = last["embedding"]
        wrapped = isinstance(held[0], list)
        new = change(held[0] if wrapped else held)
        return [*entries[:-1], {**last, "embedding": [new] if wrapped and isinstance(new, list) else new}]

    return rows(edit)


def index(change: Callable[[int], object]) -> Behaviour:
    """Other indices, where the API has some."""
    return rows(lambda entries: [{**entry, "index": change(entry["index"])} for entry in entries])


def echo(status: int, *, kind: str = "application/json", where: str = "body") -> Behaviour:
    """The key that came with the request, sent back: debugging proxies do this, and so may an attacker."""

    def behaviour(request: Request, _: Callable[[], Reply]) -> Reply:
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        match where:
            case "location":
                return Reply(status, b"", {"Location": f"http://elsewhere.example/?key={key}"})
            case "kind":
                return Reply(status, b"?", {"Content-Type": f"text/{key}"})
            case "name":
                return Reply(status, f'{{"{key}": 1, "{key}": 2}}'.encode(), {"Content-Type": kind})
            case "cut":
                return Reply(status, (" " * 65_500 + key * 3).encode(), {"Content-Type": "text/plain"})
            case "many":
                return Reply(status, (key * 3000).encode(), {"Content-Type": "text/plain"})
            case "text":
                return Reply(status, f"you sent {key}".encode(), {"Content-Type": kind})
        return replace(
            Reply.of({"error": {"message": f"you sent {key}"}, "data": key, "embeddings": key}, status),
            headers={"Content-Type": kind},
        )

    return behaviour


def nested(depth: int) -> Behaviour:
    """Lists in lists."""
    return answers(b"[" * depth + b"]" * depth)


def many_values() -> Behaviour:
    """So many empty lists that they fill the memory, in an answer of an allowed size."""
    return answers(b"[" + b"[]," * 200_000 + b"[]]")


def twice() -> Behaviour:
    """A name that occurs twice: two readers would see two different answers."""
    return answers(json.dumps({"data": []}).replace("[]", '[], "data": [1]').encode())
