"""An encoder of a few lines, whose strips are known without running any model."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hf_integration.base.vocabulary import Precision
from hf_integration.encoders.identity.behaviour import Behaviour
from hf_integration.encoders.interface import Encoder, EncoderDescription, StripBatch
from hf_integration.key_samples.samples import Sample

DESCRIPTION = EncoderDescription(
    modality="text",
    architecture="bert",
    embedding_dim=32,
    pooling="mean over the mask",
    parameters=2,
    stored_dtype="float32",
    processor_backend="tokenizers",
)


class PlainEncoder(Encoder):
    """A sample's feature is its length: once in ``layer 0``, twice as much in ``layer 1``.

    Attributes:
        batches: samples of every batch that was run, and whether as a check does it.
        skipped: samples that it leaves out, as no encoder should.
    """

    has_weights = True

    def __init__(self, **described: Any) -> None:
        self.name = "plain"
        self.facts = DESCRIPTION.__dict__ | described
        self.place = "cpu"
        self.behaves = Behaviour({"config.json": {"scale": 1.5}})
        self.changes: tuple[str, ...] = ()
        self.batches: list[tuple[list[Sample], bool]] = []
        self.skipped: set[Sample] = set()

    @property
    def description(self) -> EncoderDescription:
        return EncoderDescription(**self.facts)

    @property
    def device(self) -> str:
        return self.place

    @property
    def own_precision(self) -> Precision:
        return "float32"

    def observe(
        self,
        samples: Sequence[Sample],
        *,
        batch_size: int = 16,
        order: Sequence[int] | None = None,
        gradient: bool = False,  # noqa: ARG002  # the interface's
    ) -> Iterator[StripBatch]:
        visit = list(range(len(samples)) if order is None else order)
        for start in range(0, len(visit), batch_size):
            batch = visit[start : start + batch_size]
            self.batches.append(([samples[index] for index in batch], torch.is_inference_mode_enabled()))
            kept = [index for index in batch if samples[index] not in self.skipped]
            lengths = torch.tensor([[float(len(str(samples[index])))] for index in kept], dtype=torch.float64)
            yield StripBatch(tuple(kept), {"layer 0": lengths, "layer 1": 2 * lengths})

    def embed(self, samples: Sequence[Any], *, batch_size: int = 16) -> Tensor:
        raise NotImplementedError

    def at_precision(self, *_: Any, **__: Any) -> "Encoder":
        return self

    def rounded_to(self, *_: Any) -> "Encoder":
        return self

    def duplicate(self, **_: bool) -> "Encoder":
        return self

    def tensors(self) -> Mapping[str, Tensor]:
        return {}

    def parameters(self) -> Mapping[str, nn.Parameter]:
        return {}

    def behaviour(self) -> Behaviour:
        return self.behaves

    def in_process_changes(self) -> tuple[str, ...]:
        return self.changes
