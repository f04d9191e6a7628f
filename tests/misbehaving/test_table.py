"""Every row of the table through the real command. Nothing may end with 0 without a reason."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from hf_integration.cli import main
from hf_integration.endpoints import Patience
from tests.endpoints.asking import WITH_MODEL
from tests.endpoints.server import MODEL, EmbeddingServer
from tests.hub_server.faults import Behaviour, Fault
from tests.hub_server.messages import Reply, Request
from tests.misbehaving.encoders import Encoders
from tests.misbehaving.rows import ROWS, Row
from tests.serving import small_encoders


@dataclass(frozen=True, kw_only=True)
class Haste(Patience):
    """Little patience by default, for servers that would take for ever."""

    tries: int = 2
    request: float = 1
    total: float = 20
    first_pause: float = 0.01
    longest_pause: float = 0.02


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Encoders:
    return Encoders(small_encoders.save(tmp_path_factory.mktemp("misbehaving") / "right"))


def later(behaviour: Behaviour, after: int) -> Behaviour:
    """The behaviour, once so many requests were answered rightly."""
    count = 0

    def behave(request: Request, answer: Callable[[], Reply]) -> Reply:
        nonlocal count
        count += 1
        return behaviour(request, answer) if count > after else answer()

    return behave


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.does)
def test_a_server_that(
    row: Row, encoders: Encoders, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if row.in_haste:
        monkeypatch.setattr("hf_integration.checking.deployed.Patience", Haste)
    with EmbeddingServer(row.api, row.answers(encoders), base64=row.base64) as server:
        if row.fault is not None:
            server.faults.append(Fault(later(row.fault, row.after), method="POST"))
        command = ["verify", str(encoders.folder), "--endpoint", server.url, "--api", row.api, "--keys", "24"]
        model = ["--api-model", MODEL] if row.api in WITH_MODEL else []
        stated = [] if row.serving is None else ["--serving", row.serving]
        status = main([*command, *model, *stated, *row.options])
        failures = server.failures
    captured = capfd.readouterr()
    said = captured.out or captured.err.splitlines()[-1]
    assert failures == []
    assert status == row.status, said
    assert row.says in said
    assert captured.out.startswith("AUTHENTIC") == (status == 0)
    if not captured.out:
        assert said.startswith("sslauth: error: ")


def test_whatever_passes_says_why() -> None:
    assert [row.does for row in ROWS if (row.status == 0) != bool(row.why)] == []


def test_no_row_is_there_twice() -> None:
    assert len({row.does for row in ROWS}) == len(ROWS)
