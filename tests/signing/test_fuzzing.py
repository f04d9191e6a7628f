"""Sign, mutate any region of any of the files, check: never accepted, and always refused in one line."""

import json
import random
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hf_integration.base.errors import IntegrityError
from hf_integration.signing import verify
from tests.card.test_fuzzing import mutate_bytes, mutate_record
from tests.signing.keys import KeyPair

FILES = ["card.json", "card.safetensors", "watermark.png", "card.sig"]


def meaning(data: bytes) -> Any:
    """The JSON of a signature; blanks between its values say nothing."""
    with suppress(ValueError, RecursionError):
        return json.loads(data)
    return data


def check_refused(folder: Path, keys: KeyPair, what: str) -> None:
    found: str | IntegrityError
    started = time.perf_counter()
    try:
        found = verify(folder, keys.public)
    except IntegrityError as error:
        found = error
    assert isinstance(found, IntegrityError), what
    assert str(found).isprintable(), what
    assert time.perf_counter() - started < 5, what


@pytest.mark.parametrize("name", FILES)
def test_any_mutation_of_bytes_is_refused(pristine: Path, tmp_path: Path, keys: KeyPair, name: str) -> None:
    folder = Path(shutil.copytree(pristine, tmp_path / "mutated"))
    data = (folder / name).read_bytes()
    for seed in range(100):
        mutated = mutate_bytes(data, random.Random(f"{name} {seed}"))  # noqa: S311  # not for secrets
        if mutated == data or (name == "card.sig" and meaning(mutated) == meaning(data)):
            continue
        (folder / name).write_bytes(mutated)
        check_refused(folder, keys, f"{name}, seed {seed}")


def test_any_mutation_of_the_bundle_is_refused(pristine: Path, tmp_path: Path, keys: KeyPair) -> None:
    folder = Path(shutil.copytree(pristine, tmp_path / "mutated"))
    text = (folder / "card.sig").read_text()
    for seed in range(200):
        bundle = json.loads(text)
        mutate_record(bundle, random.Random(seed))  # noqa: S311  # not for secrets
        if bundle == json.loads(text):
            continue
        (folder / "card.sig").write_text(json.dumps(bundle))
        check_refused(folder, keys, f"seed {seed}: {bundle}")


def test_files_that_change_places_are_refused(pristine: Path, tmp_path: Path, keys: KeyPair) -> None:
    for first in FILES:
        for second in FILES:
            if first < second:
                folder = Path(shutil.copytree(pristine, tmp_path / f"{first}-{second}"))
                (folder / first).rename(folder / "aside")
                (folder / second).rename(folder / first)
                (folder / "aside").rename(folder / second)
                check_refused(folder, keys, f"{first} and {second}")
