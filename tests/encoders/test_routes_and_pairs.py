"""Routers, of which one route is run, and pairs of texts, which cross-encoders score."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from hf_integration.base.errors import EncoderError, KeySampleError
from hf_integration.encoders import open_encoder
from hf_integration.encoders.files.folder import inspect_folder
from hf_integration.encoders.modalities.module_types import COMPARED
from hf_integration.encoders.modalities.pairs import PairPreparation, split_pair
from hf_integration.encoders.modalities.sentence_modules import read_sentence_modules
from tests.encoders import tiny_models
from tests.encoders.test_sentence_modules import JUNK, POOLING, read_or_refused


def _router(**changes: Any) -> dict[str, Any]:
    parts = {
        name: f"sentence_transformers.models.{name.split('_')[2]}"
        for name in ("a_0_Transformer", "a_1_Pooling")
    }
    parts["b_0_StaticEmbedding"] = "sentence_transformers.models.StaticEmbedding"
    structure = {"a": ["a_0_Transformer", "a_1_Pooling"], "b": ["b_0_StaticEmbedding"]}
    return {"types": parts, "structure": structure, "parameters": {"default_route": "a"}, **changes}


def _routed(folder: Path, config: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    entry = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Router"}
    (folder / "modules.json").write_text(json.dumps([entry]))
    (folder / "router_config.json").write_text(json.dumps(config))
    for name in config["types"] if isinstance(config.get("types"), dict) else ():
        if ".." not in name:
            (folder / name).mkdir()
            (folder / name / "config.json").write_text(json.dumps(POOLING if "Pooling" in name else {}))
    return folder


@pytest.mark.parametrize(
    ("parameters", "route"),
    [
        ({"default_route": "a"}, "a"),
        ({"default_route": "b"}, "b"),
        ({}, "a"),
        ({"default_route": "b", "route_mappings": {"(None, 'text')": "a"}}, "a"),
        ({"default_route": "b", "route_mappings": {"(None, None)": "a"}}, "a"),
        ({"default_route": "b", "route_mappings": {"('query', 'text')": "a"}}, "b"),
        ({"default_route": "a", "route_mappings": {"(None, 'text')": "b", "(None, None)": "a"}}, "b"),
    ],
)
def test_the_route_of_a_text_without_a_task_is_read(
    parameters: dict[str, Any], route: str, tmp_path: Path
) -> None:
    found = read_sentence_modules(_routed(tmp_path / "r", _router(parameters=parameters)))
    assert found is not None
    assert found.kind == {"a": "pooled", "b": "static"}[route]
    other = "b" if route == "a" else "a"
    assert found.not_run == (f"route '{other}' of the Router: its files are compared, not run",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parameters": {"allow_empty_key": False}}, "no route is the default"),
        ({"parameters": {"default_route": "c"}}, "there is no route 'c'"),
        ({"parameters": {"surprise": 1}}, "unknown key 'surprise'"),
        ({"parameters": {"route_mappings": {"__import__('os')": "a"}}}, "no pair of task and modality"),
        ({"surprise": 1}, "unknown key 'surprise'"),
        ({"structure": {}}, "no routes"),
        ({"structure": {"a": []}}, "no list of modules"),
        ({"structure": {"a": ["other"]}}, "no list of modules"),
        ({"types": 3}, "types is no object"),
    ],
)
def test_a_router_that_is_ambiguous_or_damaged_is_refused(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(EncoderError, match=message):
        read_sentence_modules(_routed(tmp_path / "r", _router(**changes)))


@pytest.mark.parametrize("where", ["a_0_Transformer", "b_0_StaticEmbedding"])
def test_code_of_the_repository_in_any_route_is_refused(where: str, tmp_path: Path) -> None:
    config = _router()
    config["types"][where] = "modeling.Mine"
    with pytest.raises(EncoderError, match=r"modeling\.Mine"):
        read_sentence_modules(_routed(tmp_path / "r", config))


@pytest.mark.parametrize(
    ("sample", "pair"),
    [
        ("the cat\tthe sea", ("the cat", "the sea")),
        ("the cat\tthe\tsea", ("the cat", "the\tsea")),
        ("\tthe sea", ("", "the sea")),
        ("the cat\t", ("the cat", "")),
        ("one two three four", ("one two", "three four")),
        ("onetwo", ("onetwo", "")),
    ],
)
def test_a_text_is_parted_into_a_pair(sample: str, pair: tuple[str, str]) -> None:
    assert split_pair(sample) == pair


def test_pairs_are_taken_as_tuples_too_and_a_tab_in_the_first_is_refused() -> None:
    model: Callable[..., Any] = tiny_models.build("bert")
    preparation = PairPreparation(tiny_models.tokenizer(), model, max_length=40)
    joined, pair = (
        preparation.prepare([sample]).batch([0]).inputs["input_ids"].tolist()
        for sample in ("the cat\ta sea", ("the cat", "a sea"))
    )
    assert joined == pair
    for bad in (("the\tcat", "a sea"), ("the cat",), ("the cat", 1), 3):
        with pytest.raises(KeySampleError):
            preparation.prepare([bad])


@pytest.mark.parametrize("key", ["types", "structure", "parameters"])
def test_a_setting_of_a_router_of_any_kind_is_read_or_refused(key: str, tmp_path: Path) -> None:
    for place, junk in enumerate(JUNK):
        read_or_refused(_routed(tmp_path / str(place), _router(**{key: junk})))
        for inner in ("default_route", "allow_empty_key", "route_mappings"):
            parameters = {"parameters": {inner: junk}}
            read_or_refused(_routed(tmp_path / f"{place}-{inner}", _router(**parameters)))


_OF_SPARSE = "sentence_transformers.sparse_encoder.models."


def _beside(folder: Path, kind: str, settings: dict[str, Any], weights: str = "model.safetensors") -> Path:
    """A Router whose other route is of a module that is not run here."""
    config = _router()
    config["types"]["b_0_StaticEmbedding"] = f"{_OF_SPARSE}{kind}"
    router = _routed(folder, config)
    shutil.rmtree(router / "a_0_Transformer")
    tiny_models.save("bert", router / "a_0_Transformer")
    (router / "b_0_StaticEmbedding" / "config.json").write_text(json.dumps(settings))
    save_file({"weight": torch.ones(3)}, router / "b_0_StaticEmbedding" / weights)
    return router


@pytest.mark.parametrize("kind", COMPARED)
def test_a_module_whose_files_are_all_of_it_may_be_in_a_route_that_is_not_run(
    kind: str, tmp_path: Path
) -> None:
    folder = _beside(tmp_path / "r", kind, dict.fromkeys(COMPARED[kind], 1))
    encoder = open_encoder(folder, name="x", device="cpu")
    assert "route 'b' of the Router: its files are compared, not run" in encoder.not_covered
    assert encoder.folder is not None
    assert {"b_0_StaticEmbedding/config.json", "b_0_StaticEmbedding/model.safetensors"} <= set(
        encoder.folder.files
    )
    with pytest.raises(EncoderError, match="unknown key 'path'"):
        inspect_folder(_beside(tmp_path / "path", kind, {"path": "elsewhere.json"}))
    with pytest.raises(EncoderError, match="pickle"):
        inspect_folder(_beside(tmp_path / "pickle", kind, {}, "pytorch_model.bin"))
    config = json.loads((folder / "router_config.json").read_text())
    config["parameters"]["default_route"] = "b"
    (folder / "router_config.json").write_text(json.dumps(config))
    with pytest.raises(EncoderError, match=f"{kind} is not supported"):
        inspect_folder(folder)


@pytest.mark.parametrize("where", ["a_0_Transformer", "a_1_Pooling", "b_0_StaticEmbedding"])
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("sentence_transformers.models.Router", "a Router within a route"),
        ("sentence_transformers.models.Asym", "a Router within a route"),
        ("sentence_transformers.models.LSTM", "is not supported"),
        ("sentence_transformers.models.Unheard", "unknown module type"),
    ],
)
def test_a_module_that_is_not_supported_is_refused_in_any_route(
    where: str, kind: str, message: str, tmp_path: Path
) -> None:
    config = _router()
    config["types"][where] = kind
    with pytest.raises(EncoderError, match=message):
        read_sentence_modules(_routed(tmp_path / "r", config))
