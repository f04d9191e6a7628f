"""ONNX files run by ONNX Runtime: a file with a tokenizer beside it, or a folder of sentence-transformers."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hf_integration.base.errors import EncoderError
from hf_integration.base.text import quoted
from hf_integration.converted.onnx_graph import Graph, parsed, read_graph
from hf_integration.converted.onnx_making import quantised_bytes
from hf_integration.converted.original import Original
from hf_integration.converted.runtime import Array, Converted, Held, RuntimeName, needed, readable
from hf_integration.converted.states import EMBEDDING, INPUTS, STATES, StatesModel
from hf_integration.converted.surroundings import Surroundings, read_surroundings
from hf_integration.encoders.running.torch_encoder import TorchEncoder

PLACES = ("onnx/model.onnx", "model.onnx", "model_optimized.onnx")
"""Where sentence-transformers, optimum and fastembed put a model within a folder."""

INTEGER_ACTIVATIONS = frozenset(
    {"DynamicQuantizeLinear", "MatMulInteger", "QLinearMatMul", "DynamicQuantizeMatMul", "QuantizeLinear"}
)

SAME = 0.9999
"""Cosine from which two outputs are one embedding; half precision is within 1e-5 of 1."""

QUIET = 4
"""Severity from which the runtime prints: it would write warnings beside the report."""


class OnnxModel(StatesModel):
    """An ONNX model with its tokenizer.

    Args:
        path: as the caller named it.
        graph: the model.
        surroundings: what is beside it.
    """

    runtime: ClassVar[RuntimeName] = "onnx"

    def __init__(self, path: Path, graph: Graph, surroundings: Surroundings) -> None:
        super().__init__(path, (graph.path, *graph.external), surroundings)
        self.graph = graph
        self.chaotic = bool(graph.operators & INTEGER_ACTIVATIONS)
        self._session: Any = None

    @classmethod
    def open(cls, path: Path, original: Original) -> "OnnxModel":
        """Read a file or folder.

        Raises:
            EncoderError: damaged, or of a kind that is not known here.
            UsageError: the extra is not installed.
        """
        graph = read_graph(model_file(path))
        return cls(path, graph, read_surroundings(graph.path, original))

    def arrays(self) -> Iterator[Held]:
        """See :meth:`StatesModel.arrays`."""
        return self.graph.tensors()

    @property
    def pools(self) -> bool:
        """See :meth:`StatesModel.pools`."""
        return self._output() in EMBEDDING

    def run(self, encodings: Sequence[Any]) -> Array:
        """See :meth:`StatesModel.run`."""
        return self._given(self._output(), encodings)

    def _given(self, output: str, encodings: Sequence[Any]) -> Array:
        session, arrays = self._started(), self.padded(encodings)
        with readable(self.graph.path, "run"):
            given: Array = session.run([output], {name: arrays[name] for name in self.graph.inputs})[0]
        return given

    def contradicted(self, texts: Sequence[str], embeddings: Array) -> str | None:
        """See :meth:`Converted.contradicted`: an output of embeddings beside the hidden states."""
        for name in (name for name in EMBEDDING if name in self.graph.outputs and not self.pools):
            rows = [self._given(name, [found])[0] for found in self.tokenised(texts)]
            if any(row.shape != embeddings.shape[1:] for row in rows):
                return f"its output {name} has {rows[0].size} numbers, and not {embeddings.shape[1]}"
            turned = (np.stack(rows).astype(np.float64) * embeddings).sum(axis=1)
            sizes = np.linalg.norm(rows, axis=1) * np.linalg.norm(embeddings, axis=1)
            cosine = float((turned / np.maximum(sizes, 1e-300)).min())
            if not cosine >= SAME:
                return f"its output {name} is another embedding: cosine {cosine:.3f} to what its states give"
        return None

    def said(self) -> Iterator[str]:
        """See :meth:`StatesModel.said`: outputs that nobody looked at."""
        yield from super().said()
        judged = {self._output(), *EMBEDDING}
        if others := [name for name in self.graph.outputs if name not in judged]:
            yield f"its outputs {quoted(', '.join(others))} were not looked at"

    def reference(self, encoder: TorchEncoder, rules: Collection[str]) -> Converted | str:
        """See :meth:`Converted.reference`."""
        if self.pools:
            return "its graph holds the pooling as well"
        return self.made(encoder, self.graph.inputs, rules, self.surroundings.trusted, self.graph.path)

    @classmethod
    def made(
        cls,
        encoder: TorchEncoder,
        inputs: Sequence[str],
        rules: Collection[str],
        surroundings: Surroundings,
        path: Path,
    ) -> "OnnxModel | str":
        """A model with integers, made of a trusted copy; or why it cannot be made here, in words.

        Args:
            encoder: the trusted copy.
            inputs: what the graph takes.
            rules: by which integers are made.
            surroundings: what it is run with.
            path: what messages call it.
        """
        found = quantised_bytes(encoder, inputs, rules)
        return found if isinstance(found, str) else cls(path, parsed(path, found), surroundings)

    def _output(self) -> str:
        """The output that holds hidden states, or else an embedding.

        Raises:
            EncoderError: there is none.
        """
        outputs = self.graph.outputs
        found = [name for name in STATES if name in outputs]
        found += [name for name, axes in outputs.items() if axes == 3]
        found += [name for name in EMBEDDING if name in outputs]
        if found:
            return found[0]
        raise EncoderError(
            f"{self.graph.path}: no output holds hidden states or an embedding: {quoted(', '.join(outputs))}",
            remedy="export the encoder with the output last_hidden_state or sentence_embedding",
        )

    def _started(self) -> Any:
        """The runtime with the bytes that were read; no library of operators is ever loaded."""
        if self._session is not None:
            return self._session
        if others := [name for name in self.graph.inputs if name not in INPUTS]:
            raise EncoderError(
                f"{self.graph.path}: the input '{quoted(others[0])}' is none of {', '.join(INPUTS)}"
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
