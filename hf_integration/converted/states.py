"""Runtimes that turn token numbers into hidden states: what is before and behind is the same for all."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hf_integration.base.errors import EncoderError
from hf_integration.converted.runtime import Array, Converted, Held
from hf_integration.converted.surroundings import Surroundings, padded

STATES = ("last_hidden_state", "token_embeddings")
EMBEDDING = ("sentence_embedding", "embedding", "embeddings", "text_embeds")
"""Names of outputs that are hidden states, and of those that are embeddings, which the graph pools."""

INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")


class StatesModel(Converted):
    """A model with a tokenizer beside it, pooled as the files beside it say.

    Args:
        path: as the caller named it.
        read: files of the model itself.
        surroundings: what is beside them.
    """

    def __init__(self, path: Path, read: Iterable[Path], surroundings: Surroundings) -> None:
        super().__init__(path, (*read, *surroundings.read))
        self.surroundings = surroundings
        self.prompt = surroundings.prompt

    @property
    @abstractmethod
    def pools(self) -> bool:
        """Whether the model itself gives embeddings."""

    @abstractmethod
    def run(self, encodings: Sequence[Any]) -> Array:
        """Hidden states ``(n, positions, dim)``, or embeddings ``(n, dim)`` of a model that pools.

        Args:
            encodings: what the tokenizer gave; positions beyond the end of a text are not looked at.

        Raises:
            EncoderError: the runtime cannot run the file.
        """

    @abstractmethod
    def arrays(self) -> Iterator[Held]:
        """Every array of the model's own files."""

    def tensors(self) -> Iterator[Held]:
        """See :meth:`Converted.tensors`."""
        yield from self.arrays()
        for name, values in self.surroundings.tail_tensors():
            yield Held(name, values, "float32")

    @property
    def has_tail(self) -> bool:
        """See :meth:`Converted.has_tail`."""
        return self.surroundings.own or self.pools

    def cannot_run(self) -> str | None:
        """See :meth:`Converted.cannot_run`."""
        if self.surroundings.tokenizer is None:
            return "no tokenizer.json is beside the model"
        return None if self.surroundings.readout or self.pools else self.surroundings.original.cannot_pool

    def ids(self, texts: Sequence[str]) -> list[list[int]] | None:
        """See :meth:`Converted.ids`."""
        return [list(found.ids) for found in self.tokenised(texts)]

    def tokenised(self, texts: Sequence[str]) -> list[Any]:
        """What the tokenizer makes of texts: encodings with token numbers, mask and types."""
        return self.surroundings.tokenised(texts)

    def padded(self, encodings: Sequence[Any]) -> dict[str, Array]:
        """Inputs by the names of transformers, padded on the right."""
        return padded(encodings, fill=self.surroundings.padding)

    def settings(self) -> tuple[str, ...]:
        """See :meth:`Converted.settings`."""
        return self.surroundings.settings()

    def said(self) -> Iterator[str]:
        """See :meth:`Converted.said`."""
        if not self.surroundings.own and not self.pools:
            known = self.surroundings.original.called
            yield f"no modules.json says how it pools, so it was pooled by what {known} says"

    def embed(self, texts: Sequence[str], *, together: bool = False) -> Array:
        """See :meth:`Converted.embed`."""
        encodings = self.tokenised(texts)
        groups = [encodings] if together else [[found] for found in encodings]
        return np.concatenate([self._embedded(group) for group in groups])

    def _embedded(self, encodings: Sequence[Any]) -> Array:
        found = np.asarray(self.run(encodings))
        axes = 2 if self.pools else 3
        if found.ndim != axes or found.dtype.kind != "f":
            raise EncoderError(f"{self.path}: its output has {found.ndim} axes of {found.dtype}, not {axes}")
        if self.pools:
            return found.astype(np.float64)
        return self.surroundings.pooled(
            {"last_hidden_state": found}, self.padded(encodings)["attention_mask"]
        )
