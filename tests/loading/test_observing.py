"""Loads by the libraries that their users call, in this process: each seen once, as what it is."""

import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers as hf

from hf_integration import load_encoder
from hf_integration.loading.observing import Load, Observer
from tests.loading.conftest import Repository

FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def auto(name: str, **more: Any) -> Any:
    return hf.AutoModel.from_pretrained(name, **more)


def by_class(name: str, **more: Any) -> Any:
    return hf.BertModel.from_pretrained(name, **more)


def pipeline(name: str, **more: Any) -> Any:
    return hf.pipeline("feature-extraction", model=name, **more)


def sentences(name: str, **more: Any) -> Any:
    return pytest.importorskip("sentence_transformers").SentenceTransformer(name, device="cpu", **more)


def cross_encoder(name: str, **more: Any) -> Any:
    return pytest.importorskip("sentence_transformers").CrossEncoder(name, device="cpu", **more)


LOADERS: dict[str, Callable[..., Any]] = {
    "from_pretrained": auto,
    "pipeline": pipeline,
    "SentenceTransformer": sentences,
    "CrossEncoder": cross_encoder,
}


@pytest.mark.parametrize("api", LOADERS)
def test_a_folder_is_listed_once_by_what_was_called(observer: Observer, shelf: Path, api: str) -> None:
    folder = shelf / "models" / "tiny"
    for _ in range(3):
        LOADERS[api](str(folder))
    (load,) = observer.loads
    assert load.api == api
    assert load.place.path == str(folder.resolve())
    assert load.count == 3
    file, _, line = load.where.rpartition(":")
    assert file == __file__
    assert f"def {LOADERS[api].__name__}(" in Path(__file__).read_text().split("\n")[int(line) - 2]


def test_all_ways_to_load_one_encoder_are_one_entry(observer: Observer, shelf: Path) -> None:
    folder = shelf / "models" / "tiny"
    for load in (*LOADERS.values(), by_class):
        load(str(folder))
    assert [load.count for load in observer.loads] == [5]


def test_a_relative_path_and_a_link_are_the_same_encoder(
    observer: Observer, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(shelf / "models" / "tiny")
    auto(str(tmp_path / "link"))
    monkeypatch.chdir(shelf)
    auto("models/tiny")
    assert [load.count for load in observer.loads] == [2]


@pytest.mark.parametrize("api", [*LOADERS, "by_class"])
@pytest.mark.parametrize("asked", ["nothing", "main", "commit"])
def test_a_repository_is_listed_with_its_commit_and_whether_that_was_asked_for(
    observer: Observer, repo: Repository, api: str, asked: str
) -> None:
    name, commit = repo.name, repo.commit
    more = {"nothing": {}, "main": {"revision": "main"}, "commit": {"revision": commit}}[asked]
    (by_class if api == "by_class" else LOADERS[api])(name, **more)
    (load,) = observer.loads
    assert (load.place.repo, load.place.commit) == (name, commit)
    assert load.is_pinned == (asked == "commit")
    assert load.api == ("from_pretrained" if api == "by_class" else api)


def test_a_folder_of_the_hubs_cache_is_its_repository(observer: Observer, repo: Repository) -> None:
    from huggingface_hub import snapshot_download

    name, commit = repo.name, repo.commit
    auto(snapshot_download(name))
    (load,) = observer.loads
    assert (load.place.repo, load.place.commit) == (name, commit)


def test_what_sslauth_loads_itself_is_not_listed(observer: Observer, shelf: Path) -> None:
    load_encoder(str(shelf / "models" / "tiny"), device="cpu")
    assert observer.loads == ()


def test_what_a_user_loads_in_a_function_that_sslauth_calls_is_listed(
    observer: Observer, shelf: Path
) -> None:
    from hf_integration.base.vocabulary import is_repo_id  # any code of ours that calls back
    from hf_integration.snapshot.hub import only_in_a_terminal

    with only_in_a_terminal():
        assert is_repo_id("tiny")
        auto(str(shelf / "models" / "tiny"))
    assert len(observer.loads) == 1


@pytest.mark.parametrize(
    "load",
    [
        hf.AutoTokenizer.from_pretrained,
        hf.AutoConfig.from_pretrained,
        lambda folder: hf.BertModel(hf.AutoConfig.from_pretrained(folder)),
        lambda folder: hf.AutoModel.from_config(hf.AutoConfig.from_pretrained(folder)),
    ],
    ids=["tokenizer", "config", "class", "from_config"],
)
def test_what_loads_no_weights_is_not_listed(
    observer: Observer, shelf: Path, load: Callable[[str], Any]
) -> None:
    load(str(shelf / "models" / "tiny"))
    assert observer.loads == ()


def test_what_a_library_raises_is_raised_and_not_listed(observer: Observer, tmp_path: Path) -> None:
    with pytest.raises((OSError, ValueError), match=r"config\.json"):
        auto(str(tmp_path))
    with pytest.raises(TypeError):
        hf.BertModel.from_pretrained()
    assert observer.loads == ()


@pytest.mark.usefixtures("loads_in_threads")
def test_loads_in_threads_are_all_counted(observer: Observer, shelf: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    folder = str(shelf / "models" / "tiny")
    with ThreadPoolExecutor(4) as pool:
        for loaded in [pool.submit(auto, folder) for _ in range(8)]:
            loaded.result()
    assert [load.count for load in observer.loads] == [8]


def test_an_onnx_file_is_listed(observer: Observer, tmp_path: Path) -> None:
    onnxruntime, onnx = pytest.importorskip("onnxruntime"), pytest.importorskip("onnx")
    file = tmp_path / "model.onnx"
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [value], [out])
    onnx.save(
        onnx.helper.make_model(graph, ir_version=9, opset_imports=[onnx.helper.make_opsetid("", 17)]), file
    )
    onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    onnxruntime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    of_file, of_bytes = observer.loads
    assert {load.api for load in observer.loads} == {"onnxruntime.InferenceSession"}
    assert of_file.place.path == str(file)
    assert "sha256:" in (of_bytes.place.model or "")


def test_an_onnx_file_that_cannot_be_loaded_is_not_listed(observer: Observer, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(Exception, match=r"model\.onnx"):
        onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    assert observer.loads == ()


def test_an_encoder_of_timm_is_listed(observer: Observer, tmp_path: Path) -> None:
    reason = "timm cannot be imported here: it needs torchvision, whose build breaks that of torch"
    timm = pytest.importorskip("timm", reason=reason, exc_type=ImportError)
    import torch

    file = tmp_path / "weights.pth"
    torch.save(timm.create_model("resnet18").state_dict(), file)
    assert not observer.loads  # random weights are nobody's encoder
    timm.create_model("resnet18", pretrained=True, pretrained_cfg_overlay={"file": str(file)})
    timm.create_model("resnet18", checkpoint_path=str(file))
    (load,) = observer.loads
    assert (load.api, load.place.path, load.count) == ("timm.create_model", str(file), 2)


LAZY = """
    import sys
    from hf_integration.loading.interception import INTERCEPTION
    from hf_integration.loading.observing import Observer

    observer = Observer()
    observer.start()
    heavy = {"torch", "transformers", "sentence_transformers", "huggingface_hub", "httpx", "pydantic"}
    assert not heavy & set(sys.modules), heavy & set(sys.modules)

    from transformers import BertModel, PreTrainedModel
    import transformers.modeling_utils as library
    before = library.PreTrainedModel.from_pretrained.__func__.__wrapped__
    BertModel.from_pretrained(sys.argv[1])
    assert [load.count for load in observer.loads] == [1], observer.loads
    assert library.__spec__.loader.get_source(library.__name__), "the loader is what it was"
    assert type(library.__loader__).__name__ == "SourceFileLoader"
    observer.stop()
    assert PreTrainedModel.__dict__["from_pretrained"].__func__ is before
    assert not INTERCEPTION.wraps
    BertModel.from_pretrained(sys.argv[1])
    assert [load.count for load in observer.loads] == [1], observer.loads
"""


def test_a_library_is_wrapped_when_it_is_imported_and_put_back(shelf: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(LAZY), str(shelf / "models" / "tiny")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_wrapper_that_somebody_wrapped_again_lets_everything_through(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    observer = Observer()
    observer.start()
    between = hf.PreTrainedModel.from_pretrained.__func__  # as another library keeps it
    monkeypatch.setattr(hf.PreTrainedModel, "from_pretrained", classmethod(between))
    observer.stop()
    auto(str(shelf / "models" / "tiny"))
    assert not observer.loads
    monkeypatch.undo()  # puts our wrapper back, which nobody knows any more
    observer.start()
    auto(str(shelf / "models" / "tiny"))
    observer.stop()
    assert [load.count for load in observer.loads] == [1]
    assert not hasattr(hf.PreTrainedModel.from_pretrained.__func__, "__wrapped__")


def test_loads_survive_the_way_from_a_worker(observer: Observer, shelf: Path) -> None:
    auto(str(shelf / "models" / "tiny"))
    (load,) = observer.loads
    assert Load.from_dict(load.to_dict()) == load


def test_an_encoder_with_a_folder_below_it_is_the_whole(
    observer: Observer, shelf: Path, tmp_path: Path
) -> None:
    """As older releases of sentence-transformers wrote it: the model lies in a folder of its own."""
    library = pytest.importorskip("sentence_transformers")
    folder = tmp_path / "encoder"
    shutil.copytree(shelf / "models" / "tiny", folder / "0_Transformer")
    (folder / "modules.json").write_text(
        '[{"idx": 0, "name": "0", "path": "0_Transformer",'
        ' "type": "sentence_transformers.models.Transformer"}]'
    )
    library.SentenceTransformer(str(folder), device="cpu")
    (load,) = observer.loads
    assert load.place.path == str(folder)
