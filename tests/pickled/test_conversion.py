"""From pickled weights to a card: what is written, what is refused, and where it is said to come from."""

import ast
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile, copytree
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

from hf_integration import Authenticator, load_encoder
from hf_integration.base.errors import EncoderError, FlawError
from hf_integration.base.vocabulary import CONVERSION_FILE
from hf_integration.card.source import SourceRecord, read_conversion, source_of
from tests.cli.conftest import ROOT, Ended, files_of
from tests.encoders import tiny_models
from tests.hub_server.server import HubServer
from tests.tiny_cards import mint_quickly

Run = Callable[..., Ended]
PICKLE = "pytorch_model.bin"
INDEX = f"{PICKLE}.index.json"


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class TestResult:
    def test_it_is_the_encoder_as_it_would_be_saved_today(
        self, old: Path, safe: Path, tmp_path: Path, sslauth: Run
    ) -> None:
        new = tmp_path / "new"
        ended = sslauth("convert", old, "--out", new)
        assert ended.status == 0, ended.err
        assert names(new) == names(safe) | {CONVERSION_FILE}
        assert (new / "model.safetensors").read_bytes() == (safe / "model.safetensors").read_bytes()
        for left_out in ("modeling_own.py", "tf_model.h5", "training_args.bin"):
            assert left_out in ended.out
        assert f"{PICKLE} sha256:{sha256(old / PICKLE)}" in ended.out

    def test_a_card_of_it_authenticates_it_and_says_where_it_came_from(
        self, old: Path, safe: Path, tmp_path: Path, sslauth: Run
    ) -> None:
        new, cards = tmp_path / "new", tmp_path / "card"
        assert sslauth("convert", old, "--out", new).status == 0
        encoder, card = mint_quickly(new, cards)
        assert torch.equal(encoder.embed(tiny_models.TEXTS), load_encoder(str(safe)).embed(tiny_models.TEXTS))
        assert card.source is not None
        assert card.source.files == {name: sha256(old / name) for name in card.source.files}
        assert set(card.source.files) == {PICKLE, "config.json", "tokenizer.json", "tokenizer_config.json"}
        said = f"{PICKLE} sha256:{sha256(old / PICKLE)}"
        for arguments in (("verify", new, "--card", cards), ("inspect", cards)):
            ended = sslauth(*arguments)
            assert ended.status == 0, ended.err
            assert said in ended.out
        found = json.loads(sslauth("verify", new, "--card", cards, "--format", "json").out)
        assert said in found["source"]
        found = json.loads(sslauth("inspect", cards, "--format", "json").out)
        assert found["source"]["files"][PICKLE] == sha256(old / PICKLE)
        # the record is no part of the encoder: with or without it, and by a card with or without it
        (new / CONVERSION_FILE).unlink()
        assert sslauth("verify", new, "--card", cards).status == 0
        assert Authenticator(card=card).authenticate(load_encoder(str(safe))).verdict.authentic

    def test_the_same_files_always_give_the_same_bytes(self, old: Path, tmp_path: Path, sslauth: Run) -> None:
        for name in ("one", "two"):
            assert sslauth("convert", old, "--out", tmp_path / name, "-q").status == 0
        assert files_of(tmp_path / "one") == files_of(tmp_path / "two")

    def test_shards_become_shards(self, old: Path, safe: Path, tmp_path: Path, sslauth: Run) -> None:
        shard(old)
        ended = sslauth("convert", old, "--out", tmp_path / "new", "--format", "json")
        assert ended.status == 0, ended.err
        assert json.loads(ended.out)["source"]["weights"] == [
            "pytorch_model-00001-of-00002.bin",
            "pytorch_model-00002-of-00002.bin",
        ]
        assert INDEX not in names(tmp_path / "new")
        texts = tiny_models.TEXTS
        found = load_encoder(str(tmp_path / "new")).embed(texts)
        assert torch.equal(found, load_encoder(str(safe)).embed(texts))
        assert source_of(tmp_path / "new") is not None

    def test_layers_behind_the_pooling_are_converted_where_they_are(
        self, old: Path, tmp_path: Path, sslauth: Run
    ) -> None:
        dense = sentence_folder(old)
        new = tmp_path / "new"
        assert sslauth("convert", old, "--out", new).status == 0
        assert torch.equal(load_file(new / "2_Dense/model.safetensors")["linear.weight"], dense)
        assert load_encoder(str(new)).embed(["cats"]).shape == (1, 16)
        assert {"1_Pooling/config.json", "2_Dense/config.json", "modules.json"} <= names(new)

    def test_safetensors_beside_a_pickled_layer_are_copied(
        self, old: Path, safe: Path, tmp_path: Path, sslauth: Run
    ) -> None:
        sentence_folder(old)
        copyfile(safe / "model.safetensors", old / "model.safetensors")
        ended = sslauth("convert", old, "--out", tmp_path / "new", "--format", "json")
        assert json.loads(ended.out)["source"]["weights"] == [f"2_Dense/{PICKLE}"]
        assert PICKLE in json.loads(ended.out)["left_out"]
        copied = tmp_path / "new" / "model.safetensors"
        assert copied.read_bytes() == (safe / "model.safetensors").read_bytes()

    def test_tied_tensors_are_those_of_the_class_that_saved_them(self, tmp_path: Path, sslauth: Run) -> None:
        config = transformers.T5Config(d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, vocab_size=40)
        model = transformers.T5ForConditionalGeneration(config)
        folder = tmp_path / "t5"
        model.save_pretrained(folder)
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / PICKLE)
        ended = sslauth("convert", folder, "--out", tmp_path / "new", "--format", "json")
        found = json.loads(ended.out)
        shared = ("decoder.embed_tokens.weight", "encoder.embed_tokens.weight", "lm_head.weight")
        assert found["tied"] == dict.fromkeys(shared, "shared.weight")
        assert found["copies"] == {}
        again = transformers.T5EncoderModel.from_pretrained(tmp_path / "new")
        assert torch.equal(again.encoder.embed_tokens.weight, model.shared.weight)


def shard(folder: Path) -> None:
    tensors = torch.load(folder / PICKLE, weights_only=True)
    half = len(tensors) // 2
    parts = [dict(list(tensors.items())[:half]), dict(list(tensors.items())[half:])]
    placed: dict[str, str] = {}
    for number, part in enumerate(parts, start=1):
        name = f"pytorch_model-{number:05}-of-00002.bin"
        torch.save(part, folder / name)
        placed |= dict.fromkeys(part, name)
    (folder / PICKLE).unlink()
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": placed}))


def sentence_folder(folder: Path) -> torch.Tensor:
    """Make it one of sentence-transformers, with a pickled layer; gives the layer's weight."""
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense")]
    modules = [
        {"idx": idx, "name": str(idx), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for idx, (path, kind) in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    for path, settings in (
        ("1_Pooling", {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}),
        (
            "2_Dense",
            {
                "in_features": 32,
                "out_features": 16,
                "bias": True,
                "activation_function": "torch.nn.modules.activation.Tanh",
            },
        ),
    ):
        (folder / path).mkdir()
        (folder / path / "config.json").write_text(json.dumps(settings))
    weight = torch.randn(16, 32)
    torch.save({"linear.weight": weight, "linear.bias": torch.randn(16)}, folder / "2_Dense" / PICKLE)
    return weight


def mapped(folder: Path, shard: Any, index: str = "") -> None:
    (folder / PICKLE).unlink()
    (folder / INDEX).write_text(index or json.dumps({"weight_map": {"a": shard}}))


def linked(folder: Path) -> None:
    outside = folder.parent / "outside.bin"
    (folder / PICKLE).rename(outside)
    (folder / PICKLE).symlink_to(outside)


def piped(folder: Path) -> None:
    (folder / PICKLE).unlink()
    os.mkfifo(folder / PICKLE)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no weights": (lambda f: (f / PICKLE).unlink(), "no pytorch_model.bin"),
    "adapter": (lambda f: (f / "adapter_config.json").write_text("{}"), "an adapter"),
    "shard outside": (lambda f: mapped(f, "../outside.bin"), "is no shard beside it"),
    "absolute shard": (lambda f: mapped(f, "/etc/passwd"), "is no shard beside it"),
    "shard below": (lambda f: mapped(f, "a/b.bin"), "is no shard beside it"),
    "shard with an escape": (lambda f: mapped(f, "a\x1b[2J.bin"), "is no shard beside it"),
    "shard of another kind": (lambda f: mapped(f, "config.json"), "is no shard beside it"),
    "shard that is a number": (lambda f: mapped(f, 1), "is no shard beside it"),
    "missing shard": (lambda f: mapped(f, "pytorch_model-1.bin"), "is missing"),
    "index without a map": (lambda f: mapped(f, "x", "{}"), "no weight_map"),
    "index that is no JSON": (lambda f: mapped(f, "x", "{"), "not valid JSON"),
    "link outside": (linked, "a link that leads out of the encoder's folder"),
    "pipe": (piped, "not a regular file"),
    "pointer": (
        lambda f: (f / PICKLE).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "a Git LFS pointer",
    ),
    "pickle that calls": (lambda f: torch.save({"a": print}, f / PICKLE), "may run code"),
    "no pickle": (lambda f: (f / PICKLE).write_text("hello"), "no file of weights"),
    "name with half a character": (
        lambda f: torch.save({"a\ud800": torch.eye(2)}, f / PICKLE),
        "cannot be written as safetensors",
    ),
    "entry with half a name": (
        lambda f: torch.save({"a": torch.eye(2), "\ud800": 1}, f / PICKLE),
        "names that no tensor has",
    ),
    "very long name of an entry": (
        lambda f: torch.save({"a": torch.eye(2), "x" * 2_000_000: 1}, f / PICKLE),
        "names that no tensor has",
    ),
    "name with an escape": (
        lambda f: torch.save({"a\x1b]0;x\x07": torch.eye(2).to_sparse()}, f / PICKLE),
        "sparse_coo tensor",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_converted_is_one_line_with_status_2_and_leaves_nothing(
    kind: str, old: Path, tmp_path: Path, sslauth: Run
) -> None:
    make, reason = BAD[kind]
    make(old)
    before = names(tmp_path)
    ended = sslauth("convert", old, "--out", tmp_path / "deep" / "new")
    assert ended.status == 2
    assert ended.out == ""
    last = ended.err.splitlines()[-1]
    assert reason in last
    assert last.endswith(")"), "no remedy"
    assert "\x1b" not in ended.err
    assert names(tmp_path) == before
    assert not (tmp_path / "deep").exists()


def test_safetensors_need_no_conversion(safe: Path, tmp_path: Path, sslauth: Run) -> None:
    ended = sslauth("convert", safe, "--out", tmp_path / "new")
    assert ended.status == 2
    assert "its weights are safetensors already" in ended.err


def test_a_folder_that_is_there_is_not_replaced(old: Path, tmp_path: Path, sslauth: Run) -> None:
    ended = sslauth("convert", old, "--out", old)
    assert ended.status == 2
    assert "exists already" in ended.err


@pytest.mark.parametrize("command", [("mint", "--out", "card"), ("add",), ("verify",)], ids=lambda c: c[0])
def test_the_refusal_of_pickles_names_the_remedy(
    command: tuple[str, ...], old: Path, folder: Path, sslauth: Run
) -> None:
    name, *rest = command
    ended = sslauth(name, old, *rest)
    assert ended.status == 2
    assert "only pickle weights" in ended.err
    assert "sslauth convert" in ended.err


class TestHub:
    def test_a_repository_is_converted_at_one_commit(
        self, old: Path, folder: Path, hub_here: HubServer, sslauth: Run
    ) -> None:
        commit = hub_here.create("org/old", {**files_of(old), "README.md": b"# old\n"})
        hub_here.commit("org/old", {PICKLE: b"replaced since"})
        ended = sslauth("convert", "org/old", "--revision", commit, "--out", "new")
        assert ended.status == 0, ended.err
        source = source_of(folder / "new")
        assert source is not None
        assert (source.repo, source.commit) == ("org/old", commit)
        assert source.files[PICKLE] == sha256(old / PICKLE)
        assert str(source).startswith(f"org/old @{commit}: pickled weights {PICKLE} sha256:")
        fetched = {request.path.rpartition("/")[2] for request in hub_here.requests}
        assert not fetched & {"modeling_own.py", "tf_model.h5", "training_args.bin", "README.md"}
        refused = sslauth("mint", "org/old", "--revision", commit, "--out", "card")
        assert refused.status == 2
        assert "sslauth convert" in refused.err

    def test_other_bytes_than_the_commits_are_status_4(
        self, old: Path, folder: Path, hub_here: HubServer, sslauth: Run
    ) -> None:
        hub_here.create("org/old", files_of(old))
        assert sslauth("convert", "org/old", "--out", "one").status == 0
        blobs = folder.parent / "hf-home" / "hub" / "models--org--old" / "blobs"
        blob = blobs / sha256(old / PICKLE)
        data = bytearray(blob.read_bytes())
        data[-1] ^= 1
        blob.chmod(0o644)
        blob.write_bytes(data)
        assert sslauth("convert", "org/old", "--out", "two").status == 4
        assert not (folder / "two").exists()

    @pytest.mark.usefixtures("hub_here")
    def test_no_such_repository(self, folder: Path, sslauth: Run) -> None:
        ended = sslauth("convert", "org/none", "--out", "new")
        assert (ended.status, list(folder.iterdir())) == (2, [])


def record(**changes: Any) -> dict[str, Any]:
    source = {
        "repo": "org/name",
        "commit": "0" * 40,
        "files": {PICKLE: "0" * 64},
        "weights": [PICKLE],
        "tool": "pytest-sslauth 1",
    }
    source |= changes.pop("source", {})
    return {
        "format": "sslauth-conversion",
        "schema": 1,
        "source": source,
        "written": {"model.safetensors": "0" * 64},
        "tied": {},
        "copies": {},
        "left_out": [],
        **changes,
    }


WRONG: dict[str, dict[str, Any]] = {
    "repo without a commit": {"source": {"commit": None}},
    "commit without a repo": {"source": {"repo": None}},
    "commit that is none": {"source": {"commit": "main"}},
    "repo that is none": {"source": {"repo": "a b"}},
    "repo that is a number": {"source": {"repo": 1}},
    "digest that is none": {"source": {"files": {PICKLE: "0" * 63}}},
    "no files": {"source": {"files": {}}},
    "escape in a name": {"source": {"files": {"a\x1b": "0" * 64}, "weights": ["a\x1b"]}},
    "weights that are no files": {"source": {"weights": ["other.bin"]}},
    "weights twice": {"source": {"weights": [PICKLE, PICKLE]}},
    "no weights": {"source": {"weights": []}},
    "escape in the tool": {"source": {"tool": "\u202e"}},
    "unknown key in the source": {"source": {"more": 1}},
    "unknown key": {"more": 1},
    "other schema": {"schema": 2},
    "schema that is true": {"schema": True},
    "other format": {"format": "x"},
    "too many left out": {"left_out": ["x"] * 30_000},
    "escape left out": {"left_out": ["\x1b"]},
    "number tied": {"tied": {"a": 1}},
    "nothing written": {"written": {}},
}


class TestRecord:
    def test_the_record_that_the_wrong_ones_are_made_of_is_right(self) -> None:
        assert isinstance(read_conversion(json.dumps(record()).encode()).source, SourceRecord)

    @pytest.mark.parametrize("kind", WRONG)
    def test_it_is_read_strictly(self, kind: str, tmp_path: Path) -> None:
        changes = WRONG[kind]
        data = json.dumps(record(**changes)).encode()
        with pytest.raises(FlawError):
            read_conversion(data)
        (tmp_path / CONVERSION_FILE).write_bytes(data)
        with pytest.raises(EncoderError, match=f"{CONVERSION_FILE}.*delete this record") as caught:
            source_of(tmp_path)
        assert str(caught.value).isprintable()

    @pytest.mark.parametrize("field", ["format", "schema", "source", "written", "tied", "copies", "left_out"])
    def test_no_field_may_be_missing(self, field: str) -> None:
        found = record()
        del found[field]
        with pytest.raises(FlawError):
            read_conversion(json.dumps(found).encode())

    @pytest.mark.parametrize("name", ["../model.safetensors", "/etc/hostname", "a/../../b"])
    def test_a_record_leads_nowhere_else(self, name: str, tmp_path: Path) -> None:
        (tmp_path / CONVERSION_FILE).write_text(json.dumps(record(written={name: "0" * 64})))
        with pytest.raises(EncoderError, match="not the file that was written"):
            source_of(tmp_path)

    def test_weights_that_were_changed_since_are_not_minted_in_the_sources_name(
        self, old: Path, tmp_path: Path, sslauth: Run
    ) -> None:
        new = tmp_path / "new"
        assert sslauth("convert", old, "--out", new).status == 0
        other = tiny_models.save("bert", tmp_path / "other", seed=1)
        copyfile(other / "model.safetensors", new / "model.safetensors")
        ended = sslauth("mint", new, "--out", tmp_path / "card")
        assert ended.status == 2
        assert "not the file that was written by the conversion" in ended.err

    def test_a_record_of_the_source_is_not_copied(self, old: Path, tmp_path: Path, sslauth: Run) -> None:
        (old / CONVERSION_FILE).write_text(json.dumps(record()))
        assert sslauth("convert", old, "--out", tmp_path / "new").status == 0
        found = source_of(tmp_path / "new")
        assert found is not None
        assert found.repo is None
        assert CONVERSION_FILE not in found.files


READS = {"load", "loads", "Unpickler"}
READER = "hf_integration/pickled/reading.py"


def pickle_readers() -> dict[str, set[str]]:
    """Files of the packages that could read a pickle -> by what."""
    found: dict[str, set[str]] = {}
    for top in ("hf_integration", "pytest_sslauth"):
        for file in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                said = ""
                if isinstance(node, ast.Import):
                    modules = {alias.name.partition(".")[0] for alias in node.names}
                    said = ", ".join(modules & {"pickle", "joblib", "dill", "cloudpickle", "shelve"})
                elif isinstance(node, ast.ImportFrom):
                    top_name = (node.module or "").partition(".")[0]
                    names = {alias.name for alias in node.names}
                    pickles = top_name in {"pickle", "joblib", "dill", "cloudpickle", "shelve"}
                    said = (
                        top_name
                        if pickles or (top_name == "torch" and names & {"load", "hub", "jit"})
                        else ""
                    )
                elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    said = f"torch.{node.attr}" if node.value.id == "torch" and node.attr in READS else ""
                elif isinstance(node, ast.keyword) and node.arg in ("weights_only", "allow_pickle"):
                    value = getattr(node.value, "value", None)
                    said = f"{node.arg}={value}" if (node.arg, value) != ("allow_pickle", False) else ""
                if said:
                    found.setdefault(file.relative_to(ROOT).as_posix(), set()).add(said)
    return found


def test_nothing_else_reads_a_pickle() -> None:
    assert pickle_readers() == {READER: {"torch.load", "weights_only=True"}}


def test_the_command_reads_no_pickle_in_its_own_process(
    old: Path, tmp_path: Path, sslauth: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a pickle was read here")

    monkeypatch.setattr(torch, "load", never)
    assert sslauth("convert", old, "--out", tmp_path / "new").status == 0


def test_the_reader_has_no_secrets_and_is_not_misled(
    old: Path, tmp_path: Path, sslauth: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file called torch.py in the folder that the command is run in is not run by the reader."""
    copytree(old, tmp_path / "here")
    (tmp_path / "here" / "torch.py").write_text("open('was-run', 'w')\n")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HF_TOKEN", "hf_" + "secret" * 4)
    seen: list[dict[str, str]] = []
    from hf_integration.base.children import Children

    whole = Children.run

    def run(self: Children, *arguments: Any, **options: Any) -> Any:
        seen.append(options["env"])
        return whole(self, *arguments, **options)

    monkeypatch.setattr(Children, "run", run)
    assert sslauth("convert", ".", "--out", tmp_path / "new").status == 0
    assert not (tmp_path / "here" / "was-run").exists()
    assert "HF_TOKEN" not in seen[0]
    assert seen[0]["HF_HUB_OFFLINE"] == "1"
