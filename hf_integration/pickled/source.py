"""Which files of an encoder are pickled weights, what they become, and what is left where it is."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hf_integration.base.errors import EncoderError, FlawError, IntegrityError
from hf_integration.base.files import open_bounded, read_exactly
from hf_integration.base.strict_json import parse
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import MODEL_SIGNATURE
from hf_integration.snapshot import MODULES, Snapshot, encoder_files, hub, local_names, module_folders
from hf_integration.snapshot.copying import check_source
from hf_integration.snapshot.listing import list_files
from hf_integration.snapshot.resolving import LARGEST
from hf_integration.snapshot.selection import PICKLED_INDEX, WEIGHTS, not_covered_among

WHOLE = "pytorch_model.bin"
ADAPTER = "adapter_config.json"

_SHARD = re.compile(r"[\w-][\w.-]{0,200}\.bin", re.ASCII)
_MOST_INDEX, _MOST_SHARDS, _MOST_VALUES = 64 << 20, 1000, 4_000_000

Fetch = Callable[[Collection[str]], Path]
"""Brings files of these names, and gives the folder that holds them."""


@dataclass(frozen=True)
class Pickled:
    """An encoder with pickled weights.

    Attributes:
        snapshot: where it is; its ``files`` are copied as they are, its ``not_covered`` are left out: code,
            other pickles, weights for other libraries.
        files: pickle -> what it becomes, by their names in the folder.
    """

    snapshot: Snapshot
    files: Mapping[str, str]


def find_pickled(
    where: Path | str,
    *,
    revision: str | None = None,
    token: str | None = None,
    cache_dir: str | Path | None = None,
) -> Pickled:
    """Find pickled weights in a folder, or fetch them from a repository, at one commit.

    Args:
        where: a local folder, or a Hub repo id.
        revision: branch, tag or commit of a repo.
        token: Hub token.
        cache_dir: Hub cache.

    Raises:
        EncoderError: there are none, or an index that leads elsewhere.
        InconclusiveError: the Hub could not be asked.
        IntegrityError: other bytes than the commit's, or a file that is too large.
    """
    if isinstance(where, Path):
        return _sorted_out(Snapshot(where), local_names(where), lambda _: where)
    repo = where
    found = hub.resolve_revision(repo, revision=revision, token=token, cache_dir=cache_dir)
    listed = {
        file.name: file
        for file in list_files(repo, found.commit, ask=found.answered, token=token, cache_dir=cache_dir)
    }

    def fetch(names: Collection[str]) -> Path:
        for name in names:
            if listed[name].size > LARGEST and not name.endswith((".bin", ".safetensors")):
                size = f"{name[:80]} has {listed[name].size} bytes, more than {LARGEST}"
                raise IntegrityError(
                    f"{repo} at {found.commit}: {size}",
                    remedy="no genuine one is so large; ask its publisher",
                )
        wanted = [listed[name] for name in names]
        return hub.fetch(repo, found.commit, wanted, token=token, cache_dir=cache_dir)

    pickled = _sorted_out(Snapshot(Path(), repo, found.commit), list(listed), fetch)
    path = fetch({*pickled.snapshot.files, *pickled.files})
    chosen = pickled.snapshot
    return Pickled(Snapshot(path, repo, found.commit, chosen.files, chosen.not_covered), pickled.files)


def _sorted_out(snapshot: Snapshot, names: Sequence[str], fetch: Fetch) -> Pickled:
    where = str(snapshot.path) if snapshot.repo is None else f"{snapshot.repo} at {snapshot.commit}"
    known = set(names)
    if ADAPTER in known:
        raise EncoderError(
            f"{where}: an adapter ({ADAPTER}), not an encoder",
            remedy="merge the adapter into its base model and save the result",
        )

    def content(name: str) -> bytes | None:
        return _small(fetch({name}), name) if name in known else None

    folders = module_folders(content(MODULES), content)
    kept = encoder_files(names, folders)
    files: dict[str, str] = {}
    for folder in sorted(folders):
        start = f"{folder}/" if folder else ""
        if any(name.endswith(".safetensors") and name.rpartition("/")[0] == folder for name in kept):
            continue
        if start + WHOLE in known:
            files[start + WHOLE] = start + WEIGHTS
        elif start + PICKLED_INDEX in known:
            shards = _shards(fetch({start + PICKLED_INDEX}), start, known)
            files |= {start + old: start + new for old, new in shards.items()}
    if not files:
        there = any(name.endswith(".safetensors") for name in kept)
        raise EncoderError(
            f"{where}: no {WHOLE}" + (", and its weights are safetensors already" if there else ""),
            remedy="use it as it is"
            if there
            else "give the folder or repo of an encoder whose weights are pickled",
        )
    converted = {name.rpartition("/")[0] for name in files}
    # an index beside pickles is of shards that are not there
    stale = {
        name
        for name in kept
        if name.endswith(".safetensors.index.json") and name.rpartition("/")[0] in converted
    }
    copied = tuple(name for name in kept if name not in stale and not _of_other_weights(name))
    left = (*not_covered_among(names, {*copied, *files}), *sorted({MODEL_SIGNATURE} & known | stale))
    return Pickled(Snapshot(snapshot.path, snapshot.repo, snapshot.commit, copied, left), files)


def _of_other_weights(name: str) -> bool:
    """Whether a file is an index of shards that are not copied."""
    file = PurePosixPath(name).name
    return file.endswith(".index.json") and not file.endswith(".safetensors.index.json")


def _small(folder: Path, name: str) -> bytes:
    check_source(Snapshot(folder), name)
    try:
        with open_bounded(folder / name, _MOST_INDEX) as (stream, size):
            return bytes(read_exactly(stream, size))
    except FlawError as flaw:
        raise EncoderError(f"{quoted(name)}: {flaw.reason}", remedy="get it again") from None


def _shards(folder: Path, start: str, known: Collection[str]) -> dict[str, str]:
    """The shards of an index, and what they become.

    Raises:
        EncoderError: it is no index, or names a file that is not there or lies elsewhere.
    """
    name = start + PICKLED_INDEX
    remedy = "get the encoder again from its publisher"
    try:
        index = parse(_small(folder, name), most_values=_MOST_VALUES)
    except FlawError as flaw:
        raise EncoderError(f"{quoted(name)}: {flaw.reason}", remedy=remedy) from None
    mapped = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(mapped, dict) or not mapped:
        raise EncoderError(f"{quoted(name)}: no weight_map", remedy=remedy)
    shards = set()
    for shard in mapped.values():
        if not isinstance(shard, str) or not _SHARD.fullmatch(shard):
            raise EncoderError(f"{quoted(name)}: {quoted(repr(shard))} is no shard beside it", remedy=remedy)
        if start + shard not in known:
            raise EncoderError(f"{quoted(name)}: the shard {quoted(shard)} is missing", remedy=remedy)
        shards.add(shard)
    if len(shards) > _MOST_SHARDS:
        raise EncoderError(f"{quoted(name)}: {len(shards)} shards, more than any encoder has", remedy=remedy)
    if len(shards) == 1:
        return {shards.pop(): WEIGHTS}
    many = len(shards)
    return {
        shard: f"model-{number:05}-of-{many:05}.safetensors"
        for number, shard in enumerate(sorted(shards), start=1)
    }
