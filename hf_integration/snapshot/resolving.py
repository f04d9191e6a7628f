"""Resolve a reference: a local folder wins, else a Hub repo at one commit."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from hf_integration.base.errors import EncoderError, IntegrityError, UsageError
from hf_integration.base.vocabulary import CONVERSION_FILE, MODEL_SIGNATURE
from hf_integration.snapshot import hub
from hf_integration.snapshot.listing import RepoFile, forget, list_files, repo_cache
from hf_integration.snapshot.selection import (
    MODULES,
    encoder_files,
    module_folders,
    not_covered_among,
    refuse_other_formats,
)

LARGEST = 256 << 20
"""Bytes of a file beside the weights; the largest tokenizer in use takes 33 MB."""

_CONFIGURATIONS = ("*config*.json", MODULES)
"""Small files that say which kind of encoder this is."""


@dataclass(frozen=True)
class Snapshot:
    """A folder that holds what a reference named.

    Attributes:
        path: the folder.
        repo: Hub repo id, or ``None`` for a local folder.
        commit: Hub commit, or ``None`` for a local folder.
        files: names of the files that were fetched and verified; empty for a local folder.
        not_covered: files of the repo that hold code or weights and were left where they are.
    """

    path: Path
    repo: str | None = None
    commit: str | None = None
    files: tuple[str, ...] = ()
    not_covered: tuple[str, ...] = ()


def resolve(
    reference: str,
    *,
    revision: str | None = None,
    token: str | None = None,
    cache_dir: str | Path | None = None,
    patterns: Sequence[str] | None = None,
    largest: int = LARGEST,
    refuse: Callable[[Path], object] = lambda _: None,
) -> Snapshot:
    """Find the folder of a reference, downloading what is needed of it if it is a Hub repo.

    Args:
        reference: a folder, or a Hub repo id (``org/name``).
        revision: branch, tag or commit of a repo.
        token: Hub token; by default the one that was saved by logging in.
        cache_dir: Hub cache.
        patterns: files of a repo that are fetched; by default those that an encoder is loaded from.
        largest: bytes of a file that holds no weights; a larger one is not fetched at all.
        refuse: raises for a repo whose configuration is of no use, before its weights are looked for.

    Raises:
        EncoderError: no such folder, repo or revision, or a malformed repo id.
        UsageError: a revision of a local folder.
        InconclusiveError: the Hub could not be asked: no network, no access.
        IntegrityError: other bytes than the commit's, or a file that is too large.
    """
    if not reference.strip():
        raise EncoderError("no encoder is named", remedy="give a folder or a Hub repo id")
    try:
        path = Path(reference).expanduser()
    except RuntimeError as error:  # '~' of an unknown user
        raise EncoderError(f"{reference!r} is no path: {error}", remedy="check the user's name") from error
    if path.is_dir():
        if revision is not None:
            raise UsageError(
                f"{reference} is a local folder, which has no revision {revision!r}",
                remedy="leave the revision out, or give a Hub repo id",
            )
        return Snapshot(path)
    if path.exists():
        raise EncoderError(f"{reference} is a file", remedy="give the folder that holds it")
    if _looks_like_a_path(reference):
        raise EncoderError(f"{reference}: no such folder", remedy="check the path")
    found = hub.resolve_revision(reference, revision=revision, token=token, cache_dir=cache_dir)
    commit = found.commit
    listed = list_files(reference, commit, ask=found.answered, token=token, cache_dir=cache_dir)

    def fetched(names: Collection[str]) -> Path:
        wanted = [file for file in listed if file.name in names]
        for file in wanted:
            if file.size > largest and (patterns is not None or not file.name.endswith(".safetensors")):
                raise IntegrityError(
                    f"{reference} at {commit}: {file.name[:80]} has {file.size} bytes, more than {largest}",
                    remedy="no genuine one is so large; ask its publisher",
                )
        return hub.fetch(reference, commit, wanted, token=token, cache_dir=cache_dir)

    if patterns is not None:
        names = tuple(f.name for f in listed if any(fnmatchcase(f.name, pattern) for pattern in patterns))
        return Snapshot(fetched(names), repo=reference, commit=commit, files=names)
    every = tuple(file.name for file in listed)
    modules = (fetched({MODULES}) / MODULES).read_bytes() if MODULES in every else None

    def content(name: str) -> bytes | None:
        return (fetched({name}) / name).read_bytes() if name in every else None

    names = encoder_files(every, module_folders(modules, content))
    asked = {n for n in names if any(fnmatchcase(PurePosixPath(n).name, kind) for kind in _CONFIGURATIONS)}
    if any(PurePosixPath(name).name == "config.json" for name in asked):
        refuse(fetched(asked))
    try:
        _check_weights(names, listed, f"{reference} at {commit}")
    except EncoderError:
        forget(repo_cache(reference, cache_dir), commit)  # a listing that hides them must not stay
        raise
    # beside the encoder, and no part of it: where all else is here, nobody is asked for it
    held = repo_cache(reference, cache_dir) / "snapshots" / commit
    asking = found.answered or not all((held / name).exists() for name in names)
    beside = {MODEL_SIGNATURE, CONVERSION_FILE}.intersection(every) if asking else frozenset()
    return Snapshot(
        fetched({*names, *beside}),
        repo=reference,
        commit=commit,
        files=names,
        not_covered=not_covered_among(every, names),
    )


def _check_weights(chosen: Sequence[str], listed: Sequence[RepoFile], where: str) -> None:
    """Say at once that there is nothing to load, instead of fetching the rest of it."""
    if any(name.endswith(".safetensors") for name in chosen):
        return
    names = {PurePosixPath(file.name).name for file in listed}
    if "adapter_config.json" in names and "config.json" not in names:
        raise EncoderError(
            f"{where}: an adapter (adapter_config.json), not an encoder",
            remedy="merge the adapter into its base model and publish the result",
        )
    refuse_other_formats(
        (file.name for file in listed), where, "ask its publisher, or convert it in a place you trust"
    )
    raise EncoderError(f"{where}: no weights (model.safetensors)", remedy="give the repo of an encoder")


def _looks_like_a_path(reference: str) -> bool:
    return reference.startswith((".", "/", "~", "\\")) or Path(reference).is_absolute() or "\\" in reference
