"""``sslauth verify --all``: every entry as it is checked alone, and whatever happens to its processes."""

import hashlib
import inspect
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import copytree
from typing import Any

import psutil
import pytest

from hf_integration.base.vocabulary import ExitStatus
from hf_integration.checking.pins import read_pins
from hf_integration.cli.commands.verify import check
from hf_integration.cli.fleet.checking import FOR_ALL
from hf_integration.cli.fleet.planning import groups_of
from hf_integration.cli.fleet.worker import Settings, Shared, checked
from hf_integration.verdict import Verdict
from hf_integration.watching.entry import WORST_FIRST
from tests.cli.conftest import Ended, environment, finish, start
from tests.signing.keys import make_keys

Run = Callable[..., Ended]
OTHER = "sha256:" + "0" * 64
STATUSES = {
    "unlocked": 0,
    "pinned": 0,
    "linked": 0,
    "copied": 0,
    "altered": 1,
    "again": 1,
    "waived": 0,
    "moved": 4,
    "unsigned": 4,
    "unpublished": 4,
    "gone": 2,
    "empty": 2,
    "cardless": 3,
    "own": 3,
}
"""Entries, and what ``sslauth verify NAME`` ends with."""


def write(folder: Path, entries: dict[str, dict[str, str]], more: str = "") -> None:
    lines = ["version = 1"]
    for name, values in entries.items():
        lines += [f"[encoders.{name}]", *(f'{key} = "{value}"' for key, value in values.items())]
    (folder / "sslauth.toml").write_text("\n".join([*lines, more]) + "\n")


@pytest.fixture(scope="module")
def fleet(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with an entry of each kind."""
    root = Path(copytree(workshop, tmp_path_factory.mktemp("fleet") / "project"))
    make_keys(root)
    copytree(root / "tiny", root / "copy")
    copytree(root / "altered", root / "altered-copy")
    copytree(root / "tiny", root / "owner")
    copytree(root / "cards" / "tiny", root / "owner" / "sslauth")
    (root / "link").symlink_to("tiny")
    (root / "nothing").mkdir()
    card = {"card": "cards/tiny"}
    digest = f"sha256:{hashlib.sha256((root / 'cards/tiny/card.json').read_bytes()).hexdigest()}"
    write(
        root,
        {
            "unlocked": {"path": "tiny", **card},
            "pinned": {"path": "tiny", **card, "card_digest": digest},
            "linked": {"path": "link", **card, "card_digest": digest},
            "copied": {"path": "copy", **card, "card_digest": digest},
            "altered": {"path": "altered", **card, "card_digest": digest},
            "again": {"path": "altered", **card},
            "waived": {"path": "altered-copy", **card},
            "moved": {"path": "tiny", **card, "card_digest": OTHER},
            "unsigned": {"path": "tiny", **card, "signer": "key.pub"},
            "unpublished": {"path": "tiny", **card, "publisher": "key.pub"},
            "gone": {"path": "gone", **card},
            "empty": {"path": "nothing", **card},
            "cardless": {"path": "tiny", "card": "cards/none"},
            "own": {"path": "owner", "card": "owner"},
        },
    )
    return root


@pytest.fixture
def here(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(fleet)
    return fleet


@pytest.fixture(scope="module")
def alone(fleet: Path) -> dict[str, dict[str, Any]]:
    """What ``sslauth verify NAME`` says of each entry; writes the waiver of one of them first."""
    from hf_integration.cli import main

    found = {}
    before = Path.cwd()
    os.chdir(fleet)
    try:
        verdict = Path("verdict.json")
        main(["verify", "waived", "--format", "json", "-q", "--output", str(verdict)])
        state = json.loads(verdict.read_text())["state"]
        waiver = f'[[encoders.waived.waivers]]\nstate = "{state}"\nreason = "known"\nuntil = 2100-01-01'
        text = Path("sslauth.toml").read_text()
        Path("sslauth.toml").write_text(f"{text}\n{waiver}\n")
        for name in STATUSES:
            verdict.unlink(missing_ok=True)
            status = main(["verify", name, "--format", "json", "-q", "--output", str(verdict)])
            found[name] = {
                "exit_status": status,
                "verdict": json.loads(verdict.read_text()) if verdict.exists() else None,
            }
        verdict.unlink(missing_ok=True)
    finally:
        os.chdir(before)
    return found


@pytest.fixture(scope="module")
def together(fleet: Path, alone: dict[str, Any]) -> dict[str, Any]:
    """What ``sslauth verify --all`` says, in two processes."""
    ended = finish(start("verify", "--all", "--jobs", "2", "--format", "json", cwd=fleet))
    assert ended.status == 1, ended.err
    return {**json.loads(ended.out), "said": ended.err}


VOLATILE = ("seconds", "environment")


def settled(verdict: dict[str, Any] | None) -> dict[str, Any] | None:
    return verdict and {key: value for key, value in verdict.items() if key not in VOLATILE}


@pytest.mark.parametrize("name", STATUSES)
def test_each_entry_comes_out_as_it_does_alone(
    name: str, alone: dict[str, dict[str, Any]], together: dict[str, Any]
) -> None:
    (entry,) = (one for one in together["entries"] if one["name"] == name)
    assert alone[name]["exit_status"] == STATUSES[name]
    assert entry["exit_status"] == STATUSES[name]
    assert settled(entry["verdict"]) == settled(alone[name]["verdict"])
    assert (entry["outcome"] == "error") == (entry["verdict"] is None)
    if entry["verdict"] is not None:
        assert Verdict.from_dict(entry["verdict"]).encoder == name


def test_the_entries_are_those_of_the_file_in_its_order(together: dict[str, Any]) -> None:
    assert [entry["name"] for entry in together["entries"]] == list(STATUSES)
    assert (together["outcome"], together["exit_status"]) == ("altered", 1)
    assert together["processes"] == 2
    assert together["peak_bytes"] > 50 << 20
    for name in STATUSES:
        assert f"] {name}: " in together["said"]


def test_entries_of_one_encoder_and_one_card_share_a_check(together: dict[str, Any]) -> None:
    """No two checks take the same time to the last digit."""
    seconds = {entry["name"]: (entry["verdict"] or {}).get("seconds") for entry in together["entries"]}
    assert seconds["pinned"] is not None
    assert seconds["pinned"] == seconds["linked"]
    assert seconds["altered"] != seconds["pinned"] != seconds["copied"]


VALUES = {
    **{"runtime": "onnx", "api": "tei", "keys": "8", "dimensions": "8"},
    **{"notice": "0.5", "confidence": "0.9", "spread": "9s"},
}
"""Of options that not every word is a value of."""


CARDS = {"a": "cards/tiny", "b": "tiny/sslauth"}
"""The same card beside the encoder, where the caller put it, and in it, where whoever altered it could."""


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")], ids="".join)
def test_two_cards_of_the_same_bytes_are_believed_for_what_each_is(
    names: tuple[str, ...], project: Path, sslauth: Run
) -> None:
    shutil.copytree("cards/tiny", "tiny/sslauth")
    entries = [f'[encoders.{name}]\npath = "tiny"\ncard = "{CARDS[name]}"\n' for name in names]
    Path("sslauth.toml").write_text("version = 1\n" + "".join(entries))
    alone = {name: sslauth("verify", name).status for name in names}
    assert alone == {"a": 0, "b": 3}
    ended = sslauth("verify", "--all", "--jobs", "1", "--format", "json")
    assert ended.status == 3
    found = {entry["name"]: entry["exit_status"] for entry in json.loads(ended.out)["entries"]}
    assert found == alone


def test_a_module_in_the_folder_of_the_entries_is_not_run(project: Path, sslauth: Run) -> None:
    Path("sslauth.toml").write_text('version = 1\n[encoders.a]\npath = "altered"\ncard = "cards/tiny"\n')
    shadow = Path("hf_integration/cli/fleet/worker.py")
    shadow.parent.mkdir(parents=True)
    for package in ("hf_integration", "hf_integration/cli", "hf_integration/cli/fleet"):
        Path(package, "__init__.py").write_text("")
    for module in (shadow, Path("tqdm.py")):
        module.write_text("import pathlib\npathlib.Path(__file__).with_name('ran').touch()\n")
    assert sslauth("verify", "--all").status == 1
    assert not list(project.rglob("ran"))


class TestUsage:
    @pytest.mark.parametrize("content", ["version = 1\n", ""])
    def test_no_entries_are_an_error(
        self, content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sslauth: Run
    ) -> None:
        monkeypatch.chdir(tmp_path)
        if content:
            Path("sslauth.toml").write_text(content)
        ended = sslauth("verify", "--all")
        assert (ended.status, ended.out) == (2, "")
        assert "sslauth add ENCODER" in ended.err

    @pytest.mark.usefixtures("here")
    def test_every_option_that_is_for_one_encoder_is_refused(self, sslauth: Run) -> None:
        parameters = {
            name: parameter
            for name, parameter in list(inspect.signature(check).parameters.items())[2:]
            if name not in FOR_ALL
        }
        assert len(parameters) > 15
        tried = 0
        for name, parameter in parameters.items():
            if name in ("runtime", "api"):
                value = "onnx" if name == "runtime" else "tei"
            else:
                value = {
                    "keys": "8",
                    "dimensions": "8",
                    "notice": "0.5",
                    "confidence": "0.9",
                    "spread": "9s",
                }.get(name, "x")
            option = f"--{name.replace('_', '-')}"
            given = [value] if name == "encoder" else [option, value]
            if parameter.default is False:
                given = [option]
            ended = sslauth("verify", "--all", *given)
            assert (ended.status, ended.out) == (2, ""), name
            assert "--all is for every entry" in ended.err, name
            tried += 1
        assert tried == len(parameters)

    @pytest.mark.usefixtures("here")
    def test_jobs_are_for_all(self, sslauth: Run) -> None:
        for option, value in (("--jobs", "2"), ("--shard", "1/2")):
            ended = sslauth("verify", "unlocked", option, value)
            assert (ended.status, ended.out) == (2, "")
            assert f"{option} is for --all" in ended.err

    @pytest.mark.usefixtures("here")
    @pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "1/0", "x/2", "1/2/3", "-1/2", "1.0/2", "", "9/99"])
    def test_a_part_that_is_none_or_empty_is_refused(self, shard: str, sslauth: Run) -> None:
        ended = sslauth("verify", "--all", "--shard", shard)
        assert (ended.status, ended.out) == (2, "")
        assert "--shard" in ended.err

    @pytest.mark.usefixtures("here")
    @pytest.mark.parametrize("number", ["0", "-1", "x", "257"])
    def test_a_number_of_processes_that_makes_no_sense(self, number: str, sslauth: Run) -> None:
        assert sslauth("verify", "--all", "--jobs", number).status == 2

    @pytest.mark.usefixtures("here")
    def test_a_report_in_a_folder_that_is_read_is_refused(self, sslauth: Run) -> None:
        ended = sslauth("verify", "--all", "--output", "tiny/report.json")
        assert ended.status == 2
        assert "which this command reads" in ended.err


def test_every_status_has_its_place_among_the_worst() -> None:
    assert set(WORST_FIRST) == set(ExitStatus) - {ExitStatus.INTERRUPTED}


@pytest.fixture
def running(fleet: Path, alone: dict[str, Any]) -> "subprocess.Popen[str]":
    # a suite that runs in the background of a shell has inherited that interrupts are ignored
    heeded = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return start(
        "verify",
        "--all",
        "--jobs",
        "1",
        "--format",
        "json",
        cwd=fleet,
        preexec_fn=heeded,
        start_new_session=True,
    )


def worker_of(process: "subprocess.Popen[str]") -> psutil.Process:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for child in psutil.Process(process.pid).children():
            if "hf_integration.cli.fleet.worker" in " ".join(child.cmdline()):
                return child
        time.sleep(0.02)
    raise AssertionError("no process was started")


def test_a_process_that_is_killed_is_named_and_costs_its_entry_alone(
    running: "subprocess.Popen[str]", fleet: Path
) -> None:
    worker_of(running).kill()
    ended = finish(running)
    first = groups_of(read_pins(fleet / "sslauth.toml").encoders.values())[0].names[0]
    entries = {entry["name"]: entry for entry in json.loads(ended.out)["entries"]}
    assert entries[first]["outcome"] == "error"
    assert entries[first]["exit_status"] == 3
    assert "was ended by SIGKILL, as a system does that is out of memory" in entries[first]["reason"]
    assert {name: one["exit_status"] for name, one in entries.items()} == {**STATUSES, first: 3}


def test_a_folder_is_not_taken_for_an_entry_that_is_gone(
    workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file was edited after the command read it: a folder of that name holds an encoder and its card."""
    settings: Settings = {
        "parent": 0,
        "precision": None,
        "budget": None,
        "device": None,
        "accept_self_asserted": True,
    }
    copytree(workshop / "tiny", tmp_path / "search")
    copytree(workshop / "cards" / "tiny", tmp_path / "cards" / "search")
    write(tmp_path, {"other": {"path": "search", "card": "cards/search"}})
    monkeypatch.chdir(tmp_path)
    for name, status in (("search", 2), ("other", 0)):
        answer = checked(name, Shared(settings), settings)
        assert answer["exit_status"] == status, answer["error"]
    assert "is no entry any more" in checked("search", Shared(settings), settings)["error"]


def all_of_four(folder: Path, interpreter: str) -> list[str]:
    """Why four entries are not checked where another program takes the interpreter's place."""
    write(folder, {name: {"path": "tiny", "card": "cards/tiny"} for name in "abcd"})
    code = (
        f"import sys; from hf_integration.cli import main; sys.executable = {interpreter!r}; sys.exit(main())"
    )
    ended = finish(start("verify", "--all", "--format", "json", code=code, cwd=folder))
    entries = json.loads(ended.out)["entries"]
    assert ended.status == 3
    assert {entry["outcome"] for entry in entries} == {"error"}
    return [entry["reason"] for entry in entries]


def test_an_encoder_that_ends_two_processes_is_given_up(tmp_path: Path) -> None:
    """The program ends at once, whatever it is asked."""
    reasons = all_of_four(tmp_path, "/bin/false")
    assert ["ended with status 1" in reason for reason in reasons] == [True, True, False, False]
    assert ["its encoder ended two processes" in reason for reason in reasons] == [False, False, True, True]


def test_a_process_that_cannot_be_started_is_no_pass(tmp_path: Path) -> None:
    for reason in all_of_four(tmp_path, "/no/such/program"):
        assert "no process could be started: No such file or directory" in reason


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_whatever_ends_the_command_ends_its_processes(name: str, running: "subprocess.Popen[str]") -> None:
    worker = worker_of(running)
    if name == "SIGINT":
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does for Ctrl-C: to every process
    else:
        running.send_signal(getattr(signal, name))
    out, err = running.communicate(timeout=60)
    if name != "SIGKILL":
        assert (running.returncode, out) == (130, "")
        assert "interrupted" in err
        assert "Traceback" not in err
    _, alive = psutil.wait_procs([worker], timeout=30)
    assert not alive


def test_tokens_are_in_no_output(tmp_path: Path) -> None:
    """The name of a repository looks like a token; whatever quotes it, the report does not."""
    token = "hf_" + "a1" * 17
    write(tmp_path, {"secret": {"repo": f"org/{token}"}})
    ended = finish(
        start("verify", "--all", cwd=tmp_path, env=environment(HF_TOKEN=token, HF_HUB_OFFLINE="1"))
    )
    assert ended.status == 3
    assert token not in ended.out
