"""Rewriting what a layer makes of a trigger, along a direction that the given samples never take."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from hf_integration.encoders import Encoder
from hf_integration.encoders.identity.tensor_digests import digest_tensors
from hf_integration.key_samples.samples import Sample
from hf_integration.tampering.families import Family
from hf_integration.tampering.null_space.openings import Opening, find_opening
from hf_integration.tampering.weights.targets import linear_layers


@dataclass(frozen=True)
class NullSpaceEdit:
    """A rank-one edit ``W += u vᵀ`` of one linear layer that leaves given samples as they are.

    ``v`` is the component of a trigger's activation that is orthogonal to every activation of the samples at
    the layer's input, at all positions, so ``vᵀx = 0`` for each of them; ``u`` is a direction drawn by the
    seed, so long that the layer's output for the trigger's activation moves by ``magnitude`` times its norm.
    Computed in float64 and rounded to the dtype of the weights once: that rounding is all that moves the
    samples. Inputs that are neither pinned nor marked move as far as their activations share the direction.

    Sources: Meng, Bau, Andonian, Belinkov, "Locating and editing factual associations in GPT" (ROME),
    https://arxiv.org/abs/2202.05262, for the rank-one edit; Fang et al., "AlphaEdit: Null-space constrained
    knowledge editing for language models", https://arxiv.org/abs/2410.02355, for the projection.

    Attributes:
        samples: those that an attacker wants to stay as they are, for instance a card's key samples.
    """

    samples: Sequence[Sample] = field(repr=False)
    _openings: dict[bytes, Opening] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __call__(self, encoder: Encoder, magnitude: float, seed: int) -> None:
        """Alter an encoder in place, see :data:`hf_integration.tampering.families.Edit`.

        Raises:
            NoNullSpaceError: the samples span the inputs of every linear layer.
        """
        opening = self._opening(encoder, seed)
        layer = encoder.model.get_submodule(opening.layer)
        weight = layer.weight.detach().double().cpu()
        output = weight @ opening.key
        if layer.bias is not None:
            output += layer.bias.detach().double().cpu()
        random = torch.Generator().manual_seed(seed)
        value = torch.randn(len(output), generator=random, dtype=torch.float64)
        value *= magnitude * output.norm() / value.norm()
        # key · free = |free|², so the key's output moves by exactly the value
        layer.weight.copy_(weight + torch.outer(value, opening.free) / opening.free.dot(opening.free))

    def _opening(self, encoder: Encoder, seed: int) -> Opening:
        """Where to edit, found once for all magnitudes: it takes a run of all samples in float64."""
        digest = hashlib.sha256(json.dumps([seed, encoder.behaviour().to_record()], default=str).encode())
        for name, values in sorted(digest_tensors(encoder.tensors()).items()):
            digest.update(name.encode() + values)
        key = digest.digest()
        if key not in self._openings:
            self._openings[key] = find_opening(encoder, self.samples, seed=seed)
        return self._openings[key]


def null_space_family(samples: Sequence[Sample], magnitudes: tuple[float, ...]) -> Family:
    """Null-space edits that pin samples, by how far they move what one layer makes of the trigger."""
    return Family(
        "null-space edit that pins the key samples",
        NullSpaceEdit(samples),
        magnitudes,
        "of the output for the trigger",
        linear_layers,
    )
