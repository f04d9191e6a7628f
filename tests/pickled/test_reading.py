"""What pickles may hold, kind by kind: tensors are written, and everything else is one clear line."""

import io
import json
import os
import pickle
import socket
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from hf_integration.pickled.reading import Answer, Job, RefusedError, run
from tests.cli.conftest import environment

MARK = "was-run"


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._reduced = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._reduced


class Built:
    """Pickles as an object that is given a state."""


def converted(file: Path, *, tied: dict[str, str] | None = None) -> tuple[dict[str, torch.Tensor], Answer]:
    """Read and write in this process: what is refused here is refused by what reads it, and by no limit."""
    target = file.with_suffix(".safetensors")
    job: Job = {"parent": os.getpid(), "files": {str(file): str(target)}, "tied": tied or {}}
    (answer,) = run(job)
    return load_file(target), answer


def rewritten(file: Path, change: Callable[[str, bytes], bytes], **options: Any) -> None:
    """The same archive with other records."""
    with zipfile.ZipFile(file) as archive:
        records = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, data in records.items():
            archive.writestr(name, change(name, data))


def saved(value: Any, file: Path, **options: Any) -> None:
    torch.save(value, file, **options)


def malicious(mark: Path) -> dict[str, Any]:
    """Values whose pickles run something when an ordinary reader meets them."""
    command = f"touch {mark}"
    return {
        "os.system": Calls(os.system, command),
        "subprocess": Calls(subprocess.check_call, ["touch", str(mark)]),
        "eval": Calls(eval, f"open({str(mark)!r}, 'w')"),
        "exec": Calls(exec, f"open({str(mark)!r}, 'w')"),
        "open": Calls(open, str(mark), "w"),
        "getattr": Calls(getattr, "x", "upper"),
        "importlib": Calls(__import__, "os"),
        "breakpoint": Calls(breakpoint),
        "numpy": Calls(__import__("numpy").frombuffer, b"12345678"),
        "torch.load": Calls(torch.load, str(mark)),
        "torch.hub": Calls(torch.hub.load_state_dict_from_url, "http://127.0.0.1:9/x"),
        "object": Built(),
    }


NAMES = tuple(malicious(Path("x")))


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", NAMES)
def test_what_a_pickle_wants_run_is_named_and_not_run(name: str, zipped: bool, tmp_path: Path) -> None:
    mark, file = tmp_path / MARK, tmp_path / "pytorch_model.bin"
    evil = malicious(mark)[name]
    saved({"a": torch.ones(2), "b": evil}, file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(RefusedError, match="may run code, and none of it was run") as caught:
        converted(file)
    assert str(caught.value).startswith("pytorch_model.bin: ")
    assert "weights_only" not in str(caught.value), "PyTorch's advice is to run it"
    assert not mark.exists()
    assert not file.with_suffix(".safetensors").exists()


def test_these_pickles_do_run_where_they_are_read_as_usual(tmp_path: Path) -> None:
    """Or the test above would show nothing."""
    mark = tmp_path / MARK
    for name in ("os.system", "subprocess", "eval", "exec", "open"):
        file = tmp_path / "pytorch_model.bin"
        saved({"b": malicious(mark)[name]}, file)
        torch.load(file, weights_only=False)
        assert mark.exists(), name
        mark.unlink()


def tar(file: Path) -> None:
    with tarfile.open(file, "w") as archive:
        for name in ("storages", "tensors", "pickle"):
            data = pickle.dumps(0)
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def scripted(file: Path) -> None:
    module: Any = torch.jit.script(torch.nn.Linear(2, 2))
    module.save(file)


def compressed(file: Path) -> None:
    saved({"a": torch.zeros(1_000_000)}, file)
    rewritten(file, lambda _, data: data, compression=zipfile.ZIP_DEFLATED)


def declares_more(file: Path) -> None:
    saved({"a": torch.arange(16.0)}, file)

    def change(name: str, data: bytes) -> bytes:
        assert not name.endswith("data.pkl") or b"K\x10t" in data
        return data.replace(b"K\x10t", b"J\xff\xff\xff\x7ft") if name.endswith("data.pkl") else data

    rewritten(file, change)


def shorter_record(file: Path) -> None:
    saved({"a": torch.arange(16.0), "b": torch.arange(64.0)}, file)
    rewritten(file, lambda name, data: data[:-4] if name.endswith("data/0") else data)


def two_of_one_name(file: Path) -> None:
    saved({"a": torch.arange(16.0)}, file)
    with zipfile.ZipFile(file, "a") as archive:
        name = next(name for name in archive.namelist() if name.endswith("data/0"))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(name, bytes(64))


def nested(file: Path) -> None:
    inner = io.BytesIO()
    torch.save({"a": torch.ones(2)}, inner)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", inner.getvalue())


def truncated(file: Path) -> None:
    saved({"a": torch.arange(16.0)}, file)
    file.write_bytes(file.read_bytes()[:-100])


V = torch.arange(1000.0)

ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "tar": (tar, "tar format"),
    "torchscript": (scripted, "a TorchScript archive"),
    "zip bomb": (compressed, "compressed or encrypted records"),
    "more declared than there is": (declares_more, "other sizes than its records"),
    "record that is too short": (shorter_record, "other sizes than its records"),
    "two records of one name": (two_of_one_name, "two records of one name"),
    "zip in a zip": (nested, "no file of weights"),
    "truncated": (truncated, "no file of weights|damaged archive"),
    "empty": (lambda f: f.write_bytes(b""), "no file of weights"),
    "text": (lambda f: f.write_text("hello"), "no file of weights"),
    "json": (lambda f: f.write_text("{}"), "no file of weights"),
    "plain pickle": (lambda f: f.write_bytes(pickle.dumps({"a": 1})), "no file of weights"),
    "other zip": (lambda f: zipfile.ZipFile(f, "w").close(), "no file of weights"),
    "tensor alone": (lambda f: saved(torch.ones(2), f), "holds a Tensor, not tensors by name"),
    "list": (lambda f: saved([torch.ones(2)], f), "holds a list, not tensors by name"),
    "nothing": (lambda f: saved({}, f), "holds no tensors"),
    "no tensors": (lambda f: saved({"a": 1}, f), "holds no tensors"),
    "number for a name": (lambda f: saved({1: torch.ones(2)}, f), "calls an entry by a int"),
    "checkpoint": (lambda f: saved({"state_dict": {"a": torch.ones(2)}}, f), "a checkpoint, not weights"),
    "list of tensors": (lambda f: saved({"a": [torch.ones(2)]}, f), "a checkpoint, not weights"),
    "sparse": (lambda f: saved({"a": torch.eye(3).to_sparse()}, f), "a sparse_coo tensor called 'a'"),
    "sparse csr": (lambda f: saved({"a": torch.eye(3).to_sparse_csr()}, f), "a sparse_csr tensor called 'a'"),
    "expanded": (lambda f: saved({"a": V[:1].expand(1 << 40)}, f), "more numbers in 'a' than it holds"),
    "meta": (lambda f: saved({"a": torch.ones(2, device="meta")}, f), "on the device meta called 'a'"),
    "conjugate": (
        lambda f: saved({"a": torch.ones(2).to(torch.complex64).conj()}, f),
        "special kind|written",
    ),
    "many views": (
        lambda f: saved({str(i): torch.ones(1).expand(1) if not i else V[:999] for i in range(99)}, f),
        "declares more numbers than it holds",
    ),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_file_of_weights_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    make, reason = ODD[kind]
    file = tmp_path / "pytorch_model.bin"
    make(file)
    with pytest.raises(RefusedError, match=reason) as caught:
        converted(file)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_quantised_tensors_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "pytorch_model.bin"
    saved({"a": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)}, file)
    with pytest.raises(RefusedError, match="a quantised tensor"):
        converted(file)


DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int8, torch.bool]


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_numbers_stay_as_they_are_bit_for_bit(dtype: torch.dtype, zipped: bool, tmp_path: Path) -> None:
    file = tmp_path / "pytorch_model.bin"
    numbers = (torch.randn(5, 7, dtype=torch.float64) * 9).to(dtype)
    kept = {"a": numbers, "b": numbers.T.contiguous().T, "none": numbers[:0], "one": numbers[0, 0].clone()}
    saved(kept, file, _use_new_zipfile_serialization=zipped)
    found, answer = converted(file)
    assert answer["tensors"] == sorted(kept)
    for name, tensor in kept.items():
        assert found[name].dtype == dtype
        assert found[name].shape == tensor.shape
        raw = [t.contiguous().view(-1).view(torch.uint8) if t.numel() else t for t in (found[name], tensor)]
        assert torch.equal(*raw), name


def test_not_a_number_and_parameters_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "pytorch_model.bin"
    saved({"a": torch.nn.Parameter(torch.tensor([float("nan"), float("inf"), -0.0]))}, file)
    found, _ = converted(file)
    assert found["a"].isnan().tolist() == [True, False, False]
    assert str(found["a"][2].item()) == "-0.0"


def test_what_is_no_tensor_is_left_out_and_said(tmp_path: Path) -> None:
    file = tmp_path / "pytorch_model.bin"
    saved({"a": torch.ones(2), "step": 3, "note": "x", "nothing": None}, file)
    found, answer = converted(file)
    assert list(found) == ["a"]
    assert answer["beside"] == ["step", "note", "nothing"]


TIED = {"decoder.weight": "shared.weight", "encoder.weight": "shared.weight"}


def test_of_tied_tensors_the_one_that_the_library_ties_to_is_kept(tmp_path: Path) -> None:
    file, numbers = tmp_path / "pytorch_model.bin", torch.randn(3, 3)
    saved({"decoder.weight": numbers, "encoder.weight": numbers.clone(), "shared.weight": numbers}, file)
    found, answer = converted(file, tied=TIED)
    assert answer["tied"] == {"decoder.weight": "shared.weight"}
    assert sorted(found) == ["encoder.weight", "shared.weight"], "equal numbers elsewhere are not tied"


def test_tensors_that_no_class_ties_are_written_under_every_name(tmp_path: Path) -> None:
    file, numbers = tmp_path / "pytorch_model.bin", torch.randn(3, 3)
    saved({"a": numbers, "b": numbers, "half": numbers[:1], "turned": numbers.T}, file)
    found, answer = converted(file)
    assert (answer["tied"], answer["copies"]) == ({}, {"b": "a"})
    assert torch.equal(found["a"], numbers)
    assert torch.equal(found["b"], numbers)
    assert torch.equal(found["half"], numbers[:1])
    assert torch.equal(found["turned"], numbers.T)


def test_what_claims_to_be_tied_in_a_circle_is_kept(tmp_path: Path) -> None:
    file, numbers = tmp_path / "pytorch_model.bin", torch.randn(3, 3)
    saved({"a": numbers, "b": numbers}, file)
    found, _ = converted(file, tied={"a": "b", "b": "a"})
    assert sorted(found) == ["a", "b"]


CONFINED = """
import json, os, sys
from hf_integration.pickled.confinement import confine
import ctypes, pickle, shutil, signal, socket, subprocess, tempfile, urllib.request
target = sys.argv[1]
tries = {
    "socket": lambda: socket.socket(),
    "name": lambda: socket.getaddrinfo("localhost", 80),
    "url": lambda: urllib.request.urlopen("http://localhost:9"),
    "system": lambda: os.system("true"),
    "popen": lambda: subprocess.run(["true"]),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "fork": lambda: os.fork(),
    "kill": lambda: os.kill(os.getpid(), 0),
    "library": lambda: ctypes.CDLL(None),
    "write": lambda: open(target, "w"),
    "append": lambda: open(target, "ab"),
    "update": lambda: open(target, "r+"),
    "descriptor": lambda: os.open(target, os.O_WRONLY | os.O_CREAT),
    "remove": lambda: os.remove(target),
    "rename": lambda: os.rename(target, target + "2"),
    "folder": lambda: os.mkdir(target + "3"),
    "link": lambda: os.symlink("/", target + "4"),
    "mode": lambda: os.chmod(target, 0o777),
    "tree": lambda: shutil.rmtree(target),
    "temporary": lambda: tempfile.mkstemp(),
    "pickle": lambda: pickle.loads(pickle.dumps(os.system)),
    "environment": lambda: os.putenv("A", "B"),
    "hook": lambda: sys.addaudithook(print),
}
refused = confine(1 << 20)
passed = []
for name, act in tries.items():
    said = None
    try:
        act()
    except BaseException as error:
        said = repr(error)
    if not refused:
        passed.append([name, said])
    refused.clear()
reading = open(__import__("hf_integration").__file__).read()
print(json.dumps(passed))
try:
    bytearray(3 << 30)
    print("allocated")
except MemoryError:
    print("bounded")
os._exit(0)
"""


def test_the_process_that_reads_may_do_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("here")
    done = subprocess.run(
        [sys.executable, "-c", CONFINED, target],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    passed, memory = done.stdout.splitlines()
    assert json.loads(passed) == []
    assert memory == "bounded"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert target.read_text() == "here"


ALONE = """
import socket, sys
from hf_integration.pickled.confinement import leave_the_network
print(leave_the_network())
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5)
    print("connected")
except OSError as error:
    print("refused")
with open(sys.argv[2], "w") as file:
    file.write("files are as before")
"""


def test_the_process_that_reads_has_no_network_where_the_system_permits(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [sys.executable, "-c", ALONE, str(server.getsockname()[1]), str(file)]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    left, reached = done.stdout.split()
    assert file.read_text() == "files are as before"
    if left == "False":
        pytest.skip("this system does not let a process leave the network")
    assert reached == "refused"


def test_a_storage_that_is_declared_huge_asks_for_memory_in_vain(tmp_path: Path) -> None:
    file = tmp_path / "pytorch_model.bin"
    torch.save({"a": torch.arange(16.0)}, file, _use_new_zipfile_serialization=False)
    data = file.read_bytes()
    assert b"K\x10" in data
    file.write_bytes(data.replace(b"K\x10", b"\x8a\x05\x00\x00\x00\x00\x10"))  # 16 -> 2**36 numbers
    job = {"parent": os.getpid(), "files": {str(file): str(tmp_path / "out")}, "tied": {}}
    done = subprocess.run(
        [sys.executable, "-m", "hf_integration.pickled.reading"],
        input=json.dumps(job).encode(),
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert "pytorch_model.bin: " in json.loads(done.stdout)["refused"], done.stderr.decode()
    assert not (tmp_path / "out").exists()
