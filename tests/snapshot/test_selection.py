"""What is fetched of a repository, and what is named as not looked at."""

import json
from pathlib import Path

import pytest

from hf_integration.snapshot import encoder_files, local_names, module_folders, not_covered_among

REPO = (
    ".gitattributes",
    "1_Pooling/config.json",
    "2_Dense/config.json",
    "2_Dense/model.safetensors",
    "2_Dense/pytorch_model.bin",
    "README.md",
    "config.json",
    "model.safetensors",
    "modules.json",
    "onnx/config.json",
    "onnx/model.onnx",
    "openvino/openvino_model.bin",
    "openvino/openvino_model.xml",
    "pytorch_model.bin",
    "sslauth/card.json",
    "sslauth/card.safetensors",
    "tokenizer.json",
    "train_script.py",
    "vocab.txt",
)
MODULES = b'[{"path": ""}, {"path": "1_Pooling"}, {"path": "2_Dense/"}]'


def test_only_what_the_encoder_is_loaded_from_is_fetched() -> None:
    assert encoder_files(REPO, module_folders(MODULES)) == (
        "1_Pooling/config.json",
        "2_Dense/config.json",
        "2_Dense/model.safetensors",
        "config.json",
        "model.safetensors",
        "modules.json",
        "tokenizer.json",
        "vocab.txt",
    )
    assert "2_Dense/model.safetensors" not in encoder_files(REPO, module_folders(None))


def test_of_several_sets_of_weights_the_one_that_is_loaded_is_fetched() -> None:
    shards = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    others = ("model.fp16.safetensors", "adapter_model.safetensors", "consolidated.safetensors")
    assert encoder_files((*shards, *others), {""}) == shards
    assert encoder_files(("model.safetensors", *shards, *others), {""}) == ("model.safetensors",)


def test_code_and_weights_that_were_left_are_named() -> None:
    used = encoder_files(REPO, module_folders(MODULES))
    assert not_covered_among(REPO, used) == (
        "2_Dense/pytorch_model.bin",
        "onnx/model.onnx",
        "openvino/openvino_model.bin",
        "openvino/openvino_model.xml",
        "pytorch_model.bin",
        "train_script.py",
    )
    assert not_covered_among(["adapter_config.json", "A.PY"], ()) == ("A.PY", "adapter_config.json")


@pytest.mark.parametrize(
    "modules",
    [b"", b"[", b"{}", b"[1, null]", b'[{"path": 3}]', b'[{"path": "../up"}]', b"[" * 100_000],
    ids=["empty", "cut", "object", "numbers", "number", "outside", "deep"],
)
def test_modules_that_make_no_sense_name_no_folders(modules: bytes) -> None:
    assert module_folders(modules) == {""}


def test_files_of_a_folder_are_named_as_in_a_repository(tmp_path: Path) -> None:
    kept_by_tools = (".git/objects/x.bin", ".cache/huggingface/download/x.bin")
    for name in ("a.json", "b/c.py", ".c/m.py", "b/.git/m.py", ".cache/m.py", *kept_by_tools):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert local_names(tmp_path) == ("a.json", ".c/m.py", ".cache/m.py", "b/c.py", "b/.git/m.py")


def test_a_linked_folder_is_named_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "m.py").touch()
    for name in ("encoder", "encoder/b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "code").symlink_to(tmp_path / "elsewhere")
    names = local_names(tmp_path / "encoder")
    assert names == ("code/", "b/code/")
    assert not_covered_among(names, encoder_files(names, {""})) == ("b/code/", "code/")


@pytest.mark.parametrize("path", [".", "./", "", "/"])
def test_the_root_has_one_name(path: str) -> None:
    assert module_folders(json.dumps([{"path": path}]).encode()) == {""}


@pytest.mark.parametrize("name", [".hidden", "...", "1_Pooling.", ".a/b."])
def test_a_folder_keeps_the_dots_of_its_name(name: str) -> None:
    assert module_folders(json.dumps([{"path": name}]).encode()) == {"", name}


def test_chat_templates_beside_each_tokenizer_belong_to_it() -> None:
    names = ("0_T/additional_chat_templates/a.jinja", "additional_chat_templates/a.jinja", "b/a.jinja")
    assert encoder_files(names, {"", "0_T"}) == names[:2]


ROUTER = (
    b'[{"path": "", "type": "sentence_transformers.base.modules.router.Router"}, {"path": "1_Normalize"}]'
)


def test_the_folders_of_a_router_belong_to_the_encoder() -> None:
    asked: list[str] = []

    def read(name: str) -> bytes | None:
        asked.append(name)
        return (
            b'{"types": {"query_0_T": "x", "../up": "x", "document_0_T": "x"}}' if "router" in name else None
        )

    assert module_folders(ROUTER, read) == {"", "1_Normalize", "query_0_T", "document_0_T"}
    assert asked[0] == "router_config.json"
    below = ROUTER.replace(b'"path": ""', b'"path": "0_Router"')
    assert module_folders(below, read) >= {"0_Router", "0_Router/query_0_T", "0_Router/document_0_T"}


@pytest.mark.parametrize("content", [None, b"", b"[", b"[]", b'{"types": 3}', b'{"types": [1]}'])
def test_a_router_that_makes_no_sense_names_no_folders(content: bytes | None) -> None:
    assert module_folders(ROUTER, lambda _: content) == {"", "1_Normalize"}


def test_only_a_router_is_asked_for_further_folders() -> None:
    def read(name: str) -> bytes | None:
        raise AssertionError(name)

    assert module_folders(MODULES, read) == {"", "1_Pooling", "2_Dense"}
