"""The head of a model that was saved with one: scores of a classifier or a reranker, a speaker's x-vector.

The embedding does not go through it, but users of such a model depend on what it gives. It runs behind the
encoder's own run, on what that gave, and what it gives is a strip of its own.
"""

import copy
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from hf_integration.base.errors import ENDING
from hf_integration.encoders.files.loading import without_numbers
from hf_integration.encoders.identity.provenance import is_of_library
from hf_integration.encoders.modalities.families import Family
from hf_integration.encoders.modalities.generic import named_classes
from hf_integration.encoders.modalities.recipes import Recipe

_ONE_VECTOR = re.compile(r"For((Sequence|Image|Audio)Classification|XVector|ImageClassificationWithTeacher)$")
"""Classes whose heads give one vector for a sample; heads over every token give none."""

_GIVES = ("embeddings", "logits")

_OTHERWISE = frozenset({"LongformerForSequenceClassification"})
"""Classes that run their encoder otherwise than it is run by itself, so that their heads would give something
else: this one lets the first token see all others."""

_OF_ACCELERATE = ("forward", "_old_forward", "_original_forward", "_hf_hook")
"""What accelerate puts onto a model: bound to the whole, it would run the encoder once more. What it hides is
found on the model itself."""

MOST_LAYERS = 64
"""Layers of a speaker encoder's head that are built; of more, nothing is run."""


class Head(nn.Module):
    """The model with its head, in which the encoder is replaced by what it gave already.

    Args:
        whole: the model with its head; it stays as it is, and the head's modules are shared with it.
        base: name of the encoder in it.
    """

    def __init__(self, whole: nn.Module, base: str) -> None:
        super().__init__()
        shell = copy.copy(whole)
        self._base = base
        shell.__dict__["_modules"] = {**whole._modules, self._base: _Given()}
        for name in _OF_ACCELERATE:
            shell.__dict__.pop(name, None)
        self.whole = shell

    def forward(self, output: Any, inputs: Mapping[str, Tensor]) -> Tensor | None:
        """What the head makes of a batch.

        Args:
            output: what the encoder gave for it, with the hidden states of every layer.
            inputs: what the encoder was called with.

        Returns:
            Float64 tensor ``(batch, numbers of the head)``, unscaled; ``None`` where the head cannot be run
            on that. A card that has a strip of it is then not reproduced.
        """
        given: Any = self.whole.get_submodule(self._base)
        given.output = output
        try:
            made = self.whole(**inputs, return_dict=True)
        except (MemoryError, torch.OutOfMemoryError, *ENDING):
            raise
        except Exception:  # heads of odd models raise anything
            return None
        finally:
            given.output = None
        vectors = [getattr(made, name, None) for name in _GIVES]
        found = [vector.flatten(1).cpu().double() for vector in vectors if isinstance(vector, Tensor)]
        return torch.cat(found, dim=1) if found else None


class _Given(nn.Module):
    """Gives an output that is there already."""

    def __init__(self) -> None:
        super().__init__()
        self.output: Any = None

    def forward(self, *_: Any, **__: Any) -> Any:
        """The output, whatever it is called with."""
        return self.output


def is_with_head(class_name: str) -> bool:
    """Whether a class of transformers is a model with a head that gives one vector."""
    return _ONE_VECTOR.search(class_name) is not None


def head_of_folder(
    where: Path, files: Sequence[Path], config: Any, family: Family, recipe: Recipe, base: nn.Module
) -> Head | None:
    """The head that a folder's weights have beside the encoder, or ``None`` where they have none.

    Args:
        where: folder, for messages.
        files: its weight files.
        config: its configuration.
        family: how its encoder was loaded.
        recipe: how its outputs become an embedding.
        base: the encoder that was loaded.
    """
    import transformers

    named = next(iter(named_classes(config.architectures)), "")
    if not is_with_head(named):
        return None
    try:
        kind: Any = getattr(transformers, named, None)
        inner = _encoder_in(kind, config, family, recipe)
        with without_numbers(where):
            whole = kind(copy.deepcopy(config))
        if type(getattr(whole, inner, None)) is not type(base):
            return None
        head = Head(whole, inner)
        dtype = next(parameter.dtype for parameter in base.parameters())
        state = _read(files, head.whole.state_dict().keys(), dtype)
        head.whole.load_state_dict(state, strict=True, assign=True)
    except (MemoryError, torch.OutOfMemoryError, *ENDING):
        raise
    # a class of nobody, another head than the files hold: tensors are compared, and not run
    except Exception:
        return None
    unread = any(tensor.is_meta for tensor in (*head.parameters(), *head.buffers()))
    return None if unread else head.eval()


def head_in_memory(module: Any, tower: nn.Module, family: Family, recipe: Recipe) -> Head | None:
    """The head of a model in memory, as it runs; ``None`` where it has none.

    Args:
        module: what the caller gave.
        tower: the encoder in it.
        family: how the encoder is run.
        recipe: how its outputs become an embedding.
    """
    kind = type(module)
    if not is_of_library(kind, "transformers") or not is_with_head(kind.__name__):
        return None
    inner = _encoder_in(kind, module.config, family, recipe)
    return Head(module, inner) if inner and getattr(module, inner, None) is tower else None


def _encoder_in(kind: Any, config: Any, family: Family, recipe: Recipe) -> str:
    """Name of the encoder in a model with a head; empty where the head cannot be run behind it."""
    if getattr(kind, "config_class", None) is not type(config) or recipe.method != "forward":
        return ""
    if kind.__name__ in _OTHERWISE or len(getattr(config, "tdnn_dim", None) or ()) > MOST_LAYERS:
        return ""
    # causal models take no batch without it
    if family.modality == "text" and getattr(config, "pad_token_id", None) is None:
        return ""
    if family.class_name == kind.__name__:  # Whisper's encoder below a head, loaded with it
        return family.part
    return str(kind.base_model_prefix) if family.class_name == "AutoModel" and not family.part else ""


def _read(files: Sequence[Path], names: Collection[str], dtype: torch.dtype) -> dict[str, Tensor]:
    """Tensors of the files by their exact names, floating ones in the dtype of the encoder."""
    found: dict[str, Tensor] = {}
    for file in files:
        with safe_open(file, framework="pt") as opened:
            for name in set(opened.keys()).intersection(names):
                tensor = opened.get_tensor(name)
                found[name] = tensor.to(dtype) if tensor.is_floating_point() else tensor
    return found
