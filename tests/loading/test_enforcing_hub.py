"""``enforce`` for repositories on the Hub: the commit, and the bytes in the cache."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from hf_integration import enforce
from hf_integration.errors import LoadRefusedError
from tests.loading.conftest import Repository
from tests.loading.test_enforcing import alter, pin
from tests.loading.test_observing import LOADERS, auto, by_class


@pytest.fixture
def pinned(repo: Repository, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A project that pins the repository's commit, with the card of its own."""
    project = tmp_path / "project"
    shutil.copytree(shelf / "cards", project / "cards")
    monkeypatch.chdir(project)
    pin(repo=repo.name, commit=repo.commit)
    return repo


def moved(repo: Repository, tmp_path: Path) -> str:
    """A further commit with other weights; gives it."""
    folder = tmp_path / "altered"
    folder.mkdir()
    for name, data in repo.files.items():
        (folder / name).write_bytes(data)
    alter(str(folder))
    return repo.hub.commit(repo.name, {file.name: file.read_bytes() for file in folder.iterdir()})


@pytest.mark.parametrize("api", LOADERS)
@pytest.mark.parametrize("asked", ["nothing", "commit"])
def test_the_pinned_commit_is_loaded(pinned: Repository, api: str, asked: str) -> None:
    more = {} if asked == "nothing" else {"revision": pinned.commit}
    with enforce(unpinned="refuse"):
        LOADERS[api](pinned.name, **more)


@pytest.mark.parametrize("api", [*LOADERS, "by_class"])
@pytest.mark.parametrize("asked", ["nothing", "main", "commit"])
def test_another_commit_is_refused(pinned: Repository, tmp_path: Path, api: str, asked: str) -> None:
    commit = moved(pinned, tmp_path)
    more = {"nothing": {}, "main": {"revision": "main"}, "commit": {"revision": commit}}[asked]
    load = by_class if api == "by_class" else LOADERS[api]
    with enforce(), pytest.raises(LoadRefusedError, match=f"is commit {commit}, but .* pins {pinned.commit}"):
        load(pinned.name, **more)
    with enforce():
        load(pinned.name, revision=pinned.commit)


def test_the_case_of_a_name_does_not_get_around_it(pinned: Repository) -> None:
    other = pinned.hub.create("Org/Tiny", {**pinned.files, "README.md": b"another"})
    with enforce(), pytest.raises(LoadRefusedError, match=other):
        auto("Org/Tiny")


def snapshot(repo: Repository) -> Path:
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(repo.name, revision=repo.commit))


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_cached_file_that_was_edited_is_refused(pinned: Repository, file: str) -> None:
    folder = snapshot(pinned)
    cached = (folder / file).resolve()
    data = bytearray(cached.read_bytes())
    data[-9] ^= 1
    cached.chmod(0o644)
    cached.write_bytes(data)
    with enforce(), pytest.raises(LoadRefusedError, match="not the commit's"):
        auto(pinned.name)


def test_a_folder_of_the_cache_is_the_repository(pinned: Repository, tmp_path: Path) -> None:
    folder = snapshot(pinned)
    commit = moved(pinned, tmp_path)
    from huggingface_hub import snapshot_download

    other = snapshot_download(pinned.name, revision=commit)
    with enforce(unpinned="refuse"):
        auto(str(folder))
        with pytest.raises(LoadRefusedError, match="pins"):
            auto(other)


def test_an_unpinned_repository(pinned: Repository) -> None:
    pinned.hub.create("org/other", pinned.files)
    with enforce(unpinned="allow"):
        auto("org/other")
    with enforce(unpinned="refuse"), pytest.raises(LoadRefusedError, match="no entry"):
        auto("org/other")


def test_a_cache_of_its_own_is_verified(pinned: Repository, tmp_path: Path) -> None:
    with enforce(unpinned="refuse"):
        auto(pinned.name, cache_dir=str(tmp_path / "cache"))
    assert list((tmp_path / "cache").glob("models--org--tiny"))


def test_without_a_network_the_cache_is_verified(pinned: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    with enforce():
        auto(pinned.name, revision=pinned.commit)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        asked = len(pinned.hub.requests)
        model: Any = auto(pinned.name, revision=pinned.commit, local_files_only=True)
        assert model.config.model_type == "bert"
        assert len(pinned.hub.requests) == asked


def test_a_part_of_a_load_that_asks_for_another_commit_is_refused(pinned: Repository, tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    other = moved(pinned, tmp_path)
    with enforce(), pytest.raises(LoadRefusedError, match=other):
        library.SentenceTransformer(
            pinned.name, revision=pinned.commit, model_kwargs={"revision": other}, device="cpu"
        )


def test_a_card_in_the_repository_itself_is_enforced(pinned: Repository, shelf: Path, tmp_path: Path) -> None:
    card = {f"sslauth/{file.name}": file.read_bytes() for file in (shelf / "cards" / "tiny").iterdir()}
    commit = pinned.hub.commit(pinned.name, card)
    pin(repo=pinned.name, commit=commit, card="")
    with enforce(unpinned="refuse"):
        auto(pinned.name, revision=commit)
    shutil.rmtree("cards")
    with enforce(unpinned="refuse"):
        auto(pinned.name, revision=commit)
        with pytest.raises(LoadRefusedError, match="pins"):
            auto(pinned.name, revision=moved(pinned, tmp_path))
