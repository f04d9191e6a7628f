"""Which entries are checked by one process, how much memory that takes, and how many processes there are."""

import os
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from hf_integration.base.vocabulary import REPO_FOLDER
from hf_integration.snapshot import local_names

if TYPE_CHECKING:
    from hf_integration.checking.pins import Pin

PROCESS = 700 << 20
"""Bytes of memory of a process with a tiny encoder, of which 421 MiB were measured, and some room."""

TIMES = 3
"""Memory of a strict check, in bytes of the weights as they are stored: themselves, once more where a layer
is cast to float64, and what is computed."""

SHARE = 0.8
"""Of the memory that is free; what else runs here needs some as well."""

UNKNOWN = 1 << 30
"""Bytes of an encoder that is not in the cache yet."""


@dataclass(frozen=True)
class Group:
    """Entries of one encoder, which is loaded once for all of them.

    Attributes:
        names: in ``sslauth.toml``.
        bytes: of its weights.
    """

    names: tuple[str, ...]
    bytes: int

    @property
    def memory(self) -> int:
        """Bytes that a process takes that checks it."""
        return PROCESS + TIMES * self.bytes


def groups_of(pins: "Iterable[Pin]") -> list[Group]:
    """Entries by the encoder that they name, the largest first: no process is to end long after the others.

    Args:
        pins: the entries.
    """
    found: dict[tuple[str, str], list[Pin]] = {}
    for pin in pins:
        folder = pin.folder
        if folder is not None:
            key = ("folder", os.path.realpath(folder))
        else:
            key = ("repo", f"{(pin.repo or '').casefold()}@{pin.commit or pin.tracked}")
        found.setdefault(key, []).append(pin)
    groups = [Group(tuple(pin.name for pin in pins), _bytes(pins[0])) for pins in found.values()]
    return sorted(groups, key=lambda group: (-group.bytes, group.names))


def _bytes(pin: "Pin") -> int:
    """Size of the weights of an entry, as far as it is known without asking anybody."""
    folder = pin.folder
    if folder is None and pin.repo is not None:
        from hf_integration.snapshot.listing import repo_cache

        if pin.commit is None:
            return UNKNOWN
        folder = repo_cache(pin.repo, None) / "snapshots" / pin.commit
    if folder is None:
        return 0
    weights = [name for name in local_names(folder) if name.endswith(".safetensors")]
    size = 0
    for name in weights:
        with suppress(OSError):  # what cannot be read is said by the check
            size += (folder / name).stat().st_size if not name.startswith(f"{REPO_FOLDER}/") else 0
    return size or (UNKNOWN if pin.repo is not None else 0)


def processes_for(groups: Sequence[Group], *, asked: int | None, cores: int, free: int) -> int:
    """How many processes check the groups.

    Args:
        groups: of entries; at least one.
        asked: the number that the caller wants, which is the most in any case.
        cores: that this process may use.
        free: bytes of memory.

    Returns:
        By default one for each core, as far as encoders have room beside each other, the smallest at least: a
        large one waits until there is room for it.
    """
    most = min(asked or cores, len(groups))
    if asked is not None:
        return most
    together = accumulate(group.memory for group in sorted(groups, key=lambda group: group.memory))
    return max(1, min(most, sum(memory <= free for memory in together)))


def cores_here() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def free_memory(cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """Bytes of memory that may be used: :data:`SHARE` of what is free here, and in a container or batch job.

    Args:
        cgroups: where control groups are, which limit containers and the jobs of batch systems.
        own: says in which one this process is.
    """
    import psutil

    found = [psutil.virtual_memory().available]
    for folder, (limit, used) in _groups_of_this_process(cgroups, own):
        with suppress(OSError, ValueError):  # "max": there is no limit
            found.append(int((folder / limit).read_text("ascii")) - int((folder / used).read_text("ascii")))
    return int(SHARE * max(min(found), 0))


_SECOND = ("memory.max", "memory.current")
_FIRST = ("memory.limit_in_bytes", "memory.usage_in_bytes")
"""Where a control group says how much memory it may use and how much it uses, in both versions."""


def _groups_of_this_process(cgroups: Path, own: Path) -> Iterator[tuple[Path, tuple[str, str]]]:
    """The control groups that limit this process: its own and all above it."""
    places = {cgroups: _SECOND, cgroups / "memory": _FIRST}
    with suppress(OSError):
        for line in own.read_text("utf-8", errors="replace").splitlines():
            _, kinds, path = [*line.split(":", 2), "", ""][:3]
            root, names = (cgroups / "memory", _FIRST) if kinds else (cgroups, _SECOND)
            if not kinds or "memory" in kinds.split(","):
                within = PurePosixPath(path.lstrip("/"))
                places |= {root / part: names for part in (within, *within.parents)}
    yield from places.items()


def shard_of(pins: "Sequence[Pin]", number: int, many: int) -> "list[Pin]":
    """One part of the entries, for one of several machines.

    The parts depend on what the file says and on nothing else, so that each machine takes what the others
    leave. Entries that name one encoder are in one part.

    Args:
        pins: all entries, in the order of the file.
        number: of the part, from 1.
        many: how many parts there are.
    """
    places: dict[tuple[str | None, ...], int] = {}
    chosen = []
    for pin in pins:
        path = None if pin.path is None else posixpath.normpath(pin.path)
        repo = None if pin.repo is None else pin.repo.casefold()
        place = places.setdefault((path, repo, pin.commit or pin.tracked), len(places))
        if place % many == number - 1:
            chosen.append(pin)
    return chosen
