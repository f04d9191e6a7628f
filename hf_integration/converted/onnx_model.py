"""ONNX files run by ONNX Runtime: a file with a tokenizer beside it, or a folder of sentence-transformers."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hf_integration.base.errors import EncoderError
from hf_integration.base.text import quoted
from hf_integration.converted.onnx_graph import Graph, parsed, read_graph
from hf_integration.converted.onnx_making import quantised_bytes
from hf_integration.converted.runtime import Array, Converted, Held, needed, readable
from hf_integration.converted.surroundings import Surroundings, padded, read_surroundings
from hf_integration.encoders.running.torch_encoder import TorchEncoder

PLACES = ("onnx/model.onnx", "model.onnx")
"""Where sentence-transformers and optimum put a model within a folder; others are named by their file."""

EMBEDDING = ("sentence_embedding", "embedding", "embeddings", "text_embeds")
"""Names of outputs that are embeddings: what follows the pooling is in the graph."""

INTEGER_ACTIVATIONS = frozenset(
    {"DynamicQuantizeLinear", "MatMulInteger", "QLinearMatMul", "DynamicQuantizeMatMul", "QuantizeLinear"}
)

QUIET = 4
"""Severity from which the runtime prints: it would write warnings beside the report."""


class OnnxModel(Converted):
    """An ONNX model with its tokenizer.

    Args:
        path: as the caller named it.
        graph: the model.
        surroundings: what is beside it.
    """

    runtime = "onnx"

    def __init__(self, path: Path, graph: Graph, surroundings: Surroundings) -> None:
        super().__init__(path, (graph.path, *graph.external, *surroundings.read))
        self.graph = graph
        self.surroundings = surroundings
        self.chaotic = bool(graph.operators & INTEGER_ACTIVATIONS)
        self._session: Any = None

    @classmethod
    def open(cls, path: Path, encoder: TorchEncoder) -> "OnnxModel":
        """Read a file or folder.

        Raises:
            EncoderError: damaged, or of a kind that is not known here.
            UsageError: the extra is not installed.
        """
        graph = read_graph(model_file(path))
        return cls(path, graph, read_surroundings(graph.path, encoder))

    def tensors(self) -> Iterator[Held]:
        """See :meth:`Converted.tensors`."""
        yield from self.graph.tensors()
        for name, values in self.surroundings.tail_tensors():
            yield Held(name, values, "float32")

    def ids(self, texts: Sequence[str]) -> list[list[int]] | None:
        """See :meth:`Converted.ids`."""
        return self.surroundings.ids(texts)

    def cannot_run(self) -> str | None:
        """See :meth:`Converted.cannot_run`."""
        return None if self.surroundings.tokenizer else "no tokenizer.json is beside the model"

    def settings(self) -> tuple[str, ...]:
        """See :meth:`Converted.settings`."""
        return self.surroundings.settings()

    @property
    def has_tail(self) -> bool:
        """See :meth:`Converted.has_tail`."""
        return self.surroundings.own

    def reference(self, encoder: TorchEncoder, rules: Collection[str]) -> Converted | str:
        """See :meth:`Converted.reference`."""
        if self._embedding():
            return "its graph holds the pooling as well"
        made = quantised_bytes(encoder, self.graph.inputs, rules)
        if isinstance(made, str):
            return made
        return OnnxModel(self.path, parsed(self.graph.path, made), self.surroundings)

    def said(self) -> Iterator[str]:
        """See :meth:`Converted.said`."""
        if not self.surroundings.own and not self._embedding():
            yield "no modules.json says how it pools, so it was pooled as the trusted copy does"

    def embed(self, texts: Sequence[str], *, together: bool = False) -> Array:
        """See :meth:`Converted.embed`."""
        encodings = self.surroundings.tokenised(texts)
        groups = [encodings] if together else [[found] for found in encodings]
        return np.concatenate([self._embedded(group) for group in groups])

    def _embedded(self, encodings: Sequence[Any]) -> Array:
        arrays = padded(encodings, fill=self.surroundings.encoder.processor.pad_token_id or 0)
        session = self._started()
        output = self._embedding() or self._states()
        with readable(self.graph.path, "run"):
            found = session.run([output], {name: arrays[name] for name in self.graph.inputs})[0]
        if self._embedding():
            embedding: Array = np.asarray(found, dtype=np.float64)
            if embedding.ndim != 2:
                raise EncoderError(f"{self.graph.path}: '{quoted(output)}' has {embedding.ndim} axes")
            return embedding
        return self.surroundings.pooled({"last_hidden_state": found}, arrays["attention_mask"])

    def _embedding(self) -> str | None:
        """The output that is an embedding, if no output holds hidden states."""
        if self._states_named():
            return None
        return next((name for name in EMBEDDING if name in self.graph.outputs), None)

    def _states_named(self) -> str | None:
        names = [name for name in ("last_hidden_state", "token_embeddings") if name in self.graph.outputs]
        names += [name for name, axes in self.graph.outputs.items() if axes == 3]
        return next(iter(names), None)

    def _states(self) -> str:
        if found := self._states_named():
            return found
        raise EncoderError(
            f"{self.graph.path}: no output holds hidden states or an embedding: "
            f"{quoted(', '.join(self.graph.outputs))}",
            remedy="export the encoder with the output last_hidden_state or sentence_embedding",
        )

    def _started(self) -> Any:
        """The runtime with the bytes that were read; no library of operators is ever loaded."""
        if self._session is not None:
            return self._session
        known = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
        if others := [name for name in self.graph.inputs if name not in known]:
            raise EncoderError(
                f"{self.graph.path}: the input '{quoted(others[0])}' is none of {', '.join(known)}"
            )
        runtime = needed("onnxruntime", "onnx")
        options = runtime.SessionOptions()
        options.log_severity_level = QUIET
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(self.graph.path.parent)
        )
        with readable(self.graph.path, "loaded by ONNX Runtime"):
            self._session = runtime.InferenceSession(
                self.graph.data, options, providers=["CPUExecutionProvider"]
            )
        return self._session


def model_file(path: Path) -> Path:
    """The model file that a file or folder is.

    Raises:
        EncoderError: a folder with none, or with several of which none has the usual name.
    """
    if path.is_file():
        return path
    if found := next((path / place for place in PLACES if (path / place).is_file()), None):
        return found
    others = sorted(path.glob("*.onnx")) + sorted(path.glob("onnx/*.onnx"))
    if len(others) == 1:
        return others[0]
    said = f"{len(others)} ONNX files" if others else "no ONNX file"
    raise EncoderError(f"{path}: {said}", remedy="name the file itself, DIR/onnx/NAME.onnx")
