"""ONNX files: every array of numbers in a graph, read without running anything and within bounds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from hf_integration.base.errors import EncoderError, FlawError
from hf_integration.base.files import open_bounded, read_exactly
from hf_integration.base.text import quoted
from hf_integration.converted.runtime import (
    LARGEST_FILE,
    MOST_TENSORS,
    Array,
    Held,
    Integers,
    needed,
    readable,
)

LARGEST_MODEL = (1 << 31) - 1
"""Bytes of a file of Protocol Buffers; larger weights are in files beside it."""

ENDLESS = frozenset({"Loop", "Scan", "SequenceMap"})
"""Operators that may run for ever; exporters write none of them for text encoders."""

_ORT = b"ORTM"
"""By which ONNX Runtime knows its own format, even where the file can be read as ONNX as well."""

_EXTERNAL = 1  # TensorProto.EXTERNAL
_FLOATS, _WHOLE, _STRING = 1, 7, 8  # TensorProto.FLOAT, INT64, STRING
_FLOAT, _INTEGER = 1, 2  # AttributeProto.FLOAT, INT
_KINDS = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}
_INTEGERS = {2: "uint8", 3: "int8"}


@dataclass(frozen=True, eq=False)
class Graph:
    """A model file.

    Attributes:
        path: where it is.
        data: its bytes, which are also what is run.
        model: what they say, external data not loaded.
        inputs: names of the inputs that no initialiser fills.
        outputs: name of each output -> number of its axes, 0 if the file does not say.
        operators: names of all operators.
        external: files beside it that hold numbers.
    """

    path: Path
    data: bytes
    model: Any
    inputs: tuple[str, ...]
    outputs: Mapping[str, int]
    operators: frozenset[str]
    external: tuple[Path, ...]

    def tensors(self) -> Iterator[Held]:
        """Every array: initialisers, constants and long lists in nodes, in subgraphs and functions as well.

        Raises:
            EncoderError: external data that are not there, or more arrays than any encoder has.
        """
        with readable(self.path, "read"):
            arrays = dict(self._arrays())
        scales = _dequantised(self.model.graph)
        taken = set()
        for name in list(arrays):
            parts = scales.get(name) or _by_name(name, arrays)
            if arrays[name][1] in _INTEGERS.values() and parts and set(parts) <= arrays.keys():
                taken |= {name, *parts}
                scale, zero = (arrays[part][0] for part in (*parts, parts[0])[:2])
                yield _quantised(name, *arrays[name], scale, zero if len(parts) == 2 else None)
        for name, (values, kind) in arrays.items():
            if name not in taken:
                yield Held(name, values, kind)

    def _arrays(self) -> Iterator[tuple[str, tuple[Array, str]]]:
        seen: dict[str, int] = {}
        for found, (name, tensor) in enumerate(_tensors(self.model)):
            if found >= MOST_TENSORS:
                raise FlawError("", f"more than {MOST_TENSORS} arrays")
            seen[name] = seen.get(name, 0) + 1
            told_apart = name if seen[name] == 1 else f"{name} #{seen[name]}"
            yield told_apart, _values(tensor, self.path.parent)


def read_graph(path: Path) -> Graph:
    """Read and check a model file; numbers beside it are not loaded yet.

    Raises:
        EncoderError: damaged, or with operators that may run for ever, or data outside of its folder.
        UsageError: the extra ``onnx`` is not installed.
    """
    needed("onnx", "onnx")
    try:
        with open_bounded(path, LARGEST_MODEL) as (stream, size):
            data = bytes(read_exactly(stream, size))
    except FlawError as flaw:
        raise EncoderError(f"{path}: {flaw}", remedy="convert the encoder again") from None
    return parsed(path, data)


def parsed(path: Path, data: bytes) -> Graph:
    """The graph that bytes say; see :func:`read_graph`.

    Args:
        path: where they are from; numbers beside it are looked for in its folder.
        data: of a model file.
    """
    import onnx

    if data[4:8] == _ORT:
        raise EncoderError(
            f"{path}: in ONNX Runtime's own format", remedy="name the ONNX file that it was made of"
        )
    with readable(path, "read as ONNX"):
        model = onnx.ModelProto.FromString(data)
    if not model.graph.node:
        raise EncoderError(f"{path}: no ONNX graph", remedy="name a file that holds one")
    operators = frozenset(node.op_type for graph in _graphs(model) for node in graph.node)
    if endless := sorted(operators & ENDLESS):
        raise EncoderError(
            f"{path}: the operator {endless[0]} may run for ever, and no text encoder needs it"
        )
    named = {tensor.name for tensor in model.graph.initializer}
    return Graph(
        path,
        data,
        model,
        tuple(entry.name for entry in model.graph.input if entry.name not in named),
        {entry.name: len(entry.type.tensor_type.shape.dim) for entry in model.graph.output},
        operators,
        tuple(_external_files(model, path.parent)),
    )


def _graphs(model: Any) -> Iterator[Any]:
    """The graph, functions, and every graph within a node or a default of these."""
    waiting = [model.graph, *model.functions, *(info.algorithm for info in model.training_info)]
    while waiting:
        graph = waiting.pop()
        yield graph
        for attribute in _attributes(graph):
            waiting += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def _attributes(graph: Any) -> Iterator[Any]:
    """Of all nodes of a graph; and what a function takes where a node that calls it says nothing."""
    yield from getattr(graph, "attribute_proto", ())
    for node in graph.node:
        yield from node.attribute


def _tensors(model: Any) -> Iterator[tuple[str, Any]]:
    """Name and ``TensorProto`` of every array; numbers and letters of nodes are arrays as well."""
    for graph in _graphs(model):
        for tensor in getattr(graph, "initializer", ()):
            yield tensor.name, tensor
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from _sparse(sparse)
        for attribute in getattr(graph, "attribute_proto", ()):
            yield from _said_by(f"{graph.name}: {attribute.name}", attribute)
        for node in graph.node:
            name = node.output[0] if node.op_type == "Constant" and node.output else node.name
            for attribute in node.attribute:
                said = name if node.op_type == "Constant" else f"{name}: {attribute.name}"
                yield from _said_by(said, attribute)


def _said_by(name: str, attribute: Any) -> Iterator[tuple[str, Any]]:
    """Arrays of an attribute: tensors, and whatever else may hold as many numbers as somebody likes."""
    from onnx import helper

    for tensor in (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors):
        yield name, tensor
    sparse = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
    for one in (*sparse, *attribute.sparse_tensors):
        yield from _sparse(one)
    floats = [*attribute.floats, *([attribute.f] if attribute.type == _FLOAT else [])]
    whole = [*attribute.ints, *([attribute.i] if attribute.type == _INTEGER else [])]
    letters = [*attribute.strings, *([attribute.s] if attribute.s else [])]
    for values, kind in ((floats, _FLOATS), (whole, _WHOLE), (letters, _STRING)):
        if values:
            yield name, helper.make_tensor(name, kind, [len(values)], values)


def _sparse(tensor: Any) -> Iterator[tuple[str, Any]]:
    yield f"{tensor.values.name} (sparse)", tensor.values
    yield f"{tensor.values.name} (sparse, places)", tensor.indices


def _values(tensor: Any, folder: Path) -> tuple[Array, str]:
    from onnx import numpy_helper

    if tensor.data_location == _EXTERNAL:
        tensor = _loaded(tensor, folder)
    if tensor.data_type == _STRING:
        joined = b"\0".join(tensor.string_data)
        return np.frombuffer(joined, dtype=np.uint8), "string"
    values = numpy_helper.to_array(tensor)
    kind = _KINDS.get(tensor.data_type) or _INTEGERS.get(tensor.data_type) or str(values.dtype)
    if values.dtype.kind not in "fiubc":  # types of 8 bits and fewer, and bfloat16, which numpy does not know
        values = values.astype(np.int32 if "int" in kind else np.float32)
    return values, kind


def _said(tensor: Any) -> Mapping[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _external_files(model: Any, folder: Path) -> Iterator[Path]:
    """Files that hold numbers, each a plain name in the folder of the model.

    Raises:
        EncoderError: a name that leads elsewhere, or a file that is none.
    """
    names = dict.fromkeys(
        _said(tensor).get("location", "")
        for _, tensor in _tensors(model)
        if tensor.data_location == _EXTERNAL
    )
    for name in names:
        if not name or PurePosixPath(name).name != name or "\\" in name:
            raise EncoderError(f"{folder}: numbers in '{quoted(name)}', which is not beside the model")
        if not (folder / name).is_file():
            raise EncoderError(
                f"{folder / name}: missing, and the model has its numbers there",
                remedy="the copy is incomplete: get it again",
            )
        yield folder / name


def _loaded(tensor: Any, folder: Path) -> Any:
    """A tensor with its numbers from the file beside the model.

    Raises:
        FlawError: they are not there, or not as many as they have to be.
    """
    said = _said(tensor)
    with open_bounded(folder / said["location"], LARGEST_FILE) as (stream, size):
        start = int(said.get("offset", 0))
        length = int(said.get("length", size - start))
        if not (0 <= start <= size and 0 <= length <= size - start):
            raise FlawError("", f"'{quoted(tensor.name)}' is behind the end of its file")
        stream.seek(start)
        data = bytes(read_exactly(stream, length))
    copy = type(tensor)()
    copy.name, copy.data_type, copy.raw_data = tensor.name, tensor.data_type, data
    copy.dims.extend(tensor.dims)
    return copy


def _dequantised(graph: Any) -> dict[str, tuple[str, ...]]:
    """Name of an array of integers -> names of its scale and zero point, where a node says so."""
    return {
        node.input[0]: tuple(name for name in node.input[1:3] if name)
        for node in graph.node
        if node.op_type == "DequantizeLinear" and len(node.input) > 1
    }


def _by_name(name: str, arrays: Mapping[str, Any]) -> tuple[str, ...]:
    """Scale and zero point of weights, which onnxruntime names after them for dynamic scales."""
    stem = name.removesuffix("_quantized")
    parts = f"{stem}_scale", f"{stem}_zero_point"
    return parts if stem != name and parts[0] in arrays and parts[1] in arrays else ()


def _quantised(name: str, values: Array, kind: str, scale: Array, zero: Array | None) -> Integers:
    def spread(part: Array) -> Array:
        if part.size == 1:
            return part.reshape(())
        axis = next((axis for axis in (1, 0) if values.ndim > axis and values.shape[axis] == part.size), None)
        if axis is None:
            raise EncoderError(f"'{quoted(name)}': {part.size} scales for {values.shape} integers")
        return part.reshape([-1 if place == axis else 1 for place in range(values.ndim)])

    offset = np.int32(0) if zero is None else spread(zero).astype(np.int32)
    numbers = (values.astype(np.int32) - offset).astype(np.float32) * spread(scale).astype(np.float32)
    return Integers(name, values, kind, "onnx", scale, zero, numbers, arrays=2 if zero is None else 3)
