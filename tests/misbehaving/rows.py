"""The table: what a server does, how the check ends, and what the report says."""

import base64
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hf_integration.endpoints import Api
from hf_integration.serving.numeric import Form
from hf_integration.serving.recipe import Recipe
from hf_integration.tampering.weights.fine_tuning import ONE_STEP, TEN_STEPS
from tests.endpoints import faults as ours
from tests.hub_server import faults
from tests.hub_server.faults import Behaviour
from tests.hub_server.messages import Reply, Request
from tests.misbehaving.encoders import (
    Embed,
    Encoders,
    Rows,
    binary,
    cached,
    every,
    int8_by_dimension,
    int8_by_vector,
    nearest_known,
    replicas,
    ubinary,
)
from tests.serving import small_encoders

OLD = small_encoders.texts(24, seed=77)
"""Texts of a card, and of checks in the past, to which a server knows the right answers."""

HALF = small_encoders.WIDTH // 2


@dataclass(frozen=True)
class Row:
    """One server.

    Attributes:
        does: what the server does, for people.
        status: exit status of the check.
        says: what the report says, or begins to.
        answers: what it embeds with; the right encoder by default.
        fault: what it does to its answers.
        serving: the recipe that the caller states; ``None`` for none.
        options: of the check besides.
        api: that it speaks.
        why: why it may end with 0, if it does.
        after: right answers that come before the fault.
        base64: whether it answers with base64, though floats are asked for.
        in_haste: whether the client has to wait little, as the server would take for ever.
    """

    does: str
    status: int
    says: str
    answers: Callable[[Encoders], Embed] = Encoders.answers
    fault: Behaviour | None = None
    serving: str | None = "torch"
    options: tuple[str, ...] = ()
    api: Api = "tei"
    why: str = ""
    after: int = 0
    base64: bool = False
    in_haste: bool = False


def computing(**fields: Any) -> Callable[[Encoders], Embed]:
    """The right encoder under another recipe."""
    return lambda encoders: encoders.answers(recipe=Recipe(**fields))


def writing(written: Callable[[Any], Any]) -> Callable[[Encoders], Embed]:
    """The right embeddings in other numbers."""
    return lambda encoders: encoders.answers(written=written)


def rotated(encoders: Encoders) -> Embed:
    """Every text of a request gets the answer to the next one."""
    right = encoders.answers()

    def embed(texts: list[str]) -> Rows:
        first, *rest = right(texts)
        return [*rest, first]

    return embed


def last_came_first(encoders: Encoders) -> Embed:
    """Every request gets the answer of the one before."""
    right, before = encoders.answers(), encoders.answers()(OLD[:1])[0]

    def embed(texts: list[str]) -> Rows:
        nonlocal before
        rows = right(texts)
        shifted, before = [before, *rows[:-1]], rows[-1]
        return shifted

    return embed


def of_widths(encoders: Encoders) -> Embed:
    """Every fifth request has one number less."""
    right = encoders.answers()
    return every(5, lambda texts: [row[:-1] for row in right(texts)], right)


def wide(more: int) -> Callable[[Encoders], Embed]:
    """The embeddings of another encoder, with so many numbers more or less."""

    def made(encoders: Encoders) -> Embed:
        other, width = encoders.answers(encoders.another), small_encoders.WIDTH
        if more < 0:
            return lambda texts: [row[: width + more] for row in other(texts)]
        return lambda texts: [[*row, *row[:more]] for row in other(texts)]

    return made


def numbered(text: bytes) -> Behaviour:
    """The first number is another one, written like this."""

    def changed(content: bytes) -> bytes:
        start = content.index(b"[[") + 2
        return content[:start] + text + content[content.index(b",", start) :]

    return faults.body(changed)


def bytes_in_base64(rows: list[Any]) -> list[Any]:
    """int8 in base64, as with ``output_dtype``, where float32 is meant."""
    found = []
    for row in rows:
        whole = [round(number * 127) for number in row["embedding"]]
        whole[-2:] = (-1, -1)  # which make a NaN wherever they fall together, as they do somewhere
        coded = base64.b64encode(struct.pack(f"{len(whole)}b", *whole)).decode()
        found.append({**row, "embedding": coded})
    return found


def by_type(kind: str) -> Behaviour:
    """Cohere's answer under another type than ``float``, which was asked for."""
    return faults.edited(lambda answer: {**answer, "embeddings": {kind: answer["embeddings"]["float"]}})


def from_an_honest_entry(encoders: Encoders) -> Embed:
    """Right answers to texts of the past; all others by an encoder that was altered."""
    known = dict(zip(OLD, encoders.answers()(OLD), strict=True))
    return cached(encoders.answers(encoders.altered(ONE_STEP, 1e-6)), known)


def never(_request: Request, _answer: Callable[[], Reply]) -> Reply:
    """Too many requests, for ever."""
    reply = Reply.of({"error": "Model is overloaded", "error_type": "Overloaded"}, 429)
    return replace(reply, headers={**reply.headers, "Retry-After": "3600"})


def without_index(entries: list[Any]) -> list[Any]:
    return [{name: value for name, value in entry.items() if name != "index"} for entry in entries]


def reversed_entries(entries: list[Any]) -> list[Any]:
    return entries[::-1]


NO_RECIPE = "no known recipe gives these answers; the nearest, "
NOT_AS_EXPECTED = "this is the encoder, but not as expected: "
AS_EXPECTED = "the answers are this encoder's, computed as expected "
HALVED = "these may be the encoder's answers, computed in {}, or an altered encoder's"

OTHERS = (
    Row("answers with another encoder", 1, NO_RECIPE, lambda e: e.answers(e.another)),
    Row(
        "answers with another encoder, and the caller states no recipe",
        3,
        NO_RECIPE,
        lambda e: e.answers(e.another),
        serving=None,
    ),
    Row(
        "answers with the encoder after ten steps of fine-tuning at 1e-7",
        1,
        NO_RECIPE,
        lambda e: e.answers(e.altered(TEN_STEPS, 1e-7)),
    ),
    Row(
        "answers with the encoder after one step of fine-tuning at 1e-6",
        1,
        NO_RECIPE,
        lambda e: e.answers(e.altered(ONE_STEP, 1e-6)),
    ),
    Row(
        "answers one request in ten with the encoder after one step of fine-tuning at 1e-6",
        1,
        "2 of 24 answers are not this encoder's, and the others are; ",
        lambda e: every(10, e.answers(e.altered(ONE_STEP, 1e-6)), e.answers()),
    ),
    Row(
        "answers each request with one of 8 encoders, so that equal texts get up to 8 answers",
        1,
        "the same text gave ",
        lambda e: replicas(e, 8),
    ),
    Row("answers every request with what the one before should have got", 1, NO_RECIPE, last_came_first),
    Row(
        "gives the answers to a request in another order, where the API has no `index`",
        1,
        "3 of 24 answers are not this encoder's, and the others are; ",
        rotated,
    ),
    Row("answers with more numbers than the encoder has", 1, "another encoder answers", wide(16)),
    Row("answers with fewer numbers, of another encoder", 1, NO_RECIPE, wide(-16)),
)

STORED = (
    Row(
        "knows the right answers to the texts of a card and of earlier checks, and has an altered encoder "
        "for the rest",
        1,
        NO_RECIPE,
        from_an_honest_entry,
    ),
    Row(
        "has right answers to old texts only, and gives the one to the most similar text",
        1,
        NO_RECIPE,
        lambda e: nearest_known(e.answers(), OLD),
    ),
    Row(
        "stands behind a gateway that keeps the answers to equal texts",
        0,
        AS_EXPECTED,
        lambda e: cached(e.answers(), {}),
        why="every request has a text that no cache has seen, so that all answers are the encoder's",
    ),
)

RECIPES = (
    Row(
        "computes in float16",
        3,
        HALVED.format("float16"),
        computing(arithmetic="float16"),
    ),
    Row("computes in bfloat16", 3, HALVED.format("bfloat16"), computing(arithmetic="bfloat16")),
    Row(
        "computes with weights in float16",
        3,
        NOT_AS_EXPECTED + "float16 weights",
        computing(weights="float16"),
    ),
    Row(
        "approximates GELU as text-embeddings-inference does",
        3,
        NOT_AS_EXPECTED + "tanh GELU",
        computing(gelu="tanh"),
    ),
    Row("cuts texts at 32 tokens", 3, NOT_AS_EXPECTED + "cut at 32 tokens", computing(length=32)),
    Row(
        "adds a prompt",
        3,
        NOT_AS_EXPECTED + "the prompt 'query: ' is added",
        computing(prompt="query: "),
    ),
    Row("pools otherwise", 3, NOT_AS_EXPECTED + "cls instead of its own pooling", computing(pooling="cls")),
    Row(
        "does not scale embeddings to length 1",
        3,
        NOT_AS_EXPECTED + "not scaled to length 1",
        computing(normalised=False),
    ),
    Row(
        f"gives the first {HALF} of {small_encoders.WIDTH} dimensions, for which nobody asked",
        3,
        NOT_AS_EXPECTED + f"the first {HALF} dimensions",
        computing(dimensions=HALF),
    ),
    Row(
        f"gives the first {HALF} dimensions, as `--dimensions` asks",
        0,
        AS_EXPECTED + f"(the first {HALF} dimensions)",
        computing(dimensions=HALF),
        options=("--dimensions", str(HALF)),
        why="it does what was asked, and the reference is cut in the same way",
    ),
    Row(
        "ignores `--dimensions`",
        3,
        f"the server answered with {small_encoders.WIDTH} dimensions where {HALF} were asked for",
        fault=ours.rows(lambda rows: [[*row, *row] for row in rows]),
        options=("--dimensions", str(HALF)),
    ),
)

NUMBERS = (
    Row(
        "rounds to 4 decimals",
        3,
        NOT_AS_EXPECTED + "answers rounded to 4 decimals",
        computing(form=Form("decimals", 4)),
    ),
    Row(
        "rounds to 4 decimals, and the caller states `torch,decimals:4`",
        0,
        AS_EXPECTED + "(answers rounded to 4 decimals)",
        computing(form=Form("decimals", 4)),
        serving="torch,decimals:4",
        why="the reference is rounded in the same way; the report says what may go unnoticed",
    ),
    Row("answers in float16", 3, NOT_AS_EXPECTED + "answers in float16", computing(form=Form("float16"))),
    Row(
        "answers in int8, each vector scaled by its largest number",
        3,
        NOT_AS_EXPECTED + "answers in int8, each scaled by its largest number",
        writing(int8_by_vector),
    ),
    Row(
        "answers in int8, each vector scaled by its largest number, and the caller states `torch,int8`",
        0,
        AS_EXPECTED + "(answers in int8, each scaled by its largest number)",
        writing(int8_by_vector),
        serving="torch,int8",
        why="the reference is rounded in the same way; the report says what may go unnoticed",
    ),
    Row(
        "answers in int8 with another encoder, and the caller states `torch,int8`",
        3,
        NO_RECIPE,
        lambda e: e.answers(e.another, written=int8_by_vector),
        serving="torch,int8",
    ),
    Row(
        "answers in int8 by a scale of each dimension, as sentence-transformers and Cohere do",
        3,
        "int8 by a scale that is not known, which cannot be compared: ask the server for floating-point",
        writing(int8_by_dimension),
    ),
    Row(
        "answers in uint8 by a scale of each dimension",
        3,
        "uint8 by a scale that is not known, which cannot be compared: ask the server for floating-point",
        writing(lambda rows: int8_by_dimension(rows) + 128),
    ),
    Row(
        "answers in int8 by one scale for all",
        3,
        "int8 by a scale that is not known, which cannot be compared: ask the server for floating-point",
        writing(lambda rows: (127 * rows).round()),
    ),
    Row(
        "answers with one bit for each dimension (binary)",
        3,
        "100.00% of the bits are the signs of this encoder's embeddings",
        writing(binary),
    ),
    Row(
        "answers with one bit for each dimension (ubinary)",
        3,
        "100.00% of the bits are the signs of this encoder's embeddings",
        writing(ubinary),
    ),
    Row(
        "answers with int8 where Cohere's API was asked for float",
        3,
        "nothing is called 'float'",
        fault=by_type("int8"),
        api="cohere",
    ),
    Row(
        "ignores `encoding_format` and answers in base64",
        0,
        AS_EXPECTED,
        api="openai",
        base64=True,
        why="base64 holds the same float32 numbers, and is read as that",
    ),
    Row(
        "answers with int8 in base64, which looks like a quarter of the numbers",
        3,
        "a number that is not finite, or larger than any of float32",
        fault=ours.rows(bytes_in_base64),
        api="openai",
    ),
    Row(
        "answers with NaN",
        3,
        "the answer cannot be read as JSON: NaN is not a JSON number",
        fault=numbered(b"NaN"),
    ),
    Row(
        "answers with an infinity",
        3,
        "the answer cannot be read as JSON: -Infinity is not a JSON number",
        fault=numbered(b"-Infinity"),
    ),
    Row(
        "answers with a number that becomes an infinity",
        3,
        "the number 1e999 is too large",
        fault=numbered(b"1e999"),
    ),
    Row(
        "answers with null in the place of a number",
        3,
        "something else than numbers",
        fault=numbered(b"null"),
    ),
    Row(
        "changes the width within a check",
        3,
        f"embeddings of {small_encoders.WIDTH - 1} and of {small_encoders.WIDTH} numbers",
        of_widths,
    ),
)

PROTOCOL = (
    Row(
        "answers the texts of a request in another order, with the right `index`",
        0,
        AS_EXPECTED,
        fault=ours.rows(reversed_entries),
        api="openai",
        why="answers are put into the order of their `index`, as the API wants",
    ),
    Row("leaves `index` out", 3, "nothing is called 'index'", fault=ours.rows(without_index), api="openai"),
    Row(
        "gives an `index` twice",
        3,
        "the index 0 occurs twice",
        fault=ours.index(lambda _: 0),
        api="openai",
    ),
    Row(
        "gives fewer answers than texts",
        3,
        "5 embeddings for 6 texts",
        fault=ours.rows(lambda rows: rows[:5]),
    ),
    Row("sends an error page with status 200", 3, "is an HTML page instead of JSON: ", fault=faults.html()),
    Row(
        "sends an error in JSON with status 200",
        3,
        "the answer is not one of the API tei: the answer: not a list",
        fault=ours.answers(b'{"error": "out of memory"}'),
    ),
    Row(
        "redirects to another host",
        3,
        "the server redirects to 'http://elsewhere.example/embed' (status 302), which is not followed",
        fault=faults.redirect("http://elsewhere.example{path}"),
    ),
    Row(
        "says 429 with `Retry-After` for ever",
        3,
        "the server takes no more requests now (status 429): Model is overloaded",
        fault=never,
        in_haste=True,
    ),
    Row(
        "answers byte by byte, without an end",
        3,
        "the server did not answer wholly within ",
        fault=ours.dripped_body(),
        in_haste=True,
    ),
    Row(
        "sends numbers without an end",
        3,
        "bytes that such an answer can have",
        fault=ours.endless_body(),
        in_haste=True,
    ),
    Row(
        "falls silent half-way through a check",
        3,
        "the server did not answer wholly within ",
        fault=faults.stall(),
        after=10,
        in_haste=True,
    ),
    Row(
        "breaks off its connections half-way through a check",
        3,
        "the server broke off ",
        fault=faults.reset(),
        after=10,
        in_haste=True,
    ),
)

GROUPS = {
    "Another encoder": OTHERS,
    "Stored answers": STORED,
    "The same encoder in another way": RECIPES,
    "Numbers": NUMBERS,
    "Broken and hostile servers": PROTOCOL,
}
"""Heading -> rows."""

ROWS = [row for rows in GROUPS.values() for row in rows]


def as_markdown() -> str:
    """The table for people."""
    parts = []
    for heading, rows in GROUPS.items():
        lines = ["| the server | ends with | the report says |", "|---|---|---|"]
        for row in rows:
            said = " ".join(row.says.split()).strip("; ")
            because = f"; a pass, as {row.why}" if row.why else ""
            lines.append(f'| {row.does} | {row.status} | "…{said}…"{because} |')
        parts.append("\n".join([f"### {heading}", "", *lines]))
    return "\n\n".join(parts)
