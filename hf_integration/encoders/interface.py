"""What the engine needs of an encoder, wherever it comes from."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from torch import Tensor, nn

from hf_integration.base.vocabulary import Modality, Precision, Weights
from hf_integration.encoders.identity.behaviour import Behaviour
from hf_integration.encoders.identity.folder_record import FolderRecord
from hf_integration.encoders.identity.in_process import Finding
from hf_integration.encoders.identity.stored_tensors import StoredTensors
from hf_integration.key_samples.samples import Sample
from hf_integration.verdict import PublisherSignature, Verdict

PADDING = "padding"
NEVER_PADDED = "never, as it leaks into real tokens"
"""Key and value in the details of a description of an encoder whose samples never share a batch of several
lengths."""


CHOSEN_POOLING = "pooling chosen"
"""Key in the details of a description of an encoder that is pooled in another way than by default."""


@dataclass(frozen=True)
class StripBatch:
    """The strips of one batch of samples.

    Attributes:
        indices: position of each sample in the sequence that was observed.
        features: strip name -> float64 CPU tensor with shape ``(batch, dim)``, in forward order: first
            ``processor``, then each hidden layer pooled over the positions its mask keeps, last
            ``embedding`` (L2-normalised).
        embedding: as the encoder's users get it, float64 on the CPU; ``None`` where only strips are known.
    """

    indices: tuple[int, ...]
    features: dict[str, Tensor]
    embedding: Tensor | None = None


@dataclass(frozen=True)
class EncoderDescription:
    """What a card records about an encoder besides its numbers.

    Attributes:
        modality: kind of raw sample.
        architecture: model type in the configuration's own words, e.g. ``bert``.
        embedding_dim: width of the embedding.
        pooling: how positions become one embedding, in words, e.g. ``mean over the mask``.
        parameters: number of scalars in the tensors that were loaded.
        stored_dtype: dtype of the weights as loaded, e.g. ``float32``.
        processor_backend: what prepares raw samples, e.g. ``tokenizers`` or ``pil``.
        details: further facts for people, plain strings.
    """

    modality: Modality
    architecture: str
    embedding_dim: int
    pooling: str
    parameters: int
    stored_dtype: str
    processor_backend: str
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def chosen_pooling(self) -> str | None:
        """The pooling that was chosen when its card was minted, instead of the library's."""
        return self.details.get(CHOSEN_POOLING)

    @property
    def never_padded(self) -> bool:
        """Whether samples of several lengths never share a batch."""
        return self.details.get(PADDING) == NEVER_PADDED


def tower_and_pooling(
    preferred: EncoderDescription | Modality | None,
) -> tuple[Modality | None, str | None]:
    """What is taken of an encoder by default: a tower, and a pooling where one was chosen."""
    if isinstance(preferred, EncoderDescription):
        return preferred.modality, preferred.chosen_pooling
    return preferred, None


class Encoder(ABC):
    """Raw samples in, one embedding per sample out: processor, model, pooling and normalisation.

    Attributes:
        name: what the caller called it (a path or a repo id).
        path: the local folder the encoder was loaded from, if any.
        repo: the Hub repository it was loaded from, if any.
        commit: the resolved Hub commit, if any.
        verdict: that of the check the encoder passed before a pytest fixture handed it out.
        not_covered: files beside it that hold code or weights and were not looked at.
        publisher: what came of its publisher's signature, once that was looked at and there is one.
        folder: what the files of its folder say; ``None`` for an encoder that came from no folder.
        has_weights: whether tensors can be inspected; only the kind of source decides this.
    """

    name: str
    path: Path | None = None
    repo: str | None = None
    commit: str | None = None
    verdict: Verdict | None = None
    not_covered: tuple[str, ...] = ()
    publisher: PublisherSignature | None = None
    folder: FolderRecord | None = None
    has_weights: bool

    model: Any
    processor: Any

    @property
    @abstractmethod
    def description(self) -> EncoderDescription:
        """What a card records about this encoder."""

    @property
    def modality(self) -> Modality:
        """Kind of raw sample this encoder takes."""
        return self.description.modality

    @property
    @abstractmethod
    def device(self) -> str:
        """Where the encoder computes, e.g. ``cpu`` or ``cuda:0``."""

    @property
    @abstractmethod
    def own_precision(self) -> Precision:
        """The precision that the encoder computes in as it is."""

    @property
    def window(self) -> float | None:
        """Seconds that every recording is filled up to, or ``None`` where it keeps its own length."""
        return None

    @property
    def side(self) -> int | None:
        """Pixels that every image is resized to, or ``None`` where it keeps its own size."""
        return None

    @property
    def rate(self) -> int:
        """Samples in a second of the recordings that it takes; of no meaning for other modalities."""
        return 16_000

    def copies_differ(self, changes: Sequence[str]) -> bool:
        """Whether a copy in another precision may run other code than the encoder itself.

        Args:
            changes: what :meth:`in_process_changes` gave of it just now.
        """
        return bool(changes)

    @property
    def pads(self) -> bool:
        """Whether samples of several lengths share a batch."""
        return False

    def never_pad(self) -> None:  # noqa: B027  # by default there is nothing to do
        """Batch only samples of equal length from now on, here and in all copies, and describe it so.

        For an encoder whose real positions see the padding: what it gives would depend on the batch.
        """

    def keep(self, verdict: Verdict) -> Self:
        """Keep the verdict of a check, and give this encoder."""
        self.verdict = verdict
        return self

    def with_verdict(self, verdict: Verdict) -> Self:
        """The same encoder with the verdict on it: another object around the same model and processor."""
        return copy.copy(self).keep(verdict)

    @abstractmethod
    def observe(
        self,
        samples: Sequence[Sample],
        *,
        batch_size: int = 16,
        order: Sequence[int] | None = None,
        gradient: bool = False,
    ) -> Iterator[StripBatch]:
        """Run samples through the encoder and give every strip, batch by batch.

        Runs in evaluation mode, whatever mode the module was left in (restored afterwards), and without
        gradients unless they are asked for. By default samples are grouped by length so that little is
        padded; architectures that do not mask padding never get any, whatever the order.

        Args:
            samples: raw samples of this encoder's modality.
            batch_size: most samples in one batch.
            order: visit the samples in this order instead of by length (a benign variant).
            gradient: keep the graph, so that strips can be differentiated by the encoder's parameters.

        Raises:
            KeySampleError: a sample is of another modality, empty, or not processable.
        """

    @abstractmethod
    def embed(self, samples: Sequence[Any], *, batch_size: int = 16) -> Tensor:
        """Embeddings as the encoder's users get them: float tensor ``(n, embedding_dim)`` on the CPU."""

    @abstractmethod
    def at_precision(
        self, precision: Precision, *, weights: Weights = "stored", run_only: bool = False
    ) -> "Encoder":
        """This encoder computing in another precision; the original stays as it is.

        ``weights="float16"`` first rounds every tensor of the state dict to that dtype by value. Buffers that
        no file holds are those of a load in half precision where precision or weights are half; a module in
        memory, which cannot be loaded again, keeps its own. The copy keeps hooks and patched functions: what
        is checked is the encoder as it runs. Gives ``self`` when nothing would change. ``run_only`` promises
        that the copy is run once and dropped, its tensors neither read nor written to, which saves time and
        memory.
        """

    @abstractmethod
    def rounded_to(self, weights: Weights) -> "Encoder":
        """This encoder with its weights rounded, in its own precision and with its own kernels.

        Gives ``self`` when it holds these values already.
        """

    @abstractmethod
    def duplicate(self, *, shared: bool = False) -> "Encoder":
        """An independent copy whose weights may be edited; for encoders with weights only.

        ``shared`` copies all but the parameters, which hold the same memory and may not be edited: gradients
        are taken by those of such a copy, and the original knows nothing of them.
        """

    def added_on_use(self) -> "Encoder":
        """A copy for alterations that spares memory where it can.

        Nothing may be written to its large tensors. What is added to one of them is added whenever it is
        used, see :class:`~hf_integration.encoders.running.cast_on_use.CastOnUse`.
        """
        return self.duplicate()

    @abstractmethod
    def tensors(self) -> Mapping[str, Tensor]:
        """Loaded tensors that can influence the embedding, by name; tied tensors once."""

    @abstractmethod
    def parameters(self) -> Mapping[str, nn.Parameter]:
        """Those of :meth:`tensors` that a gradient can be taken for, under the same names."""

    @abstractmethod
    def behaviour(self) -> Behaviour:
        """Effective behaviour, file by file and key by key.

        Not the bytes of the files but what the loaded objects obey: configuration with its defaults,
        tokenizer, processor, pooling modules. Volatile keys are left out.
        """

    def outside_tensors(self) -> Mapping[str, Tensor]:
        """Loaded tensors that cannot influence the embedding, such as a head or an unused pooler, by name."""
        return {}

    @property
    def stored(self) -> StoredTensors:
        """The tensors of the weight files, and which of them were loaded."""
        return StoredTensors()

    @property
    def headless(self) -> bool:
        """Whether the model was saved, or given, without the head of another task."""
        return False

    def in_process_changes(self) -> tuple[str, ...]:
        """Code that no digest sees, in words: hooks, patched functions, replaced modules, own classes."""
        return ()

    def process_state(self) -> tuple[Finding, ...]:
        """What in this process may change what its users get: hooks, patches, modes, containers."""
        return ()
