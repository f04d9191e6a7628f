"""The folder of a run: who may read and write it, what is believed of it, and one check in all workers."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_sslauth.shared import RunFolder, SharedResults

pytest_plugins = ["pytester"]

NAME = "a" * 64
RESULT = {"digest": "0" * 64, "folders": [None, "models/tiny"]}


@pytest.fixture
def shared(tmp_path: Path) -> SharedResults:
    (tmp_path / "run").mkdir(mode=0o700)
    return SharedResults(tmp_path / "run", b"secret")


class TestResults:
    def test_are_read_by_those_who_know_the_key(self, shared: SharedResults) -> None:
        assert shared.read(NAME) is None
        shared.write(NAME, RESULT)
        assert shared.read(NAME) == RESULT
        assert SharedResults(shared.folder, b"secret").read(NAME) == RESULT
        assert SharedResults(shared.folder, b"another").read(NAME) is None

    def test_every_changed_byte_makes_one_unbelievable(self, shared: SharedResults) -> None:
        shared.write(NAME, RESULT)
        (file,) = shared.folder.glob("*.json")
        whole = file.read_bytes()
        for at in range(len(whole)):
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert shared.read(NAME) is None
            file.write_bytes(whole[:at])
            assert shared.read(NAME) is None

    def test_one_of_another_name_is_not_believed(self, shared: SharedResults) -> None:
        shared.write(NAME, RESULT)
        (file,) = shared.folder.glob("*.json")
        file.rename(shared.folder / f"{'b' * 64}.json")
        assert shared.read("b" * 64) is None

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda file: file.mkdir(),
            lambda file: file.symlink_to(file.parent / "elsewhere"),
            lambda file: file.parent.rmdir(),
            lambda file: file.parent.chmod(0),
        ],
        ids=["folder", "link", "gone", "closed"],
    )
    def test_what_cannot_be_read_or_written_is_no_failure(
        self, shared: SharedResults, spoil: Callable[[Path], None]
    ) -> None:
        file = shared.folder / f"{NAME}.json"
        spoil(file)
        try:
            assert shared.read(NAME) is None
            shared.write(NAME, RESULT)
        finally:
            if shared.folder.exists():
                shared.folder.chmod(0o700)

    def test_a_link_is_not_followed(self, shared: SharedResults, tmp_path: Path) -> None:
        shared.write(NAME, RESULT)
        file = shared.folder / f"{NAME}.json"
        file.rename(tmp_path / "planted")
        file.symlink_to(tmp_path / "planted")
        assert shared.read(NAME) is None


class TestTurns:
    def test_one_that_dies_makes_way(self, shared: SharedResults) -> None:
        holding = f"""
import sys, time
from pathlib import Path
from pytest_sslauth.shared import SharedResults
with SharedResults(Path({str(shared.folder)!r}), b"secret").turn({NAME!r}):
    print("mine", flush=True)
    time.sleep(60)
"""
        with subprocess.Popen([sys.executable, "-c", holding], stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"mine\n"
            taken = threading.Event()

            def wait() -> None:
                with shared.turn(NAME):
                    taken.set()

            waiting = threading.Thread(target=wait)
            waiting.start()
            with shared.turn("b" * 64):  # another one is nobody's
                pass
            assert not taken.wait(0.3)
            other.kill()
            assert taken.wait(10)
            waiting.join()

    def test_a_folder_without_locks_keeps_nobody_waiting(self, shared: SharedResults) -> None:
        shared.folder.rmdir()
        with shared.turn(NAME):
            pass

    def test_what_fails_within_is_raised(self, shared: SharedResults) -> None:
        with pytest.raises(OSError, match="mine"), shared.turn(NAME):
            raise OSError("mine")


class TestTheFolder:
    def node(self) -> SimpleNamespace:
        return SimpleNamespace(workerinput={})

    def test_is_for_its_owner_and_gone_in_the_end(self) -> None:
        run, node, other = RunFolder(), self.node(), self.node()
        run.tell(node.workerinput)
        run.tell(other.workerinput)
        assert node.workerinput == other.workerinput
        shared = SharedResults.of(node)  # type: ignore[arg-type]
        assert shared is not None
        assert shared.folder.stat().st_mode & 0o777 == 0o700
        assert len(shared.secret) == 32
        shared.write(NAME, RESULT)
        run.remove()
        assert not shared.folder.exists()

    def test_every_run_has_a_key_of_its_own(self) -> None:
        keys = set()
        for _ in range(2):
            run, node = RunFolder(), self.node()
            run.tell(node.workerinput)
            keys.add(node.workerinput["sslauth_shared"]["secret"])
            run.remove()
        assert len(keys) == 2

    def test_a_run_without_workers_has_none(self) -> None:
        run = RunFolder()
        run.remove()
        assert SharedResults.of(SimpleNamespace()) is None  # type: ignore[arg-type]
        assert SharedResults.of(self.node()) is None  # type: ignore[arg-type]

    @pytest.mark.parametrize("mode", [0o750, 0o705, 0o770, 0o777, 0o701])
    def test_one_that_others_may_enter_is_not_used(self, tmp_path: Path, mode: int) -> None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run").chmod(mode)
        assert SharedResults.of(self.told(tmp_path / "run")) is None

    def test_nor_is_a_link_or_one_that_is_not_there(self, tmp_path: Path) -> None:
        (tmp_path / "run").mkdir(mode=0o700)
        assert SharedResults.of(self.told(tmp_path / "run")) is not None
        (tmp_path / "link").symlink_to(tmp_path / "run")
        (tmp_path / "file").touch(mode=0o600)
        for name in ("link", "file", "absent"):
            assert SharedResults.of(self.told(tmp_path / name)) is None

    def told(self, folder: Path) -> pytest.Config:
        said = {"sslauth_shared": {"folder": str(folder), "secret": "00"}}
        return SimpleNamespace(workerinput=said)  # type: ignore[return-value]


COUNTING = """
def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        return
    from pytest_sslauth import engine

    check = engine.authenticate

    def counted(subject, request, settings):
        with open(config.rootpath / "checks.txt", "a") as file:
            print(subject.encoder.name, file=file)
        return check(subject, request, settings)

    engine.authenticate = counted
    with open(config.rootpath / "folders.txt", "a") as file:
        print(config.workerinput["sslauth_shared"]["folder"], file=file)
"""
"""Writes a line for each check that is really made, by whichever worker."""

WHOEVER_ASKS = """
import pytest

@pytest.mark.sslauth("{name}")
def test_marked():
    pass

@pytest.mark.sslauth("{name}")
def test_handed(authentic_encoder):
    assert authentic_encoder.embed(["a"]).shape[0] == 1
    authentic_encoder.model.embeddings.LayerNorm.bias.data += 1  # it is this worker's alone

def test_called(sslauth):
    assert sslauth.assert_authentic("{name}").verdict.authentic
"""


def test_whoever_asks_in_whichever_worker_each_encoder_is_checked_once(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    pytest.importorskip("xdist")
    shutil.copytree(project.path / "cards/tiny", project.path / "cards/altered")
    shutil.copytree(project.path / "models/tiny", project.path / "models/whole")
    alter_encoder()
    (project.path / "models/tiny").rename(project.path / "models/altered")
    (project.path / "models/whole").rename(project.path / "models/tiny")
    (project.path / "sslauth.toml").write_text(
        'version = 1\n[encoders.tiny]\npath = "models/tiny"\ncard = "cards/tiny"\n'
        '[encoders.altered]\npath = "models/altered"\ncard = "cards/altered"\n'
    )
    project.makeini("[pytest]\n")
    project.makeconftest(COUNTING)
    project.makepyfile(
        test_app=WHOEVER_ASKS.format(name="tiny"),
        test_other=WHOEVER_ASKS.partition('@pytest.mark.sslauth("{name}")\ndef test_handed')[0].format(
            name="altered"
        ),
    )
    result = project.runpytest_subprocess("-n2", "--dist=each", "-v", "--junitxml=out.xml")
    result.assert_outcomes(passed=6, failed=6)
    assert sorted((project.path / "checks.txt").read_text().split()) == ["altered", "tiny"]
    text = result.stdout.str()
    assert text.count("authentic     tiny") == text.count("ALTERED       altered") == 1
    said = (project.path / "out.xml").read_text().split('name="sslauth_margin" value="')[1:]
    assert len({margin.partition('"')[0] for margin in said}) == 2  # one check of each
    folders = set((project.path / "folders.txt").read_text().splitlines())
    assert len(folders) == 1
    assert not Path(folders.pop()).exists()
