"""Key samples drawn from a pool: the same ones for the same seed."""

from pathlib import Path

from hf_integration.base.errors import KeySampleError
from hf_integration.base.vocabulary import MODALITIES, Modality
from hf_integration.key_samples.deterministic_random import DeterministicRandom
from hf_integration.key_samples.pools.local_files import (
    SUFFIXES,
    LocalFilePool,
    files_under,
    modality_of_file,
)
from hf_integration.key_samples.pools.pool import Pool, named
from hf_integration.key_samples.samples import KeySamples, Sample


def samples_from_pool(source: str, modality: Modality, count: int, *, seed: int) -> KeySamples:
    """Key samples from a folder, a file or a data set.

    Which samples are drawn depends on the seed and on the pool's content, not on the order in which
    the file system lists its files. Blank texts and exact duplicates are left out.

    Args:
        source: a local folder or file (images, texts, recordings, parquet, arrow, or a data set saved
            by ``save_to_disk``), else a data set on the Hub: ``org/name``, ``:config`` and ``@split``
            optional.
        modality: kind of raw sample that the encoder takes.
        count: number of samples.
        seed: any integer.

    Raises:
        KeySampleError: no such pool, another modality, too few samples, or an unreadable one.
        InconclusiveError: the Hub is needed and cannot be reached.
    """
    if count < 1:
        raise KeySampleError(f"{count} key samples were asked for", remedy="use at least --keys 1")
    pool = open_pool(source, modality)
    return KeySamples(_draw(pool, count, seed, source), origin=f"pool {pool.name}, seed {seed}")


def open_pool(source: str, modality: Modality) -> Pool:
    """The pool that a source names: an existing path first, else a data set on the Hub.

    Raises:
        KeySampleError: no such pool, or nothing of that modality in it.
        InconclusiveError: the Hub is needed and cannot be reached.
    """
    if modality not in MODALITIES:
        raise KeySampleError(f"unknown modality {named(modality)}", remedy=f"one of {', '.join(MODALITIES)}")
    try:
        path = Path(source).expanduser()
        exists = bool(source) and path.exists()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL character, a loop of links, no home
        exists = False
    from hf_integration.key_samples.pools.dataset_sources import (
        hub_dataset,
        is_hub_dataset,
        is_local_dataset,
        local_dataset,
    )

    if exists:
        if not (path.is_dir() or path.is_file()):
            raise KeySampleError(f"the pool {named(source)} is neither a folder nor a regular file")
        # A folder of pictures may have a table of labels beside them: the pictures are meant.
        media = modality != "text" and any(modality_of_file(file) == modality for file in files_under(path))
        if is_local_dataset(path) and not media:
            return local_dataset(path, modality)
        return LocalFilePool(path, modality)
    known_endings = frozenset().union(*SUFFIXES.values())
    if is_hub_dataset(source) and Path(source).suffix.lower() not in known_endings:
        return hub_dataset(source, modality)
    raise KeySampleError(
        f"the pool {named(source)} does not exist", remedy="give a folder, a file, or a data set id org/name"
    )


def _draw(pool: Pool, count: int, seed: int, source: str) -> list[Sample]:
    random = DeterministicRandom(seed, "pool")
    # A set of one sample has the digest of its content: equal ones are duplicates.
    seen: set[str] = set()
    drawn: list[Sample] = []
    for position in random.permutation(len(pool)):
        sample = pool.read(position)
        if isinstance(sample, str) and not sample:
            continue
        digest = KeySamples([sample], origin="").digest()
        if digest not in seen:
            seen.add(digest)
            drawn.append(sample)
        if len(drawn) == count:
            return drawn
    if not drawn:
        raise KeySampleError(f"the pool {named(source)} is empty")
    raise KeySampleError(
        f"the pool {named(source)} holds {len(drawn)} different samples, {count} were asked for",
        remedy=f"use --keys {len(drawn)} or a larger pool",
    )
