"""From raw samples to what the model is called with: the processor's part of an encoder."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from hf_integration.base.vocabulary import Modality
from hf_integration.encoders.identity.behaviour import Behaviour


@dataclass(frozen=True)
class Batch:
    """What one call of the model takes.

    Attributes:
        inputs: keyword arguments of the model's forward, on the CPU as the processor made them.
        lengths: real length of each sample, in the processor's unit (tokens, audio samples), or ``None``
            when every position is real.
    """

    inputs: dict[str, Tensor]
    lengths: Tensor | None = None


class Prepared(ABC):
    """Samples that went through the processor once, and can be batched in any way.

    Attributes:
        lengths: one number per sample; samples of equal length need no padding in one batch.
    """

    lengths: Sequence[int]

    @abstractmethod
    def batch(self, indices: Sequence[int]) -> Batch:
        """Model inputs of these samples, padded to the longest of them."""

    @abstractmethod
    def strip(self, indices: Sequence[int]) -> Tensor:
        """The processor's output as a float64 tensor ``(len(indices), dim)``, one ``dim`` for all."""


class Preparation(ABC):
    """A processor with everything that decides what the model sees.

    Attributes:
        modality: kind of raw sample.
        backend: what does the work, e.g. ``tokenizers`` or ``pil``.
        pads: whether samples of different length may share a batch; only where the model masks padding.
        window: seconds that every recording is filled up to, or ``None`` where it keeps its own length.
        side: pixels that every image is resized to, or ``None`` where it keeps its own size.
        rate: samples in a second of the recordings that it takes; of no meaning for other modalities.
    """

    modality: Modality
    backend: str
    pads: bool
    window: float | None = None
    side: int | None = None
    rate: int = 16_000

    @property
    @abstractmethod
    def processor(self) -> Any:
        """The library's own object: tokenizer, image processor or feature extractor."""

    @abstractmethod
    def prepare(self, samples: Sequence[Any]) -> Prepared:
        """Process all samples at once.

        Raises:
            KeySampleError: a sample is of another modality, empty, or not processable.
        """

    @abstractmethod
    def behaviour(self) -> Behaviour:
        """Effective settings, file by file."""
