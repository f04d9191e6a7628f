"""The encoder whose weights are at hand: a torch module, its processor, and the recipe between them."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_integration.base.errors import EncoderError
from hf_integration.base.vocabulary import (
    EMBEDDING_STRIP,
    HEAD_STRIP,
    PRECISIONS,
    PROCESSOR_STRIP,
    Precision,
    Weights,
)
from hf_integration.encoders.identity import in_process
from hf_integration.encoders.identity import provenance as as_built
from hf_integration.encoders.identity import provenance as attention
from hf_integration.encoders.identity.behaviour import Behaviour, configuration_behaviour
from hf_integration.encoders.identity.process_state import process_state, refuse_unreadable
from hf_integration.encoders.identity.stored_tensors import StoredTensors
from hf_integration.encoders.identity.tensor_digests import off_count
from hf_integration.encoders.interface import NEVER_PADDED, PADDING, Encoder, EncoderDescription, StripBatch
from hf_integration.encoders.modalities.preparation import Batch, Preparation, Prepared
from hf_integration.encoders.modalities.recipes import Recipe, hidden_state
from hf_integration.encoders.modalities.tail_modules import Dense, Truncate
from hf_integration.encoders.running import precision_copy
from hf_integration.encoders.running.assembly import Assembly, Origin, evaluation_mode
from hf_integration.encoders.running.batches import plan_batches
from hf_integration.encoders.running.devices import device_for, supports_float64
from hf_integration.key_samples.samples import Sample


class TorchEncoder(Encoder):
    """An encoder with its weights at hand.

    Args:
        assembly: model and what follows its pooling.
        preparation: the processor.
        recipe: from model outputs to the embedding.
        origin: where it comes from.
    """

    has_weights = True

    def __init__(self, assembly: Assembly, preparation: Preparation, recipe: Recipe, origin: Origin) -> None:
        self._assembly = assembly
        self._preparation = preparation
        self._recipe = recipe
        self._origin = origin
        self.model = assembly.model
        self.processor = preparation.processor
        self.name, self.path = origin.name, origin.path
        self.repo, self.commit = origin.repo, origin.commit
        self.folder = origin.folder
        self.not_covered = () if origin.folder is None else origin.folder.not_covered
        self._description: EncoderDescription | None = None
        self._built: Mapping[str, nn.Module] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self._origin.architecture} {self.dtype}>"

    @property
    def dtype(self) -> torch.dtype:
        """Dtype that the model computes in."""
        return next((p.dtype for p in self.model.parameters() if p.is_floating_point()), torch.float32)

    @property
    def device(self) -> str:
        """Where the encoder computes, e.g. ``cpu`` or ``cuda:0``."""
        return str(next((p.device for p in self.model.parameters()), "cpu"))

    @property
    def own_precision(self) -> Precision:
        """See :meth:`Encoder.own_precision`."""
        name = str(self.dtype).removeprefix("torch.")
        if name not in PRECISIONS:
            raise EncoderError(
                f"'{self.name}' computes in {name}", remedy=f"supported: {', '.join(PRECISIONS)}"
            )
        return name

    @property
    def window(self) -> float | None:
        """See :meth:`Encoder.window`."""
        return self._preparation.window

    @property
    def side(self) -> int | None:
        """See :meth:`Encoder.side`."""
        return self._preparation.side

    @property
    def rate(self) -> int:
        """See :meth:`Encoder.rate`."""
        return self._preparation.rate

    @property
    def pads(self) -> bool:
        """See :meth:`Encoder.pads`."""
        return self._preparation.pads

    def never_pad(self) -> None:
        """See :meth:`Encoder.never_pad`."""
        self._preparation.pads = False
        described = self.description
        self._description = replace(described, details={**described.details, PADDING: NEVER_PADDED})

    def copies_differ(self, changes: Sequence[str]) -> bool:
        """See :meth:`Encoder.copies_differ`: compiled code, a replaced kernel, whatever was put there."""
        return bool(changes) or self._origin.entrance is not None or attention.could_be_fused(self.model)

    @property
    def description(self) -> EncoderDescription:
        """What a card records about this encoder."""
        if self._description is None:
            width = self._recipe.width
            for module in self._assembly.tail.values():
                if isinstance(module, Dense):
                    width = module.out_features
                elif isinstance(module, Truncate):
                    width = min(width, module.width)
            self._description = EncoderDescription(
                modality=self._preparation.modality,
                architecture=self._origin.architecture,
                embedding_dim=width,
                pooling=", ".join(
                    [
                        *(str(module) for module in self._assembly.before.values()),
                        self._recipe.pooling,
                        *(str(module) for module in self._assembly.tail.values()),
                    ]
                ),
                parameters=sum(tensor.numel() for tensor in self.tensors().values()),
                stored_dtype=str(self.dtype).removeprefix("torch."),
                processor_backend=self._preparation.backend,
                details=self._origin.details,
            )
        return self._description

    def observe(
        self,
        samples: Sequence[Sample],
        *,
        batch_size: int = 16,
        order: Sequence[int] | None = None,
        gradient: bool = False,
    ) -> Iterator[StripBatch]:
        """See :meth:`Encoder.observe`."""
        mode = torch.enable_grad if gradient else torch.inference_mode
        if gradient:
            _out_of_inference(self.model)
        prepared = self._preparation.prepare(samples)
        plan = plan_batches(prepared.lengths, batch_size=batch_size, order=order, pads=self._preparation.pads)
        return (self._strips(prepared, indices, mode) for indices in plan)

    def embed(self, samples: Sequence[Any], *, batch_size: int = 16) -> Tensor:
        """See :meth:`Encoder.embed`; float64 for a float64 model, else float32."""
        prepared = self._preparation.prepare(samples)
        dtype = torch.float64 if self.dtype == torch.float64 else torch.float32
        embeddings = torch.zeros(len(samples), self.description.embedding_dim, dtype=dtype)
        for indices in plan_batches(
            prepared.lengths, batch_size=batch_size, order=None, pads=self._preparation.pads
        ):
            with torch.inference_mode():
                layers = self._assembly.sees_layers
                batch = self._placed(prepared.batch(indices))
                embedding, *_ = self._run(batch, output_hidden_states=layers)
            embeddings[indices] = embedding.to("cpu", dtype)
        return embeddings

    def _strips(
        self, prepared: Prepared, indices: list[int], mode: Callable[[], AbstractContextManager[Any]]
    ) -> StripBatch:
        features = {PROCESSOR_STRIP: prepared.strip(indices)}
        with mode():
            batch = self._placed(prepared.batch(indices))
            embedding, output, mask, given = self._run(batch, output_hidden_states=True)
            states = getattr(output, "hidden_states", None) or ()
            for place, state in enumerate(states, self._recipe.first_state):
                name = f"{self._recipe.layer_word} {place}" if place else "input embedding"
                # PEGASUS-X gives the last one together with its global tokens, which nothing reads any more
                features[name] = hidden_state(state[0] if isinstance(state, tuple) else state, mask)
            if (head := self._assembly.head) is not None:
                with evaluation_mode(head):
                    made = head(given, batch.inputs)
                features |= {} if made is None else {HEAD_STRIP: made}
            # the size of a score is all that there is of it
            features[EMBEDDING_STRIP] = embedding if self._recipe.scores else F.normalize(embedding, dim=1)
        # Cloned out of inference mode: consumers may use them in autograd.
        strips = {name: strip.cpu().clone() for name, strip in features.items()}
        return StripBatch(tuple(indices), strips, embedding.detach().to("cpu", torch.float64, copy=True))

    def _placed(self, batch: Batch) -> Batch:
        """A batch on the device and in the dtype that the model computes in."""
        device, dtype = self.device, self.dtype
        inputs = {
            name: tensor.to(device, dtype if tensor.is_floating_point() else None)
            for name, tensor in batch.inputs.items()
        }
        return Batch(inputs, batch.lengths)

    def _run(self, batch: Batch, *, output_hidden_states: bool) -> tuple[Tensor, Any, Tensor | None, Any]:
        """Embedding in float64 (not normalised unless the encoder does so), raw output, mask of positions.

        The last is the output as the model gave it, on its own device: the others are where float64 is.
        """
        inputs = batch.inputs
        # Called through the module, not its forward: hooks run.
        entrance = self._origin.entrance
        call = self.model if entrance is None else entrance
        if self._recipe.method != "forward":
            call = getattr(self.model, self._recipe.method)
        also = self._recipe.also(self.model, batch)
        with evaluation_mode(self._assembly):
            output = call(**inputs, **also, output_hidden_states=output_hidden_states, return_dict=True)
            mask = self._recipe.mask(self.model, batch)
            pooling, given = self._assembly, output
            if not supports_float64(self.device):
                pooling, (output, mask, inputs) = pooling.off_its_device(output, mask, inputs)
            embedding = pooling.embedding(self._recipe, output, mask, inputs)
        return embedding, output, mask, given

    def at_precision(
        self, precision: Precision, *, weights: Weights = "stored", run_only: bool = False
    ) -> "TorchEncoder":
        """See :meth:`Encoder.at_precision`."""
        assembly = self._converted(precision, weights, run_only=run_only)
        strict = precision == "float64" and attention.could_be_fused(self.model)
        if assembly is self._assembly:
            if not strict:
                return self
            assembly = copy.deepcopy(assembly)
        if strict:
            attention.use_fused(assembly.model)
        return self._around(assembly)

    def rounded_to(self, weights: Weights) -> "TorchEncoder":
        """See :meth:`Encoder.rounded_to`."""
        assembly = self._converted(self.own_precision, weights)
        return self if assembly is self._assembly else self._around(assembly)

    def _converted(self, precision: Precision, weights: Weights, *, run_only: bool = False) -> Assembly:
        assembly, device = self._assembly, device_for(precision, self.device)
        if device != self.device:
            assembly = precision_copy.moved(assembly, device)
        half, loaded = precision_copy.half_load(precision, weights), self._origin.buffers
        buffers = {} if half is None or loaded is None else loaded.after_load_in(half, assembly.model)
        return precision_copy.at_precision(
            assembly, precision, weights=weights, buffers=buffers, run_only=run_only
        )

    def duplicate(self, *, shared: bool = False) -> "TorchEncoder":
        """See :meth:`Encoder.duplicate`."""
        held = precision_copy.sharing(self._assembly) if shared else {}
        return self._around(copy.deepcopy(self._assembly, held))

    def added_on_use(self) -> "TorchEncoder":
        """See :meth:`Encoder.added_on_use`."""
        return self._around(precision_copy.added_on_use(self._assembly))

    def _around(self, assembly: Assembly) -> "TorchEncoder":
        encoder = self.rebuilt(assembly, self._preparation, self._recipe)
        encoder._description = self.description  # the dtype as loaded, not the copy's
        return encoder

    @property
    def parts(self) -> tuple[Assembly, Preparation, Recipe]:
        """Model with what follows its pooling, processor, and the way from outputs to an embedding."""
        return self._assembly, self._preparation, self._recipe

    def rebuilt(self, assembly: Assembly, preparation: Preparation, recipe: Recipe) -> "TorchEncoder":
        """An encoder of the same origin from other parts."""
        # a copy is called by itself, and nothing is around it
        origin = replace(self._origin, outer=None, around=(), entrance=None, said=())
        return TorchEncoder(assembly, preparation, recipe, origin)

    def tensors(self) -> Mapping[str, Tensor]:
        """See :meth:`Encoder.tensors`."""
        refuse_unreadable(self.name, self._used())
        model = {name: tensor.detach() for name, tensor in self._used()}
        model |= off_count(self.model)
        tail = {name: tensor.detach() for name, tensor in precision_copy.state_tensors(self._assembly.around)}
        return {**model, **tail}

    def outside_tensors(self) -> Mapping[str, Tensor]:
        """See :meth:`Encoder.outside_tensors`."""
        used = {id(tensor) for _, tensor in self._used()}
        outer = self._origin.outer or self.model
        return {
            name: tensor.detach()
            for name, tensor in precision_copy.state_tensors(outer)
            if id(tensor) not in used
        }

    @property
    def stored(self) -> StoredTensors:
        """See :meth:`Encoder.stored`; a module in memory is all that there is of it."""
        if self._origin.stored is not None:
            return self._origin.stored
        return StoredTensors({name: name for name in self.outside_tensors()})

    def _used(self) -> Iterator[tuple[str, Tensor]]:
        """Tensors of the model that can influence the embedding."""
        for name, tensor in precision_copy.state_tensors(self.model):
            if self._recipe.counts(name):
                yield name, tensor

    def parameters(self) -> Mapping[str, nn.Parameter]:
        """See :meth:`Encoder.parameters`."""
        counted = self.tensors().keys()
        own = {**dict(self.model.named_parameters()), **dict(self._assembly.around.named_parameters())}
        return {name: parameter for name, parameter in own.items() if name in counted}

    @property
    def headless(self) -> bool:
        """See :meth:`Encoder.headless`."""
        if self._assembly.head is not None:
            return False
        if self._origin.stored is not None:
            return self._origin.stored.headless
        return self._origin.outer is None or self._origin.outer is self.model

    def in_process_changes(self) -> tuple[str, ...]:
        """See :meth:`Encoder.in_process_changes`."""
        return tuple(dict.fromkeys(finding.what for finding in self._code()))

    def process_state(self) -> tuple[in_process.Finding, ...]:
        """See :meth:`Encoder.process_state`."""
        return tuple(dict.fromkeys((*self._origin.said, *self._code(), *process_state(self._assembly))))

    def _code(self) -> Iterator[in_process.Finding]:
        model = self._origin.outer or self.model
        if self._built is None:
            self._built = as_built.built_from(model)
        others = (self.processor, *self._origin.around, self._origin.outer)
        return in_process.code_anywhere(self._assembly, model, self._built, others)

    def behaviour(self) -> Behaviour:
        """See :meth:`Encoder.behaviour`."""
        configured = configuration_behaviour(self._recipe.configuration(self.model))
        return configured | self._preparation.behaviour() | self._origin.behaviour


def _out_of_inference(model: nn.Module) -> None:
    """Make plain tensors of those that modules kept of earlier runs, as autograd refuses others."""
    for module in model.modules():
        for kept in (vars(module), module._buffers):
            for name, value in kept.items():
                if isinstance(value, Tensor) and value.is_inference():
                    kept[name] = value.clone()
