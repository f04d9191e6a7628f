"""``sslauth baseline`` and ``check-baseline``, over real HTTP."""

import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_integration.base.checksum import FIELD, checksum
from hf_integration.baselines.baseline import Baseline
from hf_integration.endpoints import APIS, Api
from hf_integration.errors import RecordError
from tests.baselines.servers import exact
from tests.cli.conftest import Ended, finish, start
from tests.cli.test_stamp import at
from tests.endpoints.conftest import certificate, one_environment
from tests.endpoints.server import EmbeddingServer
from tests.hub_server.faults import Fault, status
from tests.hub_server.messages import Reply, Request

__all__ = ["certificate", "one_environment"]

Run = Callable[..., Ended]

FEW = tuple(f"one of our texts, number {place}" for place in range(12))


class Server:
    """Answers by encoders that follow from their number; noise is drawn for each request.

    Args:
        encoder: which one.
        noise: relative size of it.
        every: with another encoder every so many requests.
    """

    def __init__(self, encoder: int = 0, noise: float = 0.0, every: int = 0) -> None:
        self.encoder, self.noise, self.every, self.count = encoder, noise, every, 0
        self.chance, self.lock = np.random.default_rng(0), threading.Lock()

    def __call__(self, texts: list[str]) -> list[list[float]]:
        with self.lock:
            self.count += 1
            which = 77 if self.every and self.count % self.every == 0 else self.encoder
            rows = np.stack([exact(text, encoder=which) for text in texts])
            rows = rows + self.noise * self.chance.standard_normal(rows.shape) / rows.shape[1] ** 0.5
            return [[float(number) for number in row] for row in rows]


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    file = tmp_path / "texts.txt"
    file.write_text("\n".join([*FEW, "", FEW[0], "  "]))
    return file


def made(sslauth: Run, server: EmbeddingServer, file: Path, *more: str | Path) -> Path:
    ended = sslauth("baseline", *at(server), "--out", file, "--rounds", "4", *more)
    assert ended.status == 0, ended.err
    return file


@pytest.mark.parametrize("api", APIS)
def test_every_api(sslauth: Run, tmp_path: Path, ours: Path, api: Api) -> None:
    with EmbeddingServer(api, Server(noise=1e-3)) as server:
        file = made(sslauth, server, tmp_path / "b.json", "--texts", ours)
        ended = sslauth("check-baseline", file, *at(server), "-q")
    assert ended == Ended(0, "unchanged\n", "")


def test_the_texts_are_asked_as_is_said(sslauth: Run, tmp_path: Path, ours: Path) -> None:
    with EmbeddingServer("tei", Server()) as server:
        file = made(sslauth, server, tmp_path / "b.json", "--texts", ours)
        asked = [request.json()["inputs"] for request in server.requests if request.method == "POST"]
        first = len(asked)
        assert sslauth("check-baseline", file, *at(server)).status == 0
    assert Baseline.load(file).texts == FEW
    # once to see what is refused, then four times in each mode
    assert first == 9 * len(FEW)
    alone, together = ([texts for texts in asked if len(texts) == size] for size in (1, 8))
    assert len(alone) == 5 * len(FEW)
    assert len(together) == 4 * len(FEW)
    assert all(len(set(texts)) == 8 for texts in together)
    orders = {
        tuple(text for texts in alone[place : place + 12] for text in texts) for place in range(0, 60, 12)
    }
    assert len(orders) == 5


@pytest.mark.parametrize(
    "now",
    [Server(1), Server(noise=1e-3), Server(every=4), lambda texts: np.round(Server()(texts), 4).tolist()],
    ids=["another encoder", "noise", "mixed routing", "rounding"],
)
def test_an_endpoint_that_changed(sslauth: Run, tmp_path: Path, ours: Path, now: Any) -> None:
    with EmbeddingServer("tei", Server()) as server:
        file = made(sslauth, server, tmp_path / "b.json", "--texts", ours)
    with EmbeddingServer("tei", now) as server:
        ended = sslauth("check-baseline", file, *at(server), "--rounds", "4")
        found = json.loads(
            sslauth("check-baseline", file, *at(server), "--rounds", "4", "--format", "json").out
        )
    assert ended.status == 1, ended.out
    assert ended.out.startswith("CHANGED since 2")
    assert "the baseline is of http://" in ended.err
    assert (found["status"], found["requests"], found["false_alarms"]) == ("changed", 96, 0.001)


def test_another_width_has_changed(sslauth: Run, tmp_path: Path, ours: Path) -> None:
    with EmbeddingServer("tei", Server()) as server:
        file = made(sslauth, server, tmp_path / "b.json", "--texts", ours)
    with EmbeddingServer("tei", lambda texts: [row[:8] for row in Server()(texts)]) as server:
        ended = sslauth("check-baseline", file, *at(server), "--format", "json")
    found = json.loads(ended.out)
    assert (ended.status, found["reason"]) == (
        1,
        "answers have 8 dimensions, and had 32; only the first 8 of 32 dimensions",
    )
    assert found["typical"] is None


def test_texts_are_made_up_without_a_file_and_refused_ones_are_left_out(sslauth: Run, tmp_path: Path) -> None:
    def behaviour(request: Request, answer: Callable[[], Reply]) -> Reply:
        refusal = {"error": "too long", "error_type": "Validation"}
        return Reply.of(refusal, 413) if max(map(len, request.json()["inputs"])) > 600 else answer()

    with EmbeddingServer("tei", Server()) as server:
        server.faults.append(Fault(behaviour, method="POST"))
        ended = sslauth("baseline", *at(server), "--out", tmp_path / "b.json", "--rounds", "2")
    assert ended.status == 0
    assert "the endpoint refused 3 texts, which are not part of it" in ended.err
    assert "keep" in ended.err
    assert len(Baseline.load(tmp_path / "b.json").texts) == 21


@pytest.mark.parametrize("taken", range(1, 8))
def test_an_endpoint_that_takes_too_few_texts_has_no_baseline(
    sslauth: Run, tmp_path: Path, ours: Path, taken: int
) -> None:
    """With so few, another encoder's answers could not be told from chance."""

    def behaviour(request: Request, answer: Callable[[], Reply]) -> Reply:
        refusal = {"error": "too long", "error_type": "Validation"}
        return answer() if set(request.json()["inputs"]) <= set(FEW[:taken]) else Reply.of(refusal, 413)

    with EmbeddingServer("tei", Server()) as server:
        server.faults.append(Fault(behaviour, method="POST"))
        ended = sslauth("baseline", *at(server), "--out", tmp_path / "b.json", "--texts", ours)
    assert (ended.status, ended.out, (tmp_path / "b.json").exists()) == (3, "", False)
    assert f"the endpoint refused {12 - taken} of 12 texts, and {taken} are too few" in ended.err


def test_a_pipe_or_a_device_is_written_to_and_not_replaced(sslauth: Run, tmp_path: Path, ours: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    with EmbeddingServer("tei", Server()) as server:
        made(sslauth, server, pipe, "--texts", ours)
    reader.join(timeout=30)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert json.loads(read[0])["format"] == "sslauth-baseline"


def test_embeddings_that_float32_does_not_hold_make_no_baseline(
    sslauth: Run, tmp_path: Path, ours: Path
) -> None:
    with EmbeddingServer("tei", lambda texts: [[1e-60] * 32 for _ in texts]) as server:
        for command in (("baseline", "--texts", ours), ("stamp",)):
            ended = sslauth(*command, *at(server), "--out", tmp_path / "b.json")
            assert (ended.status, ended.out, (tmp_path / "b.json").exists()) == (3, "", False)
            assert "zero in float32" in ended.err


def test_a_server_elsewhere_is_the_one_that_is_named(sslauth: Run, tmp_path: Path, ours: Path) -> None:
    with EmbeddingServer("tei", Server()) as server:
        file = made(sslauth, server, tmp_path / "b.json", "--texts", ours)
    with EmbeddingServer("tei", Server()) as other:
        said = sslauth("check-baseline", file, *at(other))
        found = json.loads(sslauth("check-baseline", file, *at(other), "--format", "json").out)
        assert said.out.splitlines()[0].endswith(f": {other.url}")
        assert found["url"] == other.url != server.url


def test_the_file_is_for_its_owner_only_and_is_not_replaced(sslauth: Run, tmp_path: Path, ours: Path) -> None:
    file = tmp_path / "b.json"
    with EmbeddingServer("tei", Server()) as server:
        made(sslauth, server, file, "--texts", ours)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        before, first = file.read_bytes(), file.stat().st_ino
        again = sslauth("baseline", *at(server), "--texts", ours, "--out", file)
        assert (again.status, again.out) == (2, "")
        assert "--force" in again.err
        assert file.read_bytes() == before
        made(sslauth, server, file, "--texts", ours, "--force")
        assert file.stat().st_ino != first  # within one second the content may be equal
        assert sslauth("check-baseline", file, *at(server), "--output", file).status == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.json", "texts.txt"]


def test_a_server_that_fails_leaves_nothing(sslauth: Run, tmp_path: Path, ours: Path) -> None:
    with EmbeddingServer("tei", Server()) as server:
        file = made(sslauth, server, tmp_path / "kept.json", "--texts", ours)
        server.faults.append(Fault(status(404), method="POST"))
        ended = sslauth("baseline", *at(server), "--out", tmp_path / "b.json", "--texts", ours)
        later = sslauth("check-baseline", file, *at(server))
    assert (ended.status, ended.out, later.status, later.out) == (3, "", 3, "")
    assert not (tmp_path / "b.json").exists()


def test_answers_that_have_nothing_in_common_make_no_baseline(
    sslauth: Run, tmp_path: Path, ours: Path
) -> None:
    with EmbeddingServer("tei", Server(noise=3.0)) as server:
        ended = sslauth("baseline", *at(server), "--out", tmp_path / "b.json", "--texts", ours)
    assert (ended.status, ended.out) == (3, "")
    assert "so that nothing can be told of later ones" in ended.err


def test_the_rounds_are_spread_over_time(sslauth: Run, tmp_path: Path, ours: Path) -> None:
    import time

    with EmbeddingServer("tei", Server()) as server:
        begin = time.monotonic()
        made(sslauth, server, tmp_path / "b.json", "--texts", ours, "--spread", "2s")
        assert time.monotonic() - begin >= 2


@pytest.mark.parametrize(
    ("arguments", "said", "ends"),
    [
        (("--spread", "10"), "not a span of time", 2),
        (("--spread", "-1m"), "not a span of time", 2),
        (("--spread", "9999w"), "--spread", 2),
        (("--rounds", "1"), "--rounds", 2),
        (("--texts", "missing.txt"), "the file is missing", 2),
        (("--texts", "few.txt"), "2 different texts", 2),
        (("--texts", "bytes.txt"), "not UTF-8", 2),
        (("--texts", "long.txt"), "a text of more than 20000 characters", 2),
        (("--api", "ollama"), "needs a model's name", 2),
        (("--api-key-env", "NO_SUCH_KEY"), "NO_SUCH_KEY", 2),
    ],
)
def test_what_makes_no_sense_is_one_line(
    sslauth: Run, folder: Path, arguments: tuple[str, ...], said: str, ends: int
) -> None:
    (folder / "few.txt").write_text("one\ntwo\none\n")
    (folder / "bytes.txt").write_bytes(b"\xff\xfe")
    (folder / "long.txt").write_text("\n".join([*FEW, "x" * 20_001]))
    ended = sslauth("baseline", "--endpoint", "http://127.0.0.1:1", "--out", "b.json", *arguments)
    assert (ended.status, ended.out) == (ends, "")
    assert said in ended.err
    assert not (folder / "b.json").exists()


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    from tests.baselines.servers import baseline, noisy

    file = tmp_path_factory.mktemp("baseline") / "b.json"
    baseline(noisy(1e-3)(np.random.default_rng(0), 3)).save(file)
    found: dict[str, Any] = json.loads(file.read_text())
    return found


KEYS = (
    "format",
    "schema",
    "url",
    "api",
    "model",
    "begun",
    "created",
    "form",
    "dimensions",
    "rounds",
    "texts",
    "answered",
)
WRONG: tuple[Any, ...] = ("gone", True, -1, 1e300, "", "\x1b[2J", [], ["x"], {}, {"alone": {}})


def test_these_are_all_keys(content: dict[str, Any]) -> None:
    assert set(content) == {*KEYS, FIELD}


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize(
    "value", ["gone", True, -1, 1e300, "", "\x1b[2J", [], ["x"], {}, {"alone": {}}], ids=repr
)
def test_every_key_of_a_file_is_read_strictly(
    content: dict[str, Any], tmp_path: Path, name: str, value: Any
) -> None:
    edited = {**content, name: value}
    if value == "gone":
        del edited[name]
    file = tmp_path / "b.json"
    for damaged in (edited, {**edited, FIELD: checksum(edited)}):
        file.write_text(json.dumps(damaged))
        with pytest.raises(RecordError, match=r"damaged baseline: .*b\.json: ") as raised:
            Baseline.load(file)
        assert str(raised.value).isprintable()


@pytest.mark.parametrize("mode", ["alone", "together"])
@pytest.mark.parametrize("part", ["mean", "distances"])
@pytest.mark.parametrize("row", ["", "AAAA", "!", "AACAfwAAgH8AAIB/", "AACAvwAAgL8AAIC/"], ids=repr)
def test_every_number_of_a_file_is_read_strictly(
    content: dict[str, Any], tmp_path: Path, mode: str, part: str, row: str
) -> None:
    edited = json.loads(json.dumps(content))
    edited["answered"][mode][part][5] = row
    (tmp_path / "b.json").write_text(json.dumps({**edited, FIELD: checksum(edited)}))
    with pytest.raises(RecordError, match=f"answered.{mode}.{part}"):
        Baseline.load(tmp_path / "b.json")


def test_neither_command_imports_torch(tmp_path: Path, ours: Path) -> None:
    code = """
import sys
from hf_integration.cli import main
status = main(sys.argv[1:])
print("torch" in sys.modules, file=sys.stderr)
sys.exit(status)
"""
    file = tmp_path / "b.json"
    with EmbeddingServer("tei", Server()) as server:
        first = finish(
            start("baseline", *at(server), "-q", "--texts", ours, "--rounds", "2", "--out", file, code=code)
        )
        then = finish(start("check-baseline", file, *at(server), "-q", code=code))
    assert (first.status, first.err, then.status, then.err) == (0, "False\n", 0, "False\n")
