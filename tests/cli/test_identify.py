"""``sslauth identify``: why embeddings differ, from an endpoint or from files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_integration.serving.computing import Computed
from hf_integration.serving.numeric import Form
from hf_integration.serving.probes import fresh_samples, texts_of
from hf_integration.serving.recipe import PLAIN, Recipe
from tests.cli.conftest import Ended
from tests.endpoints.encoders import encoder, serving
from tests.endpoints.server import EmbeddingServer

Run = Callable[..., Ended]

PLAINLY = "torch: as the encoder itself"
RECIPES = {
    PLAINLY: PLAIN,
    "cls instead of its own pooling": PLAIN.but(pooling="cls"),
    "the prompt 'query: ' is added": PLAIN.but(prompt="query: "),
    "cut at 32 tokens": PLAIN.but(length=32),
    "the first 16 dimensions": PLAIN.but(dimensions=16),
    "float16-weights: float16 weights": PLAIN.but(weights="float16"),
    "answers rounded to 4 decimals": PLAIN.but(form=Form("decimals", 4)),
}


@pytest.fixture(scope="session")
def texts(workshop: Path) -> list[str]:
    return texts_of(fresh_samples(encoder(workshop / "tiny"), 16, seed=5))


def given(folder: Path, texts: list[str], rows: Any, *, kind: str = "json") -> tuple[str, ...]:
    """Options that name files with these contents."""
    files = folder / f"texts.{kind}", folder / f"rows.{'npy' if kind == 'txt' else 'json'}"
    files[0].write_text(json.dumps(texts) if kind == "json" else "\n".join(texts) + "\n")
    if kind == "txt":
        np.save(files[1], np.asarray(rows))
    else:
        files[1].write_text(json.dumps(np.asarray(rows).tolist()))
    return ("--texts", str(files[0]), "--embeddings", str(files[1]))


def embedded(folder: Path, recipe: Recipe, texts: list[str]) -> Any:
    exact = Computed(encoder(folder), recipe).embed(texts, precision="float32")
    return recipe.form.rounded(exact).numpy()


@pytest.mark.parametrize(("words", "kind"), [*((words, "json") for words in RECIPES), (PLAINLY, "txt")])
def test_given_embeddings_are_explained(
    words: str, kind: str, sslauth: Run, here: Path, tmp_path: Path, texts: list[str]
) -> None:
    options = given(tmp_path, texts, embedded(here / "tiny", RECIPES[words], texts), kind=kind)
    ended = sslauth("identify", "./tiny", *options, "--quiet")
    assert (ended.status, ended.out) == (0, f"{words}\n")


def test_an_endpoint_is_explained(sslauth: Run, here: Path) -> None:
    with EmbeddingServer("tei", serving(here / "tiny", PLAIN.but(pooling="max"))) as server:
        ended = sslauth("identify", "./tiny", "--endpoint", server.url, "--api", "tei", "--keys", "24")
        asked = [request for request in server.requests if request.method == "POST"]
    assert ended.status == 0, ended.err
    first, second, titles, best = ended.out.split("\n")[:4]
    assert first == (
        f"./tiny gives the answers of {server.url} if it is computed so: max instead of its own pooling"
    )
    assert second == "recipes by how near they come, 24 texts:"
    assert titles.split() == ["recipe", "deviation", "largest", "distance", "typical"]
    assert best.split()[:6] == ["max", "instead", "of", "its", "own", "pooling"]
    assert "fits" in best
    assert len(asked) == 24


def test_nothing_explains_another_encoder(sslauth: Run, here: Path, tmp_path: Path, texts: list[str]) -> None:
    options = given(tmp_path, texts, embedded(here / "altered", PLAIN, texts))
    ended = sslauth("identify", "./tiny", *options)
    assert ended.status == 3
    assert ended.out.startswith(
        "nothing that is known to be done to ./tiny gives these embeddings\nrecipes by how near they come"
    )
    assert " fits " not in ended.out
    assert sslauth("identify", "./tiny", *options, "--quiet").out == "none\n"


def test_json_says_all(sslauth: Run, here: Path, tmp_path: Path, texts: list[str]) -> None:
    options = given(tmp_path, texts, embedded(here / "tiny", PLAIN.but(pooling="cls", length=32), texts))
    ended = sslauth("identify", "./tiny", *options, "--format", "json")
    said = json.loads(ended.out)
    assert list(said) == ["schema", "encoder", "address", "texts", "explained", "recipes"]
    assert (said["address"], said["texts"], said["explained"]) == (None, 16, True)
    best = said["recipes"][0]
    assert list(best) == ["preset", "recipe", "words", "fits", "deviation", "distance", "typical"]
    assert best["recipe"] == {"pooling": "cls", "length": 32}
    assert best["preset"] is None
    assert best["fits"]
    assert best["deviation"] < 1
    assert best["distance"] < 1e-5


BAD: dict[str, tuple[str, bytes, str, bytes, str]] = {
    "fewer texts": ("t.json", b'["a"]', "e.json", b"[[1.0], [2.0]]", "t.json holds 1 texts and e.json 2"),
    "no list": ("t.json", b'{"a": 1}', "e.json", b"[[1.0]]", "t.json is no list of strings"),
    "no strings": ("t.json", b"[1]", "e.json", b"[[1.0]]", "t.json is no list of strings"),
    "no texts": ("t.json", b"[]", "e.json", b"[[1.0]]", "t.json holds 0 texts"),
    "no JSON": ("t.json", b"[", "e.json", b"[[1.0]]", "t.json: not valid JSON"),
    "no UTF-8": ("t.txt", b"a\xff", "e.json", b"[[1.0]]", "t.txt is not UTF-8 at byte 1"),
    "empty": ("t.txt", b"", "e.json", b"[[1.0]]", "t.txt: 0 bytes"),
    "ragged": ("t.txt", b"a\nb", "e.json", b"[[1.0], [1.0, 2.0]]", "e.json holds no embeddings"),
    "flat": ("t.txt", b"a\nb", "e.json", b"[1.0, 2.0]", "e.json holds no table of floating-point numbers"),
    "words": ("t.txt", b"a", "e.json", b'[["x"]]', "e.json holds no embeddings"),
    "null": ("t.txt", b"a", "e.json", b"[[null]]", "e.json holds"),
    "NaN": ("t.txt", b"a", "e.json", b"[[NaN]]", "e.json: "),
    "no npy": ("t.txt", b"a", "e.npy", b"\x93NUMPY", "e.npy holds no embeddings"),
    "a pickle": ("t.txt", b"a", "e.npy", b"\x80\x04N.", "e.npy holds no embeddings"),
    "too wide": ("t.txt", b"a", "e.json", b"[[1.0" + b", 1.0" * 99 + b"]]", "answers have 100 dimensions"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_end_in_one_line(case: str, sslauth: Run, here: Path, tmp_path: Path) -> None:
    first, texts, second, rows, message = BAD[case]
    (tmp_path / first).write_bytes(texts)
    (tmp_path / second).write_bytes(rows)
    ended = sslauth(
        "identify", "./tiny", "--texts", str(tmp_path / first), "--embeddings", str(tmp_path / second)
    )
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err.splitlines()[-1]
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("array", [np.array([["x"]]), np.array([[1]]), np.array([1.0]), np.array([[np.inf]])])
def test_bad_arrays_end_in_one_line(array: Any, sslauth: Run, here: Path, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a\n")
    np.save(tmp_path / "e.npy", array)
    options = ("--texts", str(tmp_path / "t.txt"), "--embeddings", str(tmp_path / "e.npy"))
    ended = sslauth("identify", "./tiny", *options)
    assert ended.status == 2
    assert "e.npy holds n" in ended.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "one thing is explained at a time"),
        (("--texts", "x"), "one thing is explained at a time"),
        (("--embeddings", "x"), "one thing is explained at a time"),
        (("--texts", "x", "--embeddings", "y", "--endpoint", "http://h"), "one thing is explained at a time"),
        (("--endpoint", "http://h", "--serving", "tei"), "--serving is what this command finds out"),
        (("--texts", "missing.txt", "--embeddings", "y"), "missing.txt: the file is missing"),
        (("--pinned-endpoint",), "./tiny' names no endpoint"),
        (("--api", "tei"), "add --endpoint URL"),
    ],
)
def test_wrong_usage_ends_in_one_line(
    options: tuple[str, ...], message: str, sslauth: Run, here: Path
) -> None:
    ended = sslauth("identify", "./tiny", *options)
    assert ended.status == 2
    assert message in ended.err.splitlines()[-1]
