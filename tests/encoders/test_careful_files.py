"""Nothing in an encoder's folder is opened that is no regular file, or built that its weights do not fill."""

import json
import multiprocessing
import os
import resource
import shutil
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hf_integration.base.errors import EncoderError
from hf_integration.encoders import open_encoder
from hf_integration.encoders.files.json_values import MAX_BYTES, MOST_VALUES, read_json
from tests.encoders import tiny_models
from tests.encoders.test_sentence_folders import write

NAMES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "tokenizer.model",
    "bpe.codes",
    "preprocessor_config.json",
    "processor_config.json",
    "chat_template.jinja",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
    "2_Dense/config.json",
    "2_Dense/model.safetensors",
    "model.safetensors",
    "model.safetensors.index.json",
)
"""Files that a standard loader of a sentence-transformers folder would open."""


def _socket(path: Path) -> None:
    with suppress(OSError), socket.socket(socket.AF_UNIX) as opened:  # a path may be too long for one
        opened.bind(str(path))
    if not os.path.lexists(path):
        os.mkfifo(path)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)


KINDS: dict[str, Callable[[Path], Any]] = {
    "FIFO": os.mkfifo,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "link to nowhere": lambda path: path.symlink_to("gone"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "folder": Path.mkdir,
    "socket": _socket,
    "too large": _huge,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write(tmp_path_factory.mktemp("whole") / "encoder", "Pooling", "Dense")
    settings = {"in_features": 32, "out_features": 8, "bias": False}
    (folder / "2_Dense" / "config.json").write_text(json.dumps(settings))
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_stands_for_a_file_is_refused_before_it_is_opened(
    kind: str, whole: Path, tmp_path: Path
) -> None:
    for number, name in enumerate(NAMES):
        if kind == "too large" and name.endswith(".safetensors"):
            continue  # weights may be of any size
        copy = Path(shutil.copytree(whole, tmp_path / str(number)))
        file = copy / name
        file.unlink(missing_ok=True)
        KINDS[kind](file)
        with pytest.raises(EncoderError, match=file.name) as refused:
            open_encoder(copy, name="x", device="cpu")
        assert "\n" not in str(refused.value)
        shutil.rmtree(copy)


def test_a_link_to_a_file_is_followed_as_the_cache_of_the_hub_is_made_of_links(
    tmp_path: Path,
) -> None:
    folder = tiny_models.save("bert", tmp_path / "blobs")
    linked = tmp_path / "linked"
    linked.mkdir()
    for file in folder.iterdir():
        (linked / file.name).symlink_to(file)
    assert open_encoder(linked, name="x", device="cpu").description.architecture == "bert"


@pytest.mark.parametrize("content", [b"[" * 9_000_000, b'{"a":[' + b"[]," * 5_000_000 + b"0]}"])
def test_json_of_more_values_than_any_genuine_file_is_not_parsed(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(EncoderError, match="values, more than any genuine file has"):
        read_json(tmp_path / "tokenizer.json")


@pytest.mark.parametrize("depth", [2_000, 1_000_000])
def test_json_that_is_nested_deeply_is_refused(depth: int, tmp_path: Path) -> None:
    assert depth < MOST_VALUES
    (tmp_path / "config.json").write_bytes(b'{"a":' * depth)
    with pytest.raises(EncoderError, match=r"config\.json"):
        read_json(tmp_path / "config.json")


def test_a_key_that_occurs_twice_is_refused_as_libraries_take_either_value(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"hidden_act": "relu", "hidden_act": "gelu"}')
    with pytest.raises(EncoderError, match="hidden_act: the key occurs twice"):
        read_json(tmp_path / "config.json")


LONGEST = 10  # seconds of one of them
MEMORY = 1 << 29
"""Bytes that an edited configuration may take beyond what the process has already."""


FILES = ("config.json", "preprocessor_config.json", "tokenizer_config.json")
ALL = (200_000, 45_000_000, 10**9)
"""Written in the place of each number: a width, a vocabulary, anything at all."""

SIZES = {
    **dict.fromkeys(("bert", "whisper"), ALL),
    **dict.fromkeys(("mobilebert", "funnel"), (200_000,)),  # their numbers of modules have names of their own
    **dict.fromkeys(("clip", "wav2vec2", "swin", "resnet"), (10**9,)),
}


def _try_every_number(root: Path, sizes: dict[str, tuple[int, ...]], queue: Any) -> None:
    """In a process of its own: every whole number of every settings file, made so large."""
    folders = [tiny_models.save(name, root / name) for name in sizes]
    for folder in folders:  # imports what is needed
        open_encoder(folder, name="x", device="cpu")
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    ends: dict[str, str] = {}
    for file in (folder / name for folder in folders for name in FILES):
        if not file.exists():
            continue
        text = file.read_text()
        for path in _numbers(json.loads(text)):
            for size in sizes[file.parent.name]:
                file.write_text(_edited(text, path, size))
                ends[f"{file.parent.name}/{file.name}: {path} = {size}"] = _end_of(file.parent)
        file.write_text(text)
    queue.put(ends)


def _edited(text: str, path: tuple[Any, ...], size: int) -> str:
    values = json.loads(text)
    place = values
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = size
    return json.dumps(values)


def _end_of(folder: Path) -> str:
    began = time.monotonic()
    try:
        open_encoder(folder, name="x", device="cpu")
        end = "loaded"
    except EncoderError as error:
        end = "refused" if "emory" not in str(error) else f"out of memory: {error}"
    except BaseException as error:
        end = repr(error)
    return end if time.monotonic() - began < LONGEST else f"{end}, too late"


def _numbers(value: Any) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in entries:
        if type(item) is int:
            found.append((key,))
        elif isinstance(item, dict | list):
            found += [(key, *below) for below in _numbers(item)]
    return found


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is bounded on Linux only")
def test_no_number_of_any_settings_asks_for_memory_that_the_weights_do_not_fill(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_try_every_number, args=(tmp_path, SIZES, queue), daemon=True)
    process.start()
    ends = queue.get(timeout=240)
    process.join(60)
    print(f"{len(ends)} edits: {Counter(ends.values())}")
    assert not {edit: end for edit, end in ends.items() if end not in ("refused", "loaded")}
    for name in SIZES:
        assert "refused" in {end for edit, end in ends.items() if edit.startswith(f"{name}/config.json")}
