"""References become folders: local ones first, Hub repos at one commit, each failure with its status."""

import sys
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, errors

from hf_integration.base.errors import EncoderError, InconclusiveError, UsageError
from hf_integration.snapshot import resolve
from hf_integration.snapshot.transport import http_library

httpx = http_library()


def response(status: int) -> Any:
    return httpx.Response(status, request=httpx.Request("GET", "https://hub.invalid/api"))


def failing_with(error: Exception) -> Any:
    def model_info(*_args: Any, **_options: Any) -> Any:
        raise error

    return model_info


def test_a_local_folder_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org" / "name").mkdir(parents=True)
    snapshot = resolve("org/name")
    assert (snapshot.path, snapshot.repo, snapshot.commit) == (Path("org/name"), None, None)


def test_a_revision_of_a_local_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no revision 'main'"):
        resolve(str(tmp_path), revision="main")


@pytest.mark.parametrize("reference", ["./none", "/none/at/all", "~/none-at-all", "../none"])
def test_a_path_that_does_not_exist_is_not_looked_up_on_the_hub(reference: str) -> None:
    with pytest.raises(EncoderError, match="no such folder"):
        resolve(reference)


def test_the_home_of_nobody_is_no_path() -> None:
    with pytest.raises(EncoderError, match="is no path"):
        resolve("~nobody-of-that-name/encoder")


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EncoderError, match="is a file"):
        resolve(str(tmp_path / "file"))


@pytest.mark.parametrize("reference", ["a b", "org/name/more", "org--name/x", ""])
def test_a_malformed_repo_id_is_refused(reference: str) -> None:
    with pytest.raises(EncoderError):
        resolve(reference)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            errors.RepositoryNotFoundError("", response=response(404)),
            EncoderError,
            "no Hub repo and no local",
        ),
        (errors.RevisionNotFoundError("", response=response(404)), EncoderError, "no revision 'dev'"),
        (errors.GatedRepoError("", response=response(403)), InconclusiveError, "gated"),
        (errors.HfHubHTTPError("", response=response(401)), InconclusiveError, "denied access"),
        (errors.HfHubHTTPError("", response=response(500)), InconclusiveError, "status 500"),
        (errors.OfflineModeIsEnabled(""), InconclusiveError, "out of reach"),
        (httpx.ConnectError("no route"), InconclusiveError, "cannot be reached"),
    ],
)
def test_each_failure_of_the_hub_has_its_error(
    error: Exception, kind: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(HfApi, "repo_info", failing_with(error))
    monkeypatch.setattr("hf_integration.snapshot.hub.PAUSES", ())
    with pytest.raises(kind, match=message) as caught:
        resolve("org/name", revision="dev", cache_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_a_local_folder_needs_no_hub_library(tmp_path: Path) -> None:
    import subprocess

    code = f"import sys; from hf_integration.snapshot import resolve; resolve({str(tmp_path)!r});"
    code += "assert not any(name.startswith('huggingface_hub') for name in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
