"""``sslauth verify --format sarif|gitlab``: of folders, entries, endpoints and converted files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hf_integration import load_encoder
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from tests.cli.conftest import Ended
from tests.converted import making
from tests.endpoints.encoders import serving
from tests.endpoints.server import EmbeddingServer
from tests.report.sarif import read_sarif
from tests.report.test_code_hosts import check_gitlab

Run = Callable[..., Ended]

PINS = """version = 1

[encoders.other]
path = "elsewhere"

[encoders.search]
path = "encoder"
card = "cards/tiny"
"""


@pytest.fixture
def project(workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a service in it that pins an encoder; the working directory is the service."""
    (tmp_path / ".git").mkdir()
    service = tmp_path / "service"
    service.mkdir()
    (service / "cards").symlink_to(workshop / "cards")
    (service / "encoder").symlink_to(workshop / "tiny")
    (service / "sslauth.toml").write_text(PINS)
    monkeypatch.chdir(service)
    return service


def alter(project: Path, workshop: Path) -> None:
    (project / "encoder").unlink()
    (project / "encoder").symlink_to(workshop / "altered")


def only_result(ended: Ended) -> Any:
    (result,) = read_sarif(ended.out)["results"]
    return result


def place_of(result: Any) -> tuple[str, int]:
    place = result["locations"][0]["physicalLocation"]
    return place["artifactLocation"]["uri"], place["region"]["startLine"]


@pytest.mark.parametrize("name", ["search", "encoder", "./encoder"])
def test_a_pinned_encoder_is_shown_at_its_entry(
    sslauth: Run, project: Path, workshop: Path, name: str
) -> None:
    ended = sslauth("verify", name, "--format", "sarif")
    result = only_result(ended)
    assert (ended.status, result["ruleId"], result["kind"]) == (0, "encoder-authentic", "pass")
    assert place_of(result) == ("service/sslauth.toml", 6)
    assert sslauth("verify", name, "--format", "gitlab").out == "[]\n"
    alter(project, workshop)
    ended = sslauth("verify", name, "--format", "sarif")
    result = only_result(ended)
    assert (ended.status, result["ruleId"], result["level"]) == (1, "encoder-altered", "error")
    assert place_of(result) == ("service/sslauth.toml", 6)
    ended = sslauth("verify", name, "--format", "gitlab")
    found = json.loads(ended.out)
    check_gitlab(found)
    assert ended.status == 1
    assert [(entry["severity"], entry["location"]) for entry in found] == [
        ("blocker", {"path": "service/sslauth.toml", "lines": {"begin": 6}})
    ]


def test_an_encoder_without_an_entry_is_shown_where_it_belongs(sslauth: Run, project: Path) -> None:
    (project / "sslauth.toml").unlink()
    ended = sslauth("verify", "./encoder", "--card", "cards/tiny", "--format", "sarif")
    assert place_of(only_result(ended)) == ("sslauth.toml", 1)


def test_a_file_holds_the_same(sslauth: Run, project: Path) -> None:
    assert sslauth("verify", "search", "--format", "sarif", "--output", "out.sarif").status == 0
    assert read_sarif(Path("out.sarif").read_text())["results"][0]["kind"] == "pass"


def test_a_check_that_cannot_be_made_gives_no_report_and_no_pass(sslauth: Run, project: Path) -> None:
    for format in ("sarif", "gitlab"):
        ended = sslauth("verify", "other", "--format", format, "--output", "out")
        assert ended.status not in (0, 1)
        assert not Path("out").exists()


@pytest.mark.parametrize(
    ("encoder", "serving_as", "rule", "level"),
    [
        ("tiny", "torch", "endpoint-authentic", "none"),
        ("far", "torch", "endpoint-altered", "error"),
        ("far", None, "endpoint-inconclusive", "warning"),
    ],
)
def test_an_endpoint_is_a_kind_of_its_own(
    sslauth: Run, project: Path, workshop: Path, encoder: str, serving_as: str | None, rule: str, level: str
) -> None:
    with EmbeddingServer("tei", serving(workshop / encoder)) as server:
        said = ["--endpoint", server.url, "--api", "tei", "--keys", "24"]
        said += ["--serving", serving_as] if serving_as else []
        result = only_result(sslauth("verify", "search", *said, "--format", "sarif"))
    assert server.url in result["message"]["text"]
    assert (result["ruleId"], result["level"]) == (rule, level)
    assert place_of(result) == ("service/sslauth.toml", 6)


@pytest.mark.parametrize(
    ("copy", "rule"), [("tiny", "converted-authentic"), ("altered", "converted-altered")]
)
def test_a_converted_encoder_is_a_kind_of_its_own(
    sslauth: Run, project: Path, workshop: Path, tmp_path: Path, copy: str, rule: str
) -> None:
    pytest.importorskip("onnx", reason="needs the extra onnx")
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    loaded = load_encoder(str(workshop / copy))
    assert isinstance(loaded, TorchEncoder)
    converted = making.onnx_folder(loaded, tmp_path / "onnx-folder")
    ended = sslauth("verify", "search", "--converted", converted, "--keys", "24", "--format", "sarif")
    assert only_result(ended)["ruleId"] == rule
    assert place_of(only_result(ended)) == ("service/sslauth.toml", 6)
