"""What counts as authenticated, and what to do about what does not."""

from pathlib import Path

import pytest

from hf_integration.checking.pins import Pins
from hf_integration.checking.pins.reading import parse_pins
from hf_integration.loading.advice import advice, is_authenticated
from hf_integration.loading.calls import Place, place_of
from hf_integration.loading.observing import Load

COMMIT, OTHER = "0" * 40, "1" * 40
URL = "https://host/v1"

LOADS = {
    "folder": Place(path="/models/tiny"),
    "repository": Place(repo="org/tiny", commit=COMMIT),
    "cache": Place(path="/cache/tiny", repo="org/tiny", commit=COMMIT),
    "part": Place(repo="org/tiny", commit=COMMIT, part="unet"),
    "no commit": Place(repo="org/tiny"),
    "server": Place(url=URL, model="org/tiny"),
    "memory": Place(model="9 bytes"),
}
KNOWN = {
    "the folder": (Place(path="/models/tiny"), {"folder"}),
    "a folder below": (Place(path="/models/tiny/0_Transformer"), set()),
    "the snapshot": (Place(path="/cache/tiny", repo="ORG/tiny", commit=COMMIT), {"repository", "cache"}),
    "another commit": (Place(path="/cache/other", repo="org/tiny", commit=OTHER), set()),
    "the server": (Place(url=f"{URL}/embeddings", model="org/tiny"), {"server"}),
    "its base": (Place(url="https://HOST", model="org/tiny"), {"server"}),
    "a server of one model": (Place(url=URL), {"server"}),
    "another model": (Place(url=URL, model="org/other"), set()),
    "another host": (Place(url="https://host.example/v1", model="org/tiny"), set()),
    "another path": (Place(url="https://host/tenant/v1", model="org/tiny"), set()),
    "another scheme": (Place(url="http://host/v1", model="org/tiny"), set()),
}


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize("load", LOADS)
def test_only_the_same_encoder_counts(load: str, known: str) -> None:
    place, same = KNOWN[known]
    assert is_authenticated(Load("x", "x", LOADS[load]), [place]) == (load in same)


def test_an_onnx_file_is_no_part_of_the_encoder_beside_it() -> None:
    place = Place(path="/models/tiny/model.onnx")
    assert not is_authenticated(Load("onnxruntime.InferenceSession", "x", place), [place])


@pytest.mark.parametrize(
    ("path", "repo"),
    [("models--org--my--name", "org/my--name"), ("models--gpt2", "gpt2"), ("models--o--n", "o/n")],
)
def test_a_folder_of_the_cache_says_which_repository_it_is(tmp_path: Path, path: str, repo: str) -> None:
    folder = tmp_path / path / "snapshots" / COMMIT / "onnx"
    folder.mkdir(parents=True)
    (tmp_path / "blob").touch()
    (folder / "model.onnx").symlink_to(tmp_path / "blob")  # as the cache does
    for place in (place_of(str(folder)), place_of(str(folder / "model.onnx"))):
        assert (place.repo, place.commit) == (repo, COMMIT)
    (tmp_path / "link").symlink_to(folder.parent)
    assert place_of(str(tmp_path / "link")).path == str(folder.parent)


def pins(text: str = "") -> Pins:
    return parse_pins(f"version = 1\n{text}", Path("/project/sslauth.toml"))


PINNED = f'[encoders.search]\nrepo = "org/tiny"\ncommit = "{COMMIT}"\n'


def test_an_entry_names_what_was_loaded() -> None:
    found = advice(Load("x", "org/tiny", LOADS["repository"]), pins())
    assert (found.name, found.entry) == ("tiny", {"repo": "org/tiny", "commit": COMMIT})
    found = advice(Load("x", "org/tiny", Place(repo="org/tiny", commit=OTHER)), pins(PINNED))
    assert found.entry is None
    assert f"which pins {COMMIT}" in found.note


@pytest.mark.parametrize(
    ("reference", "name"),
    [("org/Tiny", "Tiny-2"), ("org/.hidden", "hidden"), ("org/ä", "encoder"), ("org/" + "x" * 96, "x" * 80)],
)
def test_a_name_is_free_and_can_be_one(reference: str, name: str) -> None:
    known = pins('[encoders.tiny]\nrepo = "org/else"\n')
    assert advice(Load("x", "x", Place(repo=reference, commit=COMMIT)), known).name == name


def test_a_server_whose_encoder_has_an_entry_is_to_be_named_there() -> None:
    found = advice(Load("OpenAI", "org/tiny", LOADS["server"]), pins(PINNED))
    assert found.entry is None
    assert f"'search' in sslauth.toml has no endpoint: name {URL} there" in found.note
