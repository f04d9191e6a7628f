"""Every edit of a folder, by rule: each key of each file, each file, each tensor, and each known name."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save, save_file

from hf_integration.encoders.identity.behaviour import shown
from hf_integration.encoders.identity.folder_record import recorded_name
from hf_integration.encoders.modalities.sentence_modules import read_sentence_modules

WHOLE_FILES = ("added_tokens.json", "vocab.json", ".index.json")
"""Endings of files that hold names of their own, too many to name one."""

ONE_TENSOR = save({"payload": torch.ones(1)})

ADDED_FILES: dict[str, bytes] = {
    "added_tokens.json": b'{"zyzzyva": 39}',
    "adapter_config.json": b'{"peft_type": "LORA"}',
    "chat_template.jinja": b"{{ messages }}",
    "config_sentence_transformers.json": b'{"prompts": {"q": "x: "}, "default_prompt_name": "q"}',
    "generation_config.json": b'{"num_beams": 7}',
    "merges.txt": b"#version: 0.2\na b\n",
    "modules.json": b"[]",
    "preprocessor_config.json": b'{"sampling_rate": 8000, "do_normalize": false}',
    "processor_config.json": b'{"processor_class": "BarkProcessor"}',
    "sentence_bert_config.json": b'{"max_seq_length": 3}',
    "sentencepiece.bpe.model": b"\x0a\x01x",
    "special_tokens_map.json": b'{"cls_token": "[MASK]"}',
    "spiece.model": b"\x0a\x01x",
    "tokenizer.model": b"\x0a\x01x",
    "vocab.json": b'{"a": 0}',
    "vocab.txt": b"[PAD]\n",
    "pytorch_model.bin": b"\x80\x02.",
    "modeling_custom.py": b"raise SystemExit\n",
    "model.onnx": b"\x08",
    "tekken.json": b'{"config": {}}',
    "model.safetensors.index.json": b'{"weight_map": {"a": "model-00001-of-00001.safetensors"}}',
    "model-00001-of-00001.safetensors": ONE_TENSOR,
    "1_Pooling/model.safetensors": ONE_TENSOR,
    "1_Pooling/notes.json": b'{"a": 1}',
    ".hidden/modeling_custom.py": b"raise SystemExit\n",
}
"""File names that a standard loader would open, or another program would run."""

FOR_PEOPLE = ("README.md", ".gitattributes")
"""Files of a repository that nothing loads."""

ADDED_KEYS: dict[str, Any] = {
    "processor_class": "BarkProcessor",
    "tokenizer_class": "CanineTokenizer",
    "dtype": "bfloat16",
    "torch_dtype": "float16",
    "auto_map": {"AutoModel": "modeling_custom.Model"},
    "model_max_length": 4,
    "model_input_names": ["input_ids"],
    "similarity_fn_name": "dot",
    "hidden_act": "relu",
    "do_lower_case": True,
    "novelty": 1,
}


@dataclass(frozen=True)
class Edit:
    """One edit.

    Attributes:
        thing: the file, key or tensor, as a report would name it.
        what: what is done to it.
        files: name -> new content, ``None`` to remove it.
        starts: what a line begins with that names it; by default the thing and a colon.
    """

    thing: str
    what: str
    files: dict[str, bytes | None]
    starts: tuple[str, ...] = ()

    def is_named_in(self, line: str) -> bool:
        """Whether a line of a report is about this edit, and not only about something that sounds like it."""
        names = (self.thing, shown(self.thing))  # long names are cut
        return line in names or line.startswith(self.starts or tuple(f"{name}:" for name in names))


def edits_of(folder: Path) -> Iterator[Edit]:
    """All edits of a folder, in a fixed order."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    model = _model(folder)
    for name in names:
        if name in FOR_PEOPLE:
            continue
        starts = (f"{recorded_name(name, model)}:",)
        yield Edit(name, "file removed", {name: None}, starts)
        if name.endswith(".safetensors"):
            yield from _tensor_edits(folder, name)
        elif name.endswith(".json"):
            yield from _key_edits(folder, name)
        else:
            content = (folder / name).read_bytes()
            content = b"\n".join(reversed(content.split(b"\n"))) + b"x"
            yield Edit(name, "content changed", {name: content}, starts)
    for below in sorted({"", model and f"{model}/"}):
        for name, content in ((f"{below}{name}", content) for name, content in ADDED_FILES.items()):
            if name not in names and ((folder / name).parent.is_dir() or name.startswith(".")):
                yield Edit(name, "file added", {name: content}, (f"{recorded_name(name, model)}:",))


def _model(folder: Path) -> str:
    """Where the transformers model lies within the folder."""
    modules = read_sentence_modules(folder)
    path = modules.transformer.relative_to(folder).as_posix() if modules else ""
    return "" if path == "." else path


def _key_edits(folder: Path, name: str) -> Iterator[Edit]:
    content = json.loads((folder / name).read_text())

    file = recorded_name(name, _model(folder))

    def edit(path: tuple[Any, ...], what: str, value: Any) -> Edit:
        # a list is one value, and so is what lies deep; a vocabulary is the whole file
        keys = [".".join(map(_escaped, path[:length])) for length in range(1, len(path) + 1)]
        starts = [*(f"{file}: {shown(key)}:" for key in keys), f"{file}: {shown(keys[-1])}."]
        if name.endswith(WHOLE_FILES) or not isinstance(content, dict):
            starts += [f"{file}: differs"]
        named = ".".join(map(str, path))
        return Edit(named, what, {name: json.dumps(value).encode()}, tuple(starts))

    for path in _paths(content):
        kept = _at(content, path)
        yield edit(path, "value changed", _with(content, path, _another(kept)))
        yield edit(path, "key removed", _without(content, path))
    if isinstance(content, dict):
        for key, value in ADDED_KEYS.items():
            if key not in content:
                yield edit((key,), "key added", {**content, key: value})


def _escaped(key: Any) -> str:
    return str(key).replace("\\", "\\\\").replace(".", "\\.")


def _tensor_edits(folder: Path, name: str) -> Iterator[Edit]:
    tensors = load_file(folder / name)

    def saved(changed: dict[str, torch.Tensor]) -> dict[str, bytes | None]:
        other = folder.parent / "edited.safetensors"
        save_file(changed, other, metadata={"format": "pt"})
        content = other.read_bytes()
        other.unlink()
        return {name: content}

    for tensor, values in tensors.items():
        if not values.numel():
            continue  # there is nothing in it to alter
        other = values.clone()
        other.view(-1)[0] = other.view(-1)[0] + 1
        yield Edit(tensor, "value changed", saved({**tensors, tensor: other}))
        without = {key: t for key, t in tensors.items() if key != tensor}
        yield Edit(tensor, "tensor removed", saved(without))
        yield Edit(tensor, "tensor renamed", saved({**without, f"other.{tensor}": values}))
        longer = f"{tensor.partition('.')[0]}.{tensor}"  # loaders of other tasks may prefer it
        yield Edit(longer, "tensor shadowed", saved({**tensors, longer: other}))
        alike = [t for key, t in without.items() if t.shape == values.shape and not torch.equal(t, values)]
        if alike:  # values that the card knows, in another place
            yield Edit(longer, "shadowed by another", saved({**tensors, longer: alike[0].clone()}))
            yield Edit(tensor, "given another's values", saved({**tensors, tensor: alike[0].clone()}))
    yield Edit("payload.weight", "tensor added", saved({**tensors, "payload.weight": torch.ones(3, 3)}))


def _paths(value: Any, *, deepest: int = 3) -> Iterator[tuple[Any, ...]]:
    """Every key, nested ones too; long lists and vocabularies by their first and last entry."""
    if isinstance(value, dict):
        keys = list(value)
        keys = keys if len(keys) <= 40 else [keys[0], keys[-1]]
    elif isinstance(value, list):
        keys = [] if not value else sorted({0, len(value) - 1})
    else:
        return
    for key in keys:
        yield (key,)
        if deepest > 1:
            yield from ((key, *below) for below in _paths(value[key], deepest=deepest - 1))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    copied = json.loads(json.dumps(value))
    _at(copied, path[:-1])[path[-1]] = new
    return copied


def _without(value: Any, path: tuple[Any, ...]) -> Any:
    copied = json.loads(json.dumps(value))
    del _at(copied, path[:-1])[path[-1]]
    return copied


def _another(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 1.5 + 0.001
    if isinstance(value, str):
        return f"{value}x"
    if value is None:
        return "x"
    return [*value, "x"] if isinstance(value, list) else {**value, "x": 1}
