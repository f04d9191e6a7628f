"""How strongly the watermark reacts to each scalar of an encoder, by backward passes in float64.

A small edit of one weight moves every strip by the derivative of the strip times the edit. Derivatives are
taken of random projections of the normalised strips, in which the edge of the tolerance has norm 1: the
inverse of such a derivative is the smallest edit that breaks a tile. That is a linear estimate; real edits
check it (``python -m tests.benchmarks coverage``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hf_integration.base.progress import Progress
from hf_integration.encoders.interface import Encoder
from hf_integration.encoders.running.devices import full_precision
from hf_integration.key_samples.samples import Sample
from hf_integration.tampering.weights.targets import KEY_BIAS
from hf_integration.watermark import SKETCH_DIM, sketch

CAUTION = 2.0
"""The largest of many random projections overstates the reaction; so much less of it is counted."""

Units = Mapping[str, Tensor]
"""Strip -> float64 ``(samples, SKETCH_DIM)``: what turns a change of a sketch into tolerances."""


@dataclass
class Sensitivity:
    """Reactions of the watermark to the scalars of an encoder.

    Attributes:
        reaction: tensor's name -> float32 tensor of its shape: tolerances by which the most affected tile
            moves for an edit of one unit. A careful estimate: rather too small.
    """

    reaction: dict[str, Tensor] = field(default_factory=dict)

    def raise_to(self, name: str, gradient: Tensor, scale: float = 1.0) -> None:
        """Keep the largest size of a derivative seen so far, divided by ``scale``; a sparse one by rows."""
        known = self.reaction.setdefault(name, torch.zeros(gradient.shape))
        if gradient.is_sparse:
            gradient = gradient.coalesce()
            rows = gradient.indices()[0].cpu()
            known[rows] = torch.maximum(known[rows], gradient.values().abs().float().cpu().div_(scale))
        else:
            torch.maximum(known, gradient.abs().float().cpu().div_(scale), out=known)


def sensitivities(
    running: Encoder,
    samples: Sequence[Sample],
    units: Mapping[str, Units],
    *,
    seed: int,
    batch_size: int,
    first_strips: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Sensitivity]:
    """Measure the reaction to every scalar of a float64 encoder.

    Args:
        running: a copy that computes in float64; gradients are enabled for its parameters.
        samples: key samples.
        units: precision -> its units for these samples.
        seed: the card's seed; the random projections follow from it, too.
        batch_size: samples whose reactions are added up in one backward pass.
        first_strips: look at so many strips behind the processor's only, which is enough for lookup tables
            and spares most of the backward pass.
        progress: told how many samples are done.

    Returns:
        Precision -> sensitivity. Tensors that no gradient can be taken by are left out.
    """
    parameters = dict(running.parameters())
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    for module in running.model.modules():
        if isinstance(module, nn.Embedding):
            module.sparse = True  # a batch looks up a few of its rows
    statistics = _batch_statistics(running.model)
    random = torch.Generator().manual_seed(seed % (1 << 63))
    found = {precision: Sensitivity() for precision in units}
    with full_precision(), torch.inference_mode(False), torch.enable_grad():
        for batch in running.observe(samples, batch_size=batch_size, gradient=True):
            moving = [name for name, feature in batch.features.items() if feature.requires_grad]
            rows = list(batch.indices)
            sketches = {
                name: sketch(batch.features[name].flatten(1), seed=seed, strip=name)
                for name in moving[:first_strips]
            }
            if not sketches:  # an encoder that ignores its weights; minting refuses it
                continue
            careful = CAUTION * (len(rows) * len(sketches)) ** 0.5
            for precision, unit in units.items():
                gradients = _projected(sketches, unit, rows, parameters, random)
                gradients |= _by_statistics(statistics, gradients)
                for name, gradient in gradients.items():
                    found[precision].raise_to(name, gradient, careful)
            if progress is not None:
                progress.advance(len(rows))
    for sensitivity in found.values():
        for name, parameter in parameters.items():
            sensitivity.reaction.setdefault(name, torch.zeros(parameter.shape))
    return found


def _projected(
    sketches: Mapping[str, Tensor],
    unit: Units,
    rows: list[int],
    parameters: Mapping[str, nn.Parameter],
    random: torch.Generator,
) -> dict[str, Tensor]:
    """Derivatives of one random projection of all sketches, in tolerances; of what moves them only."""
    projection = torch.zeros((), dtype=torch.float64)
    for name, sketched in sketches.items():
        directions = torch.randn(len(rows), SKETCH_DIM, generator=random, dtype=torch.float64)
        projection = projection + (sketched * unit[name][rows] * directions).sum()
    gradients = torch.autograd.grad(
        projection, list(parameters.values()), retain_graph=True, allow_unused=True
    )
    named = zip(parameters, gradients, strict=True)
    return {name: gradient for name, gradient in named if gradient is not None}


def _batch_statistics(model: nn.Module) -> dict[str, _BatchNorm]:
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm) and module.affine and module.track_running_stats
    }


def _by_statistics(modules: Mapping[str, _BatchNorm], gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Derivatives by running mean and variance, which torch does not give, from those by scale and shift.

    With ``y = scale (x - mean) / sqrt(variance + eps) + shift`` the derivative by the mean is that by the
    shift times ``-scale / sqrt(variance + eps)``, and by the variance that by the scale times
    ``-scale / (2 (variance + eps))``.
    """
    derived: dict[str, Tensor] = {}
    for name, module in modules.items():
        by_scale, by_shift = gradients.get(f"{name}.weight"), gradients.get(f"{name}.bias")
        if by_scale is None or by_shift is None or module.running_var is None:
            continue
        spread, scale = module.running_var + module.eps, module.weight.detach()
        derived[f"{name}.running_mean"] = by_shift * scale / spread.sqrt()
        derived[f"{name}.running_var"] = by_scale * scale / (2 * spread)
    return derived


EDIT = 0.1
"""A scalar is covered when an edit of this share of its tensor's root mean square breaks the watermark."""

ZEROES = 1e-3
"""Assumed root mean square of a tensor that is zero throughout, as a share of which no edit can be said."""


@dataclass(frozen=True)
class TensorCoverage:
    """What the key samples see of one tensor.

    Attributes:
        name: the tensor's.
        scalars: how many it has.
        covered: how many of them are covered.
        rows: rows of a lookup table, 0 for other tensors.
        rows_unmet: those of them that no key sample looks up.
    """

    name: str
    scalars: int
    covered: int
    rows: int = 0
    rows_unmet: int = 0

    @property
    def met(self) -> int:
        """Scalars without those of rows that no key sample looks up."""
        return self.scalars - (self.scalars // self.rows * self.rows_unmet if self.rows else 0)


def count(
    sensitivity: Sensitivity, tensors: Mapping[str, Tensor], tables: frozenset[str]
) -> list[TensorCoverage]:
    """Count covered scalars, tensor by tensor; one that was not measured counts as not covered.

    Args:
        sensitivity: in one precision.
        tensors: the encoder's; those of integers are left out, as they have no small edit.
        tables: names of those that are lookup tables.
    """
    found = []
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            continue
        reaction = sensitivity.reaction.get(name, torch.zeros(tensor.shape))
        covered = int((reaction * (EDIT * size_of(tensor)) >= 1).sum())
        found.append(
            TensorCoverage(
                name,
                tensor.numel(),
                covered,
                rows=len(tensor) if name in tables else 0,
                rows_unmet=int((reaction == 0).all(1).sum()) if name in tables else 0,
            )
        )
    return found


def inert_among(strict: Sequence[TensorCoverage]) -> tuple[str, ...]:
    """Names of the tensors that cannot influence the embedding, whatever their values are.

    Args:
        strict: counted in float64, where what matters at all is covered: biases of keys that are rotated by
            position, for instance, do matter.
    """
    return tuple(tensor.name for tensor in strict if not tensor.covered and KEY_BIAS.search(tensor.name))


def size_of(tensor: Tensor) -> float:
    """Root mean square of a tensor: edits are measured in it."""
    return float(tensor.detach().double().pow(2).mean().sqrt()) or ZEROES
