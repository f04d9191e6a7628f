"""``sslauth adopt``: from the report of a test run to entries that claim no more than is known."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from hf_integration.checking.finding import Project
from hf_integration.checking.pins import Pins, read_pins
from hf_integration.loading.adopting import adopt
from hf_integration.loading.calls import Place
from hf_integration.loading.observing import Load
from tests.cli.conftest import Ended, Published, environment


@pytest.fixture
def project(workshop: Path, folder: Path) -> Path:
    """A working directory with ``tiny``, whose card is in ``cards``, and ``bare``, which has none."""
    copytree(workshop / "tiny", folder / "tiny")
    copytree(workshop / "tiny", folder / "bare")
    copytree(workshop / "cards", folder / "cards")
    return folder


def load(**values: Any) -> dict[str, Any]:
    keys = ("path", "repo", "commit", "url", "model", "part", "revision", "pinned")
    plain = {"api": "from_pretrained", "reference": "x", "where": "test_app.py:3", "test": "", "count": 1}
    return {**dict.fromkeys(keys), **plain, **values}


def report(*loads: dict[str, Any], **more: Any) -> Path:
    said = {"format": "sslauth-observed", "schema": 1, "encoders": list(loads), "unknown": [], **more}
    Path("report.json").write_text(json.dumps(said))
    return Path("report.json")


def test_entries_are_shown_and_written_only_when_that_is_said(
    project: Path, sslauth: Callable[..., Ended]
) -> None:
    file = report(load(path="tiny"), load(path="bare"))
    ended = sslauth("adopt", file)
    assert ended.status == 2
    assert "nobody is there to ask" in ended.err
    assert not Path("sslauth.toml").exists()
    shown = [line for line in ended.out.split("\n") if line.startswith("+")]
    ended = sslauth("adopt", file, "--yes")
    assert ended.status == 0
    written = Path("sslauth.toml").read_text()
    assert [f"+{line}" for line in written.rstrip("\n").split("\n")] == shown[1:]
    pins = read_pins(Path("sslauth.toml")).encoders
    assert list(pins) == ["tiny", "bare"]
    assert pins["tiny"].locked
    assert (pins["bare"].card, pins["bare"].locked) == ("cards/bare", False)


def test_an_entry_with_a_card_is_checked_and_one_without_fails_until_it_has_one(
    project: Path, sslauth: Callable[..., Ended]
) -> None:
    ended = sslauth("adopt", report(load(path="tiny"), load(path="bare")), "--yes")
    assert sslauth("verify", "tiny").status == 0
    assert sslauth("verify", "bare").status in (2, 3)
    (mint,) = [line.split("`")[1] for line in ended.out.split("\n") if "sslauth mint" in line]
    assert mint == "sslauth mint bare --out cards/bare"
    copytree("cards/tiny", "cards/bare")  # as the command would, in half a minute
    assert sslauth("lock", "bare").status == 0
    assert sslauth("verify", "bare").status == 0


@pytest.mark.parametrize(
    ("answer", "written"), [("y\n", True), ("yes\n", True), ("n\n", False), ("\n", False)]
)
def test_the_person_in_front_of_the_terminal_is_asked(project: Path, answer: str, written: bool) -> None:
    file = report(load(path="bare"))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "hf_integration.cli", "adopt", str(file)]
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True
    ) as process:
        os.write(ours, answer.encode())
        _, said = process.communicate(timeout=60)
    os.close(theirs)
    os.close(ours)
    assert process.returncode == 0, said
    assert "write this to sslauth.toml? [y/N]" in said
    assert Path("sslauth.toml").exists() == written


def test_nothing_that_is_there_is_changed(project: Path, sslauth: Callable[..., Ended]) -> None:
    before = "# ours\nversion = 1\n\n[encoders.Tiny]  # the first\npath = 'bare'\n"
    Path("sslauth.toml").write_text(before)
    ended = sslauth("adopt", report(load(path="tiny"), load(path="bare")), "--yes")
    assert ended.status == 0
    after = Path("sslauth.toml").read_text()
    assert after.startswith(before)
    assert list(read_pins(Path("sslauth.toml")).encoders) == ["Tiny", "tiny-2"]
    assert "it is 'Tiny' in sslauth.toml" in ended.out
    assert sslauth("adopt", Path("report.json"), "--yes").status == 0
    assert Path("sslauth.toml").read_text() == after


def test_a_repository_is_pinned_to_the_commit_that_was_loaded(
    published: Published, sslauth: Callable[..., Ended]
) -> None:
    newer = published.replace_encoder()
    file = report(load(repo=published.repo, commit=published.commit, pinned=False))
    assert sslauth("adopt", file, "--yes").status == 0
    pin = read_pins(Path("sslauth.toml")).encoders["tiny"]
    assert (pin.repo, pin.commit) == (published.repo, published.commit)
    assert pin.commit != newer
    assert pin.card_digest == published.digest


@pytest.mark.parametrize("card", ["none", "in cards"])
def test_the_summary_of_a_test_run_suggests_the_same_as_far_as_it_goes_without_the_hub(
    published: Published, sslauth: Callable[..., Ended], card: str
) -> None:
    if card == "in cards":
        copytree(published.workshop / "cards", "cards")
    places = [Place(repo=published.repo, commit=commit) for commit in (published.commit, "0" * 40)]
    loads = [Load("from_pretrained", "x", place) for place in places]
    before = len(published.hub.requests)
    (new, again), _ = adopt(loads, Pins(Path("sslauth.toml")), Project(), None)
    assert len(published.hub.requests) == before
    known = {"repo": published.repo, "commit": published.commit}
    if card == "none":
        assert new.entry == known
        assert new.needs == ("whether the repository holds a card was not asked: `sslauth adopt` does that",)
    else:
        assert new.entry == {**known, "card": "cards/tiny", "card_digest": published.digest}
        shown = sslauth("adopt", report(load(**known)), "--yes", "--format", "json")
        assert json.loads(shown.out)["encoders"][0]["entry"] == new.entry
        assert len(published.hub.requests) == before
    assert again.entry is None
    assert again.needs[0].startswith(
        "once the entries above are added, it is 'tiny' in sslauth.toml, which pins"
    )


SERVED = {"api": "OpenAI", "url": "http://127.0.0.1:1/v1", "model": "org/tiny"}


def test_a_server_gets_an_entry_where_its_model_is_a_repository(
    project: Path, sslauth: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sslauth("adopt", report(load(**SERVED)), "--yes").status == 0
    pin = read_pins(Path("sslauth.toml")).encoders["tiny"]
    assert pin.endpoint is not None
    assert (pin.repo, pin.endpoint.url, pin.endpoint.model) == ("org/tiny", SERVED["url"], "org/tiny")
    assert not pin.locked


NO_ENTRY = {
    "a closed model": (load(**{**SERVED, "model": "text-embedding-3-small"}), "sslauth baseline"),
    "another client": (load(**{**SERVED, "api": "Voyage"}), "sslauth baseline"),
    "a converted file": (load(api="onnxruntime.InferenceSession", path="tiny/m.onnx"), "--converted"),
    "a single file": (load(api="timm.create_model", path="tiny/config.json"), "no entry can name it"),
    "a download": (load(api="timm.create_model", url="https://host/weights.pth"), "sslauth baseline"),
    "bytes": (load(api="x", model="9 bytes in memory"), "no entry can name it"),
    "a part of a repository": (load(repo="org/x", commit="0" * 40, part="unet"), "within a repository"),
    "a folder that is gone": (load(path="gone"), "no entry can name it"),
}


@pytest.mark.parametrize("case", NO_ENTRY)
def test_what_no_entry_can_name_is_said_with_what_to_do(
    project: Path, sslauth: Callable[..., Ended], case: str
) -> None:
    said, remedy = NO_ENTRY[case]
    ended = sslauth("adopt", report(said), "--yes")
    assert ended.status == 0
    assert remedy in ended.out
    assert not Path("sslauth.toml").exists()


DAMAGE: dict[str, Any] = {
    "no JSON": "{",
    "another file": {"format": "else", "schema": 1, "encoders": [], "unknown": []},
    "a newer version": {"format": "sslauth-observed", "schema": 2, "encoders": [], "unknown": []},
    "a key too many": {"encoders": [load(more=1)]},
    "no repo id": {"encoders": [load(repo="../../x")]},
    "no commit": {"encoders": [load(repo="org/x", commit="main")]},
    "control characters": {"encoders": [load(reference="\x1b[31m")]},
    "a number for a name": {"encoders": [load(reference=1)]},
    "too many": {"encoders": [load()] * 1001},
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_report_is_refused_in_one_line(
    project: Path, sslauth: Callable[..., Ended], case: str
) -> None:
    damage = DAMAGE[case]
    if isinstance(damage, str):
        Path("report.json").write_text(damage)
    else:
        report(**damage)
    ended = sslauth("adopt", "report.json", "--yes")
    assert ended.status == 4
    assert ended.err.startswith("sslauth: error: report.json: ")
    assert ended.err.count("\n") == 1
    assert not Path("sslauth.toml").exists()


def test_a_report_that_is_not_there(project: Path, sslauth: Callable[..., Ended]) -> None:
    ended = sslauth("adopt", "absent.json")
    assert ended.status == 2
    assert "--sslauth-observe-report" in ended.err


def test_ci_writes_no_pins(
    project: Path, sslauth: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = report(load(path="bare"))
    monkeypatch.setenv("CI", "true")
    assert sslauth("adopt", file, "--yes").status == 2
    assert not Path("sslauth.toml").exists()
    assert sslauth("adopt", file, "--yes", "--allow-ci").status == 0


def test_what_a_report_does_not_know_is_said(project: Path, sslauth: Callable[..., Ended]) -> None:
    ended = sslauth("adopt", report(unknown=["gw1"]))
    assert ended.status == 0
    assert "what gw1 loaded is not known" in ended.out


def test_json_and_quiet(project: Path, sslauth: Callable[..., Ended]) -> None:
    file = report(load(path="bare"), load(**{**SERVED, "model": "closed"}))
    ended = sslauth("adopt", file, "--yes", "--format", "json")
    said = json.loads(ended.out)
    assert (said["file"], said["written"]) == ("sslauth.toml", True)
    bare, closed = said["encoders"]
    assert bare["entry"] == {"path": "bare", "card": "cards/bare"}
    assert (closed["name"], closed["entry"]) == (None, None)
    assert sslauth("adopt", file, "--yes", "-q").out == "unchanged\n"
