"""Folders of fastembed: ONNX files that fastembed itself loads, tokenises for and pools."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hf_integration.base.errors import UsageError
from hf_integration.converted.onnx_graph import Graph, read_graph
from hf_integration.converted.onnx_model import OnnxModel, model_file
from hf_integration.converted.original import Original
from hf_integration.converted.runtime import Array, RuntimeName, needed, readable
from hf_integration.converted.surroundings import Surroundings, read_surroundings
from hf_integration.encoders.files.folder_files import check_file
from hf_integration.encoders.modalities.recipes import OVER_THE_MASK
from hf_integration.encoders.modalities.tail_modules import Normalize

READ = ("tokenizer_config.json", "config.json", "special_tokens_map.json")
"""What fastembed reads beside the model and tokenizer.json."""

POOLS = {"mean": "MEAN", "cls": "CLS", "lasttoken": "LAST_TOKEN"}


class FastembedModel(OnnxModel):
    """A folder that ``fastembed.TextEmbedding`` loads by ``specific_model_path``.

    fastembed has the pooling from its caller, and no file says it: it is that of the trusted copy.
    """

    runtime: ClassVar[RuntimeName] = "fastembed"

    def __init__(self, path: Path, graph: Graph, surroundings: Surroundings) -> None:
        super().__init__(path, graph, surroundings)
        self.read = (*self.read, *(path / name for name in READ if (path / name).is_file()))
        self.prompt = ""
        self._loaded: Any = None

    @classmethod
    def open(cls, path: Path, original: Original) -> "FastembedModel":
        """See :meth:`OnnxModel.open`.

        Raises:
            UsageError: a file instead of a folder, or a pooling that fastembed does not have.
        """
        needed("fastembed", "fastembed")
        if not path.is_dir():
            raise UsageError(f"{path}: fastembed loads folders", remedy="name the folder of the file")
        for name in READ:
            check_file(path / name)
        graph = read_graph(model_file(path))
        return cls(path, graph, read_surroundings(path / "model.onnx", original))

    def tokenised(self, texts: Sequence[str]) -> list[Any]:
        """See :meth:`StatesModel.tokenised`: by the tokenizer as fastembed sets it up."""
        tokenizer = self._started().model.tokenizer
        tokenizer.no_padding()
        with readable(self.path, "used"):
            return [tokenizer.encode(text) for text in texts]

    def embed(self, texts: Sequence[str], *, together: bool = False) -> Array:
        """See :meth:`Converted.embed`."""
        loaded = self._started()
        tokenizer = loaded.model.tokenizer
        tokenizer.enable_padding(pad_id=self.surroundings.padding)
        with readable(self.path, "run"):
            found = list(loaded.embed(list(texts), batch_size=len(texts) if together else 1))
        return np.asarray(found, dtype=np.float64)

    def _started(self) -> Any:
        """See :meth:`OnnxModel._started`; everything is read from the folder, and nothing is downloaded."""
        if self._loaded is None:
            from fastembed import TextEmbedding
            from fastembed.common.model_description import ModelSource, PoolingType

            original = self.surroundings.original
            name = f"sslauth/{hashlib.sha256(str(self.graph.path).encode()).hexdigest()[:16]}-{id(self)}"
            with readable(self.path, "loaded by fastembed"):
                TextEmbedding.add_custom_model(
                    name,
                    pooling=PoolingType[pooling_of(original)],
                    normalization=any(isinstance(part, Normalize) for part in original.tail.values()),
                    sources=ModelSource(hf=name),
                    dim=original.dimensions,
                    model_file=str(self.graph.path.relative_to(self.path)),
                )
                self._loaded = TextEmbedding(name, specific_model_path=str(self.path), cuda=False)
        return self._loaded


def pooling_of(original: Original) -> str:
    """The name that fastembed has for an encoder's pooling.

    Raises:
        UsageError: it has none.
    """
    words = "" if original.readout is None else original.readout.pooling.removesuffix(OVER_THE_MASK)
    if words not in POOLS:
        raise UsageError(
            f"fastembed has no pooling '{words}'", remedy="check the ONNX file with --runtime onnx"
        )
    return POOLS[words]
