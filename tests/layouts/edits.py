"""Every edit of a folder, by rule: each key of each file, each file, each tensor, and each known name."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

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
}
"""File names that a standard loader would open, or another program would run."""

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
    """

    thing: str
    what: str
    files: dict[str, bytes | None]


def edits_of(folder: Path) -> Iterator[Edit]:
    """All edits of a folder, in a fixed order."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    for name in names:
        yield Edit(name, "file removed", {name: None})
        if name.endswith(".safetensors"):
            yield from _tensor_edits(folder, name)
        elif name.endswith(".json"):
            yield from _key_edits(folder, name)
        else:
            content = (folder / name).read_bytes()
            yield Edit(name, "content changed", {name: b"\n".join(reversed(content.split(b"\n"))) + b"x"})
    for name, content in ADDED_FILES.items():
        if name not in names:
            yield Edit(name, "file added", {name: content})


def _key_edits(folder: Path, name: str) -> Iterator[Edit]:
    content = json.loads((folder / name).read_text())

    def edit(thing: str, what: str, value: Any) -> Edit:
        return Edit(thing, what, {name: json.dumps(value).encode()})

    for path in _paths(content):
        kept = _at(content, path)
        thing = str(path[-1])
        yield edit(thing, "value changed", _with(content, path, _another(kept)))
        yield edit(thing, "key removed", _without(content, path))
    if isinstance(content, dict):
        for key, value in ADDED_KEYS.items():
            if key not in content:
                yield edit(key, "key added", {**content, key: value})


def _tensor_edits(folder: Path, name: str) -> Iterator[Edit]:
    tensors = load_file(folder / name)

    def saved(changed: dict[str, torch.Tensor]) -> dict[str, bytes | None]:
        other = folder.parent / "edited.safetensors"
        save_file(changed, other, metadata={"format": "pt"})
        content = other.read_bytes()
        other.unlink()
        return {name: content}

    for tensor, values in tensors.items():
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
