"""Callables of every kind, and what they give: arrays of every library, and what is no embedding."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from hf_integration import assert_stamp, check_stamp
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.errors import AnotherSpaceError, InconclusiveError, UsageError
from hf_integration.stamps.forms import Array
from hf_integration.stamps.stamp import Stamp


def rows_for(stamp: Stamp, texts: list[str]) -> Array:
    return stamp.embeddings[[stamp.texts.index(text) for text in texts]]


GIVES: dict[str, Callable[[Array], Any]] = {
    "numpy float64": lambda rows: rows,
    "numpy float32": lambda rows: rows.astype(np.float32),
    "numpy, Fortran order": np.asfortranarray,
    "list of lists": lambda rows: rows.tolist(),
    "tuple of tuples": lambda rows: tuple(map(tuple, rows.tolist())),
    "list of arrays": lambda rows: list(rows.astype(np.float32)),
    "list of lists of numpy numbers": lambda rows: [list(row) for row in rows.astype(np.float32)],
    "generator of arrays, as fastembed": lambda rows: (row for row in rows),
    "tensor": torch.from_numpy,
    "tensor with a gradient": lambda rows: torch.from_numpy(rows).requires_grad_(),
    "tensor in inference mode": lambda rows: torch.from_numpy(rows).float(),
    "list of tensors": lambda rows: list(torch.from_numpy(rows)),
}


@pytest.mark.parametrize("kind", list(GIVES))
def test_every_kind_of_answer_is_understood(stamp: Stamp, kind: str) -> None:
    found = check_stamp(stamp, lambda texts: GIVES[kind](rows_for(stamp, texts)))
    assert found.status == "same", str(found)
    assert found.answered == 12


class Langchain:
    """As langchain's embeddings."""

    def __init__(self, stamp: Stamp) -> None:
        self.stamp = stamp

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(number) for number in row] for row in rows_for(self.stamp, texts)]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class SentenceTransformer(torch.nn.Module):
    """As sentence-transformers': it can be called as well, with something else than texts."""

    def __init__(self, stamp: Stamp) -> None:
        super().__init__()
        self.stamp = stamp

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"sentence_embedding": features["input_ids"]}

    def encode(self, sentences: list[str]) -> Any:
        return rows_for(self.stamp, sentences).astype(np.float32)


class Chroma:
    """As Chroma's embedding functions, whose argument has a name of its own."""

    def __init__(self, stamp: Stamp) -> None:
        self.stamp = stamp

    def __call__(self, input: list[str]) -> list[Any]:
        return list(rows_for(self.stamp, input).astype(np.float32))


@pytest.mark.parametrize("kind", [Langchain, SentenceTransformer, Chroma])
def test_every_kind_of_object_is_asked(stamp: Stamp, kind: Any) -> None:
    assert assert_stamp(stamp, kind(stamp)).status == "same"


def test_methods_and_the_line_of_a_file(stamp: Stamp) -> None:
    assert check_stamp(str(stamp), Langchain(stamp).embed_documents).status == "same"
    assert check_stamp(str(stamp), SentenceTransformer(stamp).encode).status == "same"


def test_an_encoder_of_ours(stamp: Stamp, stamped: TorchEncoder) -> None:
    assert assert_stamp(stamp, stamped).status == "same"


@pytest.mark.parametrize("thing", [None, 3, "org/encoder", [], torch.nn.Module, Langchain], ids=repr)
def test_what_embeds_nothing_is_an_error(stamp: Stamp, thing: object) -> None:
    with pytest.raises(UsageError, match="does not embed texts"):
        check_stamp(stamp, thing)


async def awaited(texts: list[str]) -> list[list[float]]:
    await asyncio.sleep(0)
    return [[0.0]]


def raising(_: list[str]) -> Any:
    raise KeyError("no such\nmodel \x1b[2J")


def breaking(_: list[str]) -> Iterator[list[float]]:
    yield [1.0] * 48
    raise ConnectionError("gone")


WRONG: dict[str, tuple[Callable[[list[str]], Any], str]] = {
    "raises": (raising, r"raised KeyError: 'no such"),
    "breaks off": (breaking, "raised ConnectionError: gone"),
    "asynchronous": (awaited, "asyncio.run"),
    "NaN": (lambda texts: np.full((len(texts), 48), np.nan), "NaN or infinity"),
    "one NaN": (lambda texts: np.where(np.arange(48) == 7, np.nan, np.ones((len(texts), 48))), "NaN"),
    "infinity": (lambda texts: np.full((len(texts), 48), -np.inf), "NaN or infinity"),
    "overflow": (lambda texts: np.full((len(texts), 48), 1e200), "NaN or infinity"),
    "zero": (lambda texts: np.zeros((len(texts), 48)), "zero throughout"),
    "one text": (lambda _: [1.0] * 48, r"shape \(48,\)"),
    "too few": (lambda texts: np.ones((len(texts) - 1, 48)), "embeddings came back"),
    "too many": (lambda texts: np.ones((len(texts) + 1, 48)), "embeddings came back"),
    "none": (lambda _: [], r"shape \(0,\)"),
    "nothing": (lambda _: None, "no numbers"),
    "tokens": (lambda texts: np.ones((len(texts), 7, 48)), r"shape \("),
    "ragged": (lambda texts: [[1.0] * (48 + place % 2) for place in range(len(texts))], "not equally wide"),
    "strings": (lambda texts: [["a", "b"]] * len(texts), "no numbers"),
    "booleans": (lambda texts: np.ones((len(texts), 48), bool), "no numbers"),
    "complex": (lambda texts: np.ones((len(texts), 48), complex), "no numbers"),
    "a string": (lambda _: "embedding", "no numbers"),
    "too wide": (lambda texts: np.ones((len(texts), 20_000)), "20000 dimensions"),
    "no width": (lambda texts: np.ones((len(texts), 0)), "0 dimensions"),
    "objects": (lambda texts: [object()] * len(texts), "no numbers"),
}


@pytest.mark.parametrize("kind", list(WRONG))
def test_what_is_no_embedding_is_one_line_and_no_pass(stamp: Stamp, kind: str) -> None:
    function, said = WRONG[kind]
    with pytest.raises(InconclusiveError, match=said) as raised:
        check_stamp(stamp, function)
    message = str(raised.value)
    assert "\n" not in message
    assert message.isprintable()


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_ends_the_check(stamp: Stamp, ending: type[BaseException]) -> None:
    def embed(_: list[str]) -> Any:
        raise ending

    with pytest.raises(ending):
        check_stamp(stamp, embed)


def test_long_texts_may_be_refused_which_is_another_recipe(stamp: Stamp) -> None:
    def embed(texts: list[str]) -> Array:
        if max(map(len, texts)) > 600:
            raise ValueError("input is too long")
        return rows_for(stamp, texts)

    found = check_stamp(stamp, embed)
    assert (found.status, found.answered) == ("recipe", 9)
    assert "it refuses long texts, which the stamped encoder took" in found.reason


@pytest.mark.parametrize("accept", [-0.1, 1.0, float("nan"), float("inf")])
def test_distances_that_nobody_can_accept(stamp: Stamp, accept: float) -> None:
    with pytest.raises(UsageError, match="cannot be accepted"):
        check_stamp(stamp, lambda _: stamp.embeddings, accept=accept)


def test_an_answer_is_neither_true_nor_false(stamp: Stamp) -> None:
    with pytest.raises(TypeError, match="look at its status"):
        bool(check_stamp(stamp, lambda _: stamp.embeddings))


def test_another_space_raises_what_says_what_to_do(stamp: Stamp) -> None:
    drawn = np.random.default_rng(0).standard_normal((12, 48))
    with pytest.raises(AnotherSpaceError, match=r"typical cosine .* \(go back to "):
        assert_stamp(stamp, lambda _: drawn)


def test_whatever_the_length_of_a_public_name_is_shown_harmlessly(stamp: Stamp) -> None:
    found = check_stamp(stamp, lambda _: stamp.embeddings[:, ::-1])
    assert len(str(found).split("\n")) == 3
