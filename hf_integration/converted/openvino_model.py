"""OpenVINO files: ``.xml`` with a ``.bin`` beside it, and OpenVINO's own tokenizer where there is one."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_integration.base.errors import EncoderError, FlawError
from hf_integration.base.files import open_bounded
from hf_integration.base.text import quoted
from hf_integration.converted.original import Original
from hf_integration.converted.runtime import (
    LARGEST_FILE,
    MOST_TENSORS,
    Array,
    Held,
    Integers,
    needed,
    readable,
)
from hf_integration.converted.states import EMBEDDING, INPUTS, STATES, StatesModel
from hf_integration.converted.surroundings import Surroundings, read_surroundings

PLACES = ("openvino/openvino_model.xml", "openvino_model.xml")
TOKENIZER = "openvino_tokenizer.xml"

LARGEST_XML = 64 << 20
"""Bytes of a graph's text; MiniLM's takes 0.3 MB."""

INNER = frozenset({"Loop", "TensorIterator", "If"})
"""Operations that hold graphs of their own, some of which may run for ever; text encoders have none."""

_FLOATS = {"f32": "float32", "f16": "float16", "f64": "float64", "bf16": "bfloat16"}


@dataclass(frozen=True)
class _Encoding:
    """Token numbers of one text, as the library ``tokenizers`` would give them."""

    ids: list[int]
    attention_mask: list[int]
    type_ids: list[int]


class OpenvinoModel(StatesModel):
    """An OpenVINO model with its tokenizer.

    Args:
        path: as the caller named it.
        file: the ``.xml``.
        surroundings: what is beside it.
    """

    runtime = "openvino"

    def __init__(self, path: Path, file: Path, surroundings: Surroundings) -> None:
        super().__init__(path, (file, file.with_suffix(".bin")), surroundings)
        self.file = file
        self._core = needed("openvino", "openvino").Core()
        self._model = self._read(file)
        self._compiled: Any = None
        self._tokenizer: Any = None
        own = file.with_name(TOKENIZER)
        self.own_ids = not own.is_file()
        if own.is_file():
            self.read = (*self.read, own, own.with_suffix(".bin"))
            self._tokenizer = self._own_tokenizer(own)

    @classmethod
    def open(cls, path: Path, original: Original) -> "OpenvinoModel":
        """Read a file or folder.

        Raises:
            EncoderError: damaged, or of a kind that is not known here.
            UsageError: the extra is not installed.
        """
        needed("openvino", "openvino")
        file = path
        if path.is_dir():
            found = next((path / place for place in PLACES if (path / place).is_file()), None)
            if found is None:
                raise EncoderError(f"{path}: no openvino_model.xml", remedy="name the .xml file itself")
            file = found
        return cls(path, file, read_surroundings(file, original))

    def arrays(self) -> Iterator[Held]:
        """See :meth:`StatesModel.arrays`."""
        constants = [op for op in self._model.get_ordered_ops() if op.get_type_name() == "Constant"]
        if len(constants) > MOST_TENSORS:
            raise EncoderError(f"{self.file}: more than {MOST_TENSORS} arrays")
        with readable(self.file, "read"):
            integers = {name: found for op in constants if (found := _integers(op)) for name in found[1]}
            called = Counter(op.get_friendly_name() for op in constants)
            # a name that several have says of none of them that it was read with others
            taken = {part for _, parts in integers.values() for part in parts if called[part] == 1}
            for op in constants:
                name = op.get_friendly_name()
                if called[name] == 1 and name in integers and integers[name][1][0] == name:
                    yield integers[name][0]
                elif name not in taken:
                    yield _held(op)

    @property
    def pools(self) -> bool:
        """See :meth:`StatesModel.pools`."""
        return self._output() in EMBEDDING

    def run(self, encodings: Sequence[Any]) -> Array:
        """See :meth:`StatesModel.run`."""
        names, arrays = [port.get_any_name() for port in self._model.inputs], self.padded(encodings)
        if others := [name for name in names if name not in INPUTS]:
            raise EncoderError(f"{self.file}: the input '{quoted(others[0])}' is none of {', '.join(INPUTS)}")
        with readable(self.file, "run"):
            if self._compiled is None:
                # its own choice would depend on the processor: some compute in bfloat16
                hint = {"INFERENCE_PRECISION_HINT": "f32"}
                self._compiled = self._core.compile_model(self._model, "CPU", hint)
            found: Array = self._compiled({name: arrays[name] for name in names})[self._output()]
        return found

    def tokenised(self, texts: Sequence[str]) -> list[Any]:
        """See :meth:`StatesModel.tokenised`: by OpenVINO's tokenizer, if the folder has one."""
        if self._tokenizer is None:
            return super().tokenised(texts)
        lower = self.surroundings.lower
        found = []
        for text in texts:
            with readable(self.file.with_name(TOKENIZER), "used"):
                given = self.surroundings.prompt + (text.lower() if lower else text)
                said = {key.get_any_name(): value[0] for key, value in self._tokenizer([given]).items()}
            ids = [int(token) for token in said["input_ids"]]
            types = said.get("token_type_ids", np.zeros(len(ids)))
            found.append(_Encoding(ids, [1] * len(ids), [int(kind) for kind in types]))
        return found

    def cannot_run(self) -> str | None:
        """See :meth:`Converted.cannot_run`."""
        return super().cannot_run() if self._tokenizer is None else None

    def settings(self) -> tuple[str, ...]:
        """See :meth:`Converted.settings`: nothing can be compared with a graph."""
        return super().settings() if self._tokenizer is None else ()

    def said(self) -> Iterator[str]:
        """See :meth:`Converted.said`."""
        yield from super().said()
        yield "it was run in float32, which OpenVINO does by itself only on processors without bfloat16"

    def _read(self, file: Path) -> Any:
        for part, most in ((file, LARGEST_XML), (file.with_suffix(".bin"), LARGEST_FILE)):
            try:
                with open_bounded(part, most):
                    pass
            except FlawError as flaw:
                raise EncoderError(f"{part}: {flaw}", remedy="convert the encoder again") from None
        with readable(file, "read as OpenVINO"):
            model = self._core.read_model(file, file.with_suffix(".bin"))
        kinds = {op.get_type_name() for op in model.get_ops()}
        if inner := sorted(kinds & INNER):
            raise EncoderError(
                f"{file}: the operation {inner[0]} may run for ever, and no text encoder needs it"
            )
        return model

    def _own_tokenizer(self, file: Path) -> Any:
        needed("openvino_tokenizers", "openvino")
        with readable(file, "read as a tokenizer of OpenVINO"):
            core = needed("openvino", "openvino").Core()
            return core.compile_model(core.read_model(file), "CPU")

    def _output(self) -> str:
        """The output that holds hidden states, or else an embedding.

        Raises:
            EncoderError: there is none.
        """
        outputs = {port.get_any_name(): port.get_partial_shape().rank for port in self._model.outputs}
        found = [name for name in STATES if name in outputs]
        found += [name for name, rank in outputs.items() if rank.is_static and rank.get_length() == 3]
        found += [name for name in EMBEDDING if name in outputs]
        if found:
            return found[0]
        raise EncoderError(f"{self.file}: no output holds hidden states: {quoted(', '.join(outputs))}")


def _kind(op: Any) -> str:
    name = op.get_element_type().get_type_name()
    return _FLOATS.get(name, str(name))


def _held(op: Any) -> Held:
    kind, values = _kind(op), np.asarray(op.data)
    if kind == "bfloat16":  # numpy has no such type: its bits are the upper half of float32's
        bits = values.view(np.uint16).astype(np.uint32) << 16
        values = bits.view(np.float32)
    return Held(op.get_friendly_name(), values, kind)


def _integers(op: Any) -> tuple[Integers, tuple[str, ...]] | None:
    """Integers that are multiplied by a scale, as NNCF writes weights; with the names of their constants."""
    if _kind(op) not in ("i8", "u8") or op.data.size <= 1:
        return None
    parts, zero, node = [op.get_friendly_name()], None, op
    for _ in range(4):
        users = list(node.output(0).get_target_inputs())
        if len(users) != 1:
            return None
        node = users[0].get_node()
        kind = node.get_type_name()
        if kind not in ("Convert", "Subtract", "Multiply"):
            return None
        if kind == "Convert":
            continue
        other = node.input_value(1).get_node()
        while other.get_type_name() == "Convert":
            other = other.input_value(0).get_node()
        if other.get_type_name() != "Constant":
            return None
        parts.append(other.get_friendly_name())
        if kind == "Subtract":
            zero = np.asarray(other.data)
            continue
        scale = np.asarray(other.data).astype(np.float32)
        numbers = (
            np.asarray(op.data).astype(np.float32) - (0 if zero is None else zero.astype(np.float32))
        ) * scale
        held = Integers(
            parts[0], np.asarray(op.data), _kind(op), "openvino", scale, zero, numbers, len(parts)
        )
        return held, tuple(parts)
    return None
