"""An emulated 64-bit ARM machine: Debian's Python for it, with our dependencies, run by QEMU's user mode.

Nothing of it needs root: an apt with a state of its own downloads packages of Debian, which are unpacked, and
pip downloads wheels for the other platform. :mod:`tests.real_encoders.cache` keeps both.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from tests.real_encoders.cache import cached_folder

ROOT = Path(__file__).parents[2]
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
FROM_DEBIAN = (f"{PYTHON}-minimal", f"lib{PYTHON}-stdlib", "libstdc++6", "libgomp1")
TORCH = "2.10.0"
"""The last release whose wheel for ARM is a build for the CPU: later ones need several GB of CUDA."""

EMULATORS = ("qemu-aarch64-static", "qemu-aarch64")
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")


class AbsentError(Exception):
    """Something that the emulated machine is made of cannot be had here."""


@dataclass(frozen=True)
class Machine:
    """An emulated machine.

    Attributes:
        emulator: QEMU's user mode emulation.
        tree: the unpacked packages of Debian, its root file system.
        packages: the unpacked wheels.
    """

    emulator: Path
    tree: Path
    packages: Path

    def run(self, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
        """Run the emulated Python with our code and our dependencies, on one core and without a network.

        Args:
            arguments: of Python.
            home: the home folder of the process.
        """
        return subprocess.run(
            [str(self.emulator), "-L", str(self.tree), str(self.tree / "usr/bin" / PYTHON), *arguments],
            env={
                "PYTHONPATH": f"{self.packages}{os.pathsep}{ROOT}",
                "HOME": str(home),
                "HF_HUB_OFFLINE": "1",
                "OMP_NUM_THREADS": "1",
                "TOKENIZERS_PARALLELISM": "false",
            },
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )


def prepare() -> Machine:
    """Put together what is not here yet.

    Raises:
        AbsentError: something cannot be had.
    """
    wheels = [*_dependencies(), f"torch=={TORCH}"]
    named = hashlib.sha256("\n".join(wheels).encode()).hexdigest()[:12]
    return Machine(
        emulator=_emulator(),
        tree=cached_folder(f"arm-{PYTHON}", _unpack_python),
        packages=cached_folder(f"arm-wheels-{named}", lambda folder: _unpack_wheels(folder, wheels)),
    )


def _emulator() -> Path:
    if installed := next(filter(None, map(shutil.which, EMULATORS)), None):
        return Path(installed)
    return cached_folder("arm-qemu", _unpack_emulator) / "usr/bin" / EMULATORS[0]


def _unpack_emulator(folder: Path) -> None:
    downloads = _empty(folder / "downloads")
    _done("apt-get", "download", "qemu-user-static", cwd=downloads)
    _unpack(downloads, folder)


def _unpack_python(folder: Path) -> None:
    state = _empty(folder / "apt")
    _empty(state / "lists" / "partial")
    downloads = _empty(state / "cache" / "archives")
    _empty(downloads / "partial")
    (state / "status").touch()  # nothing is installed, so that all that they depend on is downloaded as well
    apt = ["apt-get", "-o", "APT::Architecture=arm64", "-o", "APT::Architectures::=arm64"]
    apt += ["-o", f"Dir::State::Lists={state / 'lists'}", "-o", f"Dir::State::status={state / 'status'}"]
    apt += ["-o", f"Dir::Cache={state / 'cache'}", "-o", "Debug::NoLocking=1"]
    _done(*apt, "update")
    _done(*apt, "install", "--yes", "--download-only", "--no-install-recommends", *FROM_DEBIAN)
    _unpack(downloads, folder)
    shutil.rmtree(state)


def _unpack(downloads: Path, folder: Path) -> None:
    for package in sorted(downloads.glob("*.deb")):
        _done("dpkg-deb", "--extract", str(package), str(folder))


def _unpack_wheels(folder: Path, wheels: Sequence[str]) -> None:
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
    _done(*pip, *platforms, "--target", str(folder), *wheels)


def _dependencies() -> list[str]:
    """What this package needs, torch aside, in the versions that are installed here: ``name==version``."""
    found: dict[str, str] = {}
    waiting = ["pytest-sslauth"]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # such as CUDA's, beside a build of torch for the CPU
            continue
        needed = [Requirement(line) for line in requires(name) or ()]
        waiting += [each.name.lower() for each in needed if not each.marker or each.marker.evaluate()]
    return [f"{name}=={found[name]}" for name in sorted(found.keys() - {"pytest-sslauth", "torch"})]


def _empty(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _done(*command: str, cwd: Path | None = None) -> None:
    try:
        subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise AbsentError(f"there is no {command[0]} here, which Debian has") from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip().splitlines() or ["it said nothing"]
        raise AbsentError(f"{Path(command[0]).name} failed: {said[-1]}") from error
