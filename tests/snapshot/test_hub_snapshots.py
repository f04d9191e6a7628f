"""Repositories become verified folders, over HTTP with the real client."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants, hf_hub_download

from hf_integration.base.errors import EncoderError, InconclusiveError, IntegrityError
from hf_integration.encoders import load_encoder
from hf_integration.snapshot import resolve
from hf_integration.snapshot.hub_errors import HubUnreachableError, UnknownRevisionError
from tests.hub_server import Fault, HubServer, faults

FILES = {
    "README.md": b"# tiny",
    "config.json": b'{"model_type": "bert"}',
    "model.safetensors": bytes(range(256)) * 40,
    "modules.json": b'[{"path": ""}, {"path": "1_Pooling"}]',
    "1_Pooling/config.json": b"{}",
    "onnx/model.onnx": b"onnx",
    "pytorch_model.bin": b"pickle",
    "modeling_tiny.py": b"print('code')",
}
FETCHED = {"1_Pooling/config.json", "config.json", "model.safetensors", "modules.json"}


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_only_what_is_needed_is_fetched_and_the_rest_is_named(hub_here: HubServer) -> None:
    commit = hub_here.create("org/tiny", FILES)
    snapshot = resolve("org/tiny")
    assert (snapshot.repo, snapshot.commit) == ("org/tiny", commit)
    assert files_below(snapshot.path) == FETCHED == set(snapshot.files)
    assert snapshot.not_covered == ("modeling_tiny.py", "onnx/model.onnx", "pytorch_model.bin")
    assert all((snapshot.path / name).read_bytes() == FILES[name] for name in FETCHED)
    asked = " ".join(request.path for request in hub_here.requests)
    assert "modeling_tiny.py" not in asked
    assert "pytorch_model.bin" not in asked


def test_every_route_of_a_router_is_fetched(hub_here: HubServer) -> None:
    types = {"query_0_Static": "x", "document_0_T": "x"}
    files = {
        "modules.json": b'[{"path": "", "type": "sentence_transformers.base.modules.router.Router"}]',
        "router_config.json": json.dumps({"types": types}).encode(),
        **{f"{name}/model.safetensors": FILES["model.safetensors"] for name in types},
        "document_0_T/config.json": FILES["config.json"],
        "other/model.safetensors": b"of another encoder",
    }
    hub_here.create("org/routed", {**files, "query_0_Static/pytorch_model.bin": b"pickle"})
    snapshot = resolve("org/routed")
    assert files_below(snapshot.path) == files.keys() - {"other/model.safetensors"}
    assert snapshot.not_covered == ("other/model.safetensors", "query_0_Static/pytorch_model.bin")


def test_a_branch_becomes_a_commit_before_anything_is_fetched(hub_here: HubServer) -> None:
    first = hub_here.create("org/tiny", FILES)
    hub_here.tag("org/tiny", "v1")
    second = hub_here.commit("org/tiny", {"config.json": b'{"model_type": "vit"}'})
    assert resolve("org/tiny", revision="v1").commit == first
    assert resolve("org/tiny", revision="main").commit == second
    fetched = [request.path for request in hub_here.requests if "/resolve/" in request.path]
    assert fetched
    assert all(first in path or second in path for path in fetched)


def test_an_unchanged_repository_is_not_fetched_twice(hub_here: HubServer) -> None:
    hub_here.create("org/tiny", FILES)
    resolve("org/tiny")
    hub_here.requests.clear()
    resolve("org/tiny")
    assert not [request for request in hub_here.requests if "/resolve/" in request.path]


@pytest.mark.parametrize(
    ("path", "server"), [("", "cdn"), ("config.json", "hub")], ids=["large file", "small file"]
)
def test_tampered_bytes_of_the_right_size_are_found_and_named(
    hub_here: HubServer, path: str, server: str
) -> None:
    commit = hub_here.create("org/tiny", FILES)
    hub_here.faults.append(Fault(faults.tampered(), path=path, method="GET", server=server))
    with pytest.raises(IntegrityError, match="is not the commit's") as caught:
        resolve("org/tiny")
    hub_here.faults.clear()
    assert resolve("org/tiny").commit == commit  # nothing of it stayed where it is taken for the commit's
    assert commit in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cached_file_that_was_edited_in_place_is_found(hub_here: HubServer) -> None:
    hub_here.create("org/tiny", FILES)
    weights = (resolve("org/tiny").path / "model.safetensors").resolve()
    before = weights.stat()
    content = bytearray(weights.read_bytes())
    content[100] ^= 1
    weights.write_bytes(content)
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(IntegrityError, match=r"model\.safetensors is not the commit's"):
        resolve("org/tiny")
    assert weights.with_name(f"{weights.name}.refused").read_bytes() == content  # put aside, not lost
    assert (resolve("org/tiny").path / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def test_a_full_cache_answers_without_a_network(hub_here: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = hub_here.create("org/tiny", FILES)
    online = resolve("org/tiny")
    offline(monkeypatch)
    hub_here.requests.clear()
    assert resolve("org/tiny") == online
    assert resolve("org/tiny", revision=commit) == online
    assert hub_here.requests == []


def test_bytes_are_verified_offline_too(hub_here: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub_here.create("org/tiny", FILES)
    config = (resolve("org/tiny").path / "config.json").resolve()
    offline(monkeypatch)
    config.write_bytes(config.read_bytes().replace(b"bert", b"b3rt"))
    with pytest.raises(IntegrityError, match=r"config\.json is not the commit's"):
        resolve("org/tiny")


def test_a_cache_that_another_program_filled_file_by_file_is_enough(
    hub_here: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_here.create("org/tiny", FILES)
    for name in FETCHED:
        hf_hub_download("org/tiny", name)
    offline(monkeypatch)
    snapshot = resolve("org/tiny")
    assert set(snapshot.files) == FETCHED
    weights = (snapshot.path / "model.safetensors").resolve()
    weights.write_bytes(b"\1" + weights.read_bytes()[1:])
    with pytest.raises(IntegrityError):
        resolve("org/tiny")


def test_an_empty_cache_is_no_pass(hub_here: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub_here.create("org/tiny", FILES)
    offline(monkeypatch)
    with pytest.raises(InconclusiveError, match="out of reach"):
        resolve("org/tiny")


def test_a_cache_that_holds_a_part_is_none(hub_here: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub_here.create("org/tiny", FILES)
    folder = resolve("org/tiny").path
    (folder / "config.json").unlink()
    offline(monkeypatch)
    with pytest.raises(InconclusiveError):
        resolve("org/tiny")


def test_a_hub_that_is_down_is_no_hub(
    hub_here: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)  # between its attempts
    monkeypatch.setattr("hf_integration.snapshot.hub.PAUSES", (0, 0))
    hub_here.create("org/tiny", FILES)
    online = resolve("org/tiny")
    hub_here.faults.append(Fault(faults.status(500)))
    assert resolve("org/tiny") == online
    shutil.rmtree(tmp_path / "hf-home")
    with pytest.raises(HubUnreachableError, match="status 500"):
        resolve("org/tiny")


def lies(change: Callable[[dict[str, Any]], Any]) -> Fault:
    def edit(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for entry in entries:
            if entry["type"] == "file":
                change(entry)
        return entries

    return Fault(faults.edited(edit), path="/tree/")


@pytest.mark.parametrize("name", ["../../outside", "/etc/outside", "a\\b", "a/../../b"])
def test_names_that_lead_elsewhere_are_refused(hub_here: HubServer, name: str, tmp_path: Path) -> None:
    hub_here.create("org/tiny", FILES)
    hub_here.faults.append(lies(lambda e: e.update(path=name) if e["path"] == "config.json" else None))
    with pytest.raises(IntegrityError, match="the listing holds a file name that"):
        resolve("org/tiny")
    assert not list(tmp_path.rglob("*outside*"))


@pytest.mark.parametrize("digest", ["", "00", "g" * 40, 7, None])
def test_digests_that_are_none_are_refused(hub_here: HubServer, digest: object) -> None:
    hub_here.create("org/tiny", FILES)
    hub_here.faults.append(lies(lambda e: e.update(oid=digest) if e["path"] == "config.json" else None))
    with pytest.raises((IntegrityError, InconclusiveError)):
        resolve("org/tiny")


def test_a_listing_with_another_digest_is_not_believed_against_the_bytes(hub_here: HubServer) -> None:
    hub_here.create("org/tiny", FILES)
    hub_here.faults.append(lies(lambda e: e["lfs"].update(oid="0" * 64) if "lfs" in e else None))
    with pytest.raises(IntegrityError, match="SHA-256"):
        resolve("org/tiny")


def test_repositories_without_safetensors_are_refused_before_anything_large_is_fetched(
    hub_here: HubServer,
) -> None:
    hub_here.create("org/pickle", {"config.json": b"{}", "pytorch_model.bin": b"pickle"})
    hub_here.create("org/adapter", {"adapter_config.json": b"{}", "adapter_model.safetensors": b"x"})
    hub_here.create("org/empty", {"README.md": b"# nothing"})
    with pytest.raises(EncoderError, match=r"only pickle weights \(pytorch_model\.bin\)"):
        resolve("org/pickle")
    with pytest.raises(EncoderError, match="an adapter"):
        resolve("org/adapter")
    with pytest.raises(EncoderError, match="no weights"):
        resolve("org/empty")


def test_the_pickle_that_holds_the_weights_is_named_and_not_one_beside_it(hub_here: HubServer) -> None:
    names = ("colbert_linear.pt", "a.bin", "onnx/model.bin", "optimizer.pt", "pytorch_model.bin")
    hub_here.create("org/several", {"config.json": b"{}", **dict.fromkeys(names, b"pickle")})
    with pytest.raises(EncoderError, match=r"only pickle weights \(pytorch_model\.bin\)"):
        resolve("org/several")


@pytest.mark.parametrize("weights", ["pytorch_model.bin", "model.safetensors", "README.md"])
def test_an_unsupported_repository_is_called_that_before_its_weights_are_looked_for(
    hub_here: HubServer, weights: str
) -> None:
    config = b'{"model_type": "fsmt", "architectures": ["FSMTForConditionalGeneration"]}'
    hub_here.create("org/fsmt", {"config.json": config, weights: bytes(1000)})
    with pytest.raises(EncoderError, match="'fsmt' is not supported: it is a sequence-to-sequence model"):
        load_encoder("org/fsmt")
    assert not [request for request in hub_here.requests if weights in str(request)]


def test_what_is_not_there_is_told_apart(hub_here: HubServer) -> None:
    hub_here.create("org/tiny", FILES)
    with pytest.raises(EncoderError, match="no Hub repo and no local folder is called 'org/none'"):
        resolve("org/none")
    with pytest.raises(UnknownRevisionError, match="has no revision 'dev'"):
        resolve("org/tiny", revision="dev")
    with pytest.raises(UnknownRevisionError):
        resolve("org/tiny", revision="0" * 40)


def test_a_private_and_a_gated_repository_say_what_helps(hub_here: HubServer) -> None:
    hub_here.create("org/private", FILES, private=True)
    hub_here.create("org/gated", FILES, gated=True)
    with pytest.raises(EncoderError, match="for a private repo `hf auth login` or set HF_TOKEN"):
        resolve("org/private")
    with pytest.raises(InconclusiveError, match="gated"):
        resolve("org/gated")


def test_another_page_than_the_hubs_is_no_answer(hub_here: HubServer) -> None:
    hub_here.create("org/tiny", FILES)
    hub_here.faults.append(Fault(faults.html(), path="/api/"))
    with pytest.raises(HubUnreachableError, match="not that of a Hub"):
        resolve("org/tiny")


def test_patterns_choose_other_files(hub_here: HubServer) -> None:
    hub_here.create("org/tiny", FILES)
    assert files_below(resolve("org/tiny", patterns=["onnx/*"]).path) == {"onnx/model.onnx"}


def test_a_known_commit_of_a_full_cache_asks_nobody(hub_here: HubServer) -> None:
    commit = hub_here.create("org/tiny", FILES)
    online = resolve("org/tiny")
    hub_here.requests.clear()
    assert resolve("org/tiny", revision=commit) == online
    assert hub_here.requests == []


def test_the_client_asks_for_no_listing_of_its_own(hub_here: HubServer) -> None:
    hub_here.create("org/tiny", FILES)
    resolve("org/tiny")
    assert sum("/tree/" in request.path for request in hub_here.requests) == 1


def test_a_listing_that_lied_is_asked_for_again(hub_here: HubServer) -> None:
    hub_here.create("org/tiny", FILES)
    hub_here.faults.append(lies(lambda e: e["lfs"].update(oid="0" * 64) if "lfs" in e else None))
    with pytest.raises(IntegrityError):
        resolve("org/tiny")
    hub_here.faults.clear()
    assert set(resolve("org/tiny").files) == FETCHED


def test_a_burst_of_errors_is_waited_out(hub_here: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hf_integration.snapshot.hub.PAUSES", (0, 0))
    hub_here.create("org/tiny", FILES)
    burst = Fault(faults.status(503), path="/api/models/org/tiny$|/revision/", times=2)
    hub_here.faults.append(burst)
    assert set(resolve("org/tiny").files) == FETCHED
    assert burst.struck == 2
