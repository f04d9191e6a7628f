"""What an encoder with weights is put together from: its modules, and what is known of their origin."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_map

from hf_integration.encoders.identity.behaviour import Behaviour
from hf_integration.encoders.identity.folder_record import FolderRecord
from hf_integration.encoders.identity.in_process import Finding
from hf_integration.encoders.identity.stored_tensors import StoredTensors
from hf_integration.encoders.modalities.recipes import Recipe
from hf_integration.encoders.modalities.token_modules import TokenModule, Tokens, WeightedLayerPooling
from hf_integration.encoders.running.head import Head
from hf_integration.encoders.running.precision_copy import ComputedBuffers, moved


@dataclass(frozen=True)
class Origin:
    """Where an encoder comes from, and what is known of it besides its tensors.

    Attributes:
        name: what the caller called it.
        architecture: model type in the configuration's own words.
        path: local folder, if any.
        repo: Hub repository, if any.
        commit: resolved Hub commit, if any.
        behaviour: files that neither module nor processor know, e.g. the recipe of a sentence encoder.
        details: facts for people.
        folder: what the folder's files say, if it came from one.
        stored: the tensors of its weight files, if it came from any.
        outer: the module that the caller gave, where only a part of it is run.
        around: the containers that were taken off it, the outermost first, and the processor that was given
            where only a part of it prepares.
        entrance: what to call instead of the model: it compiled in memory.
        said: what is to be said of these.
        buffers: what a load in another dtype makes of the model's computed buffers; unknown for a module in
            memory, which keeps its own.
    """

    name: str
    architecture: str
    path: Path | None = None
    repo: str | None = None
    commit: str | None = None
    behaviour: Behaviour = field(default_factory=Behaviour)
    details: Mapping[str, str] = field(default_factory=dict)
    folder: FolderRecord | None = None
    stored: StoredTensors | None = None
    outer: nn.Module | None = None
    around: tuple[Any, ...] = ()
    entrance: nn.Module | None = None
    said: tuple[Finding, ...] = ()
    buffers: ComputedBuffers | None = None


class Assembly(nn.Module):
    """A model and the modules around its pooling, as one module, so that all are copied and converted as one.

    Args:
        model: the transformers model.
        tail: modules after the pooling by name, in order (``2_Dense``, ``3_Normalize``).
        before: modules between the model and the pooling.
        head: the head of another task that the model was saved with, if any.
    """

    def __init__(
        self,
        model: nn.Module,
        tail: Mapping[str, nn.Module],
        before: Mapping[str, nn.Module] | None = None,
        head: Head | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.tail = nn.ModuleDict(tail)
        self.before = nn.ModuleDict(before)
        self.head = head

    @property
    def around(self) -> nn.ModuleDict:
        """The modules around the model, all together."""
        return nn.ModuleDict({**self.before, **self.tail})

    @property
    def sees_layers(self) -> bool:
        """Whether an embedding needs the hidden states of every layer."""
        return any(isinstance(module, WeightedLayerPooling) for module in self.before.values())

    def off_its_device(self, *computed: Any) -> tuple["Assembly", tuple[Any, ...]]:
        """What follows the model, and what the model computed, on the CPU: poolings sum in float64.

        Args:
            computed: outputs of the model, masks and inputs, on a device that has no float64.
        """
        tail, before = moved(nn.ModuleList([self.tail, self.before]), "cpu").children()
        return Assembly(self.model, dict(tail.named_children()), dict(before.named_children())), tuple(
            _on_cpu(each) for each in computed
        )

    def embedding(
        self, recipe: Recipe, output: Any, mask: Tensor | None, inputs: Mapping[str, Tensor]
    ) -> Tensor:
        """The embedding of a batch, ``(batch, dim)`` in float64.

        Args:
            recipe: from the model's outputs to one vector.
            output: what the model gave.
            mask: non-zero where a position is real, or ``None``.
            inputs: what the model was called with.
        """
        if len(self.before):
            layers = getattr(output, "hidden_states", None) or ()
            output = Tokens(output.last_hidden_state, mask, inputs["input_ids"], layers)
            for module in self.before.values():
                of_tokens = isinstance(module, TokenModule)
                output = module(output) if of_tokens else output.of(module(output.last_hidden_state))
        embedding = recipe.head(output, mask)
        for module in self.tail.values():
            embedding = module(embedding)
        return embedding


def _on_cpu(value: Any) -> Any:
    if isinstance(value, SimpleNamespace):  # what a static model gives
        return SimpleNamespace(**_on_cpu(vars(value)))
    return tree_map(lambda part: part.cpu() if isinstance(part, Tensor) else part, value)


@contextmanager
def evaluation_mode(root: nn.Module) -> Iterator[None]:
    """Put every module in evaluation mode, and each back into its own mode at the end."""
    training = [module for module in root.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
