"""What a library would parse is counted first, and nothing that was not looked at is opened."""

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from hf_integration.base.errors import EncoderError
from hf_integration.encoders import open_encoder
from hf_integration.encoders.files import folder as encoder_folder
from hf_integration.encoders.files import folder_files
from hf_integration.encoders.files.folder_files import LARGEST_VOCABULARY, MOST_LINES, files_of
from hf_integration.encoders.files.json_values import DEEPEST, MOST_VALUES
from hf_integration.encoders.files.support import MOST_OF_A_PROCESSOR
from hf_integration.encoders.identity import stored_tensors, tensor_digests
from hf_integration.snapshot import selection
from tests.encoders import tiny_models
from tests.encoders.test_careful_files import NAMES
from tests.encoders.test_refusals import edit_json
from tests.encoders.test_sentence_folders import write


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save("bert", tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def sentence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("sentence") / "encoder", "Pooling", "Dense")


@pytest.fixture
def copy(bert: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bert, tmp_path / "copy"))


def refused(folder: Path, message: str) -> None:
    with pytest.raises(EncoderError, match=message) as caught:
        open_encoder(folder, name="x", device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".json") and "index" not in name])
def test_every_json_file_is_counted_whether_this_encoder_reads_it_or_not(
    name: str, sentence: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(sentence, tmp_path / "copy"))
    (copy / name).write_bytes(b"[" * (MOST_VALUES + 1))
    refused(copy, f"{name}: {MOST_VALUES + 1} values, more than any genuine file has")


def test_lines_of_vocabularies_and_bytes_of_those_in_other_formats_are_bounded(copy: Path) -> None:
    for name, content in {
        "vocab.txt": b"\n" * (MOST_LINES + 1),
        "merges.txt": b"\n" * (MOST_LINES + 1),
        "spiece.model": b"x" * (LARGEST_VOCABULARY + 1),
        "chat_template.jinja": b"x" * (LARGEST_VOCABULARY + 1),
    }.items():
        (copy / name).write_bytes(content)
        refused(copy, name)
        (copy / name).unlink()
    open_encoder(copy, name="x", device="cpu")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("depth", [DEEPEST, 200, 900])
def test_what_is_nested_too_deep_for_whatever_walks_through_it_is_refused(
    name: str, depth: int, copy: Path
) -> None:
    content = (copy / name).read_text().rstrip().removesuffix("}")
    (copy / name).write_text(f'{content}, "deep": {"[" * depth}{"]" * depth}}}')
    refused(copy, f"{name}: nested deeper than {DEEPEST} levels")


def edit_header(edit: Callable[[dict[str, Any], int], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = (folder / "model.safetensors").read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        header, tensors = json.loads(data[8 : 8 + length]), data[8 + length :]
        edit(header, len(tensors))
        written = json.dumps(header).encode()
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(written)) + written + tensors)

    return damage


def entry(dtype: str, shape: list[int], *places: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": list(places)}


def without_first(header: dict[str, Any], end: int) -> None:
    del header[min(header.keys() - {"__metadata__"}, key=lambda name: header[name]["data_offsets"])]


def with_empty_lists(header: dict[str, Any], end: int) -> None:
    header["x"] = [[]] * (MOST_VALUES // 2)


HEADERS: dict[str, Callable[[dict[str, Any], int], object]] = {
    "more values than any file": with_empty_lists,
    "tensors that overlap": lambda header, end: header.update(x=entry("U8", [end], 0, end)),
    "a gap": without_first,
    "a shape that fills no bytes": lambda header, end: header.update(x=entry("U64", [10**12], end, end)),
    "an end before its beginning": lambda header, end: header.update(x=entry("U8", [0], end, 0)),
    "a negative side": lambda header, end: header.update(x=entry("U8", [-1, 0], end, end)),
}


@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_that_claims_numbers_which_are_not_in_the_file_is_damaged(kind: str, copy: Path) -> None:
    edit_header(HEADERS[kind])(copy)
    refused(copy, "damaged safetensors header")


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("config.json", "transformers_weights", "other.safetensors"),
        ("config.json", "configuration_files", ["config.4.0.0.json"]),
        ("tokenizer_config.json", "fast_tokenizer_files", ["../tokenizer.4.0.0.json"]),
    ],
)
def test_a_key_that_leads_a_library_to_another_file_is_refused(
    name: str, key: str, value: Any, copy: Path
) -> None:
    shutil.copy(copy / "model.safetensors", copy / "other.safetensors")
    shutil.copy(copy / "config.json", copy / "config.4.0.0.json")
    edit_json(name, **{key: value})(copy)
    refused(copy, f"{name}: {key} names other files")


def test_a_dense_layer_takes_no_memory_before_its_weights_have_been_found_to_fit(tmp_path: Path) -> None:
    folder = write(tmp_path / "encoder", "Pooling", "Dense")
    dense = folder / "2_Dense"
    save_file({"linear.weight": torch.ones(8, 32), "linear.bias": torch.ones(8)}, dense / "model.safetensors")
    for width, height in ((32, 8), (2**20 - 1, 2**20 - 1)):  # the second one would take four terabytes
        settings = {"in_features": width, "out_features": height, "bias": True}
        (dense / "config.json").write_text(json.dumps(settings))
        if width == 32:
            assert open_encoder(folder, name="x", device="cpu").embed(["cat"]).shape == (1, 8)
    refused(folder, "weights do not fit the module's config.json")


def test_files_behind_a_linked_folder_are_looked_at(sentence: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(sentence, tmp_path / "copy"))
    shutil.move(copy / "1_Pooling", tmp_path / "elsewhere")
    (copy / "1_Pooling").symlink_to(tmp_path / "elsewhere")
    assert "1_Pooling/config.json" in files_of(copy).used
    (tmp_path / "elsewhere" / "vocab.txt").symlink_to("/dev/zero")
    refused(copy, "vocab.txt: not a regular file")


def test_no_number_of_other_files_hides_one(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "MOST_LOOKED_AT", 2)
    monkeypatch.setattr(folder_files, "MOST_LOOKED_AT", 2)
    for number in range(3):
        (copy / f"a{number}.md").touch()
    found = files_of(copy)
    assert not found.all_seen
    assert {"config.json", "tokenizer.json", "model.safetensors"} <= set(found.used)


@pytest.mark.parametrize("key", [*MOST_OF_A_PROCESSOR])
@pytest.mark.parametrize("name", ["preprocessor_config.json", "processor_config.json"])
def test_a_processor_that_makes_more_of_a_sample_than_any_encoder_takes_is_refused(
    key: str, name: str, tmp_path: Path
) -> None:
    folder = tiny_models.save("vit", tmp_path)
    most = MOST_OF_A_PROCESSOR[key]
    for value in (most + 1, float(most + 1), [1, most + 1]):
        edit_json(name, image_processor={"size": {key: value}})(folder)
        refused(folder, f"{name}: {key} {most + 1}.* more than any encoder takes")


OPENED = """
import sys
from pathlib import Path
opened = set()
def listen(event, arguments):
    if event == "open" and isinstance(arguments[0], str | bytes | Path):
        opened.add(Path(str(arguments[0])).absolute())
from hf_integration.encoders import open_encoder
from hf_integration.encoders.files.folder_files import files_of
sys.addaudithook(listen)
for folder in map(Path, sys.argv[1:]):
    opened.clear()
    open_encoder(folder, name="x", device="cpu")
    mine = {path.relative_to(folder).as_posix() for path in opened if path.is_relative_to(folder)}
    assert "config.json" in mine, mine
    print(sorted(mine - {".", *files_of(folder).used}))
"""


def test_libraries_open_only_files_that_were_looked_at(tmp_path: Path) -> None:
    folders = [tiny_models.save(name, tmp_path / name) for name in ("bert", "vit", "clip", "whisper")]
    folders.append(write(tmp_path / "sentence", "Pooling", "Normalize"))
    for folder in folders:
        for more in ("README.md", "notes.yaml", "model.onnx", "code.py"):
            (folder / more).write_text("x")
    done = subprocess.run(
        [sys.executable, "-c", OPENED, *folders], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[]"] * len(folders), done.stdout


def test_many_small_tensors_are_neither_compared_each_with_each_nor_hashed_in_threads_of_their_own(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[torch.Tensor] = []
    bits = stored_tensors._bits

    def listen(tensor: torch.Tensor) -> torch.Tensor:
        looked_at.append(tensor)
        return bits(tensor)

    monkeypatch.setattr(stored_tensors, "_bits", listen)
    monkeypatch.setattr(tensor_digests, "ThreadPoolExecutor", None)
    loaded = {f"layer{index}": torch.full((16,), float(index)) for index in range(200)}
    renamed = {f"renamed{index}": loaded[f"layer{index}"].half() for index in range(200)}
    extra = {f"more{index}": torch.full((16,), -1.0 - index) for index in range(200)}
    save_file({**loaded, **renamed, **extra}, copy / "model.safetensors", metadata={"format": "pt"})
    found = stored_tensors.stored_tensors([copy / "model.safetensors"], loaded, whole=loaded)
    assert found.digests.keys() == extra.keys()
    assert found.loaded == {
        f"{kind}{index}": f"layer{index}" for kind in ("layer", "renamed") for index in range(200)
    }
    assert len(looked_at) == 4 * 200  # each once, in the file and in memory


def test_more_tensors_than_any_encoder_has_are_refused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_folder, "MOST_TENSORS", len(load_file(copy / "model.safetensors")))
    open_encoder(copy, name="x", device="cpu")
    weights = load_file(copy / "model.safetensors") | {"more": torch.zeros(0)}
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    refused(copy, "tensors, more than any encoder has")
