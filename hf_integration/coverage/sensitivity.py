"""How strongly the watermark reacts to each scalar of an encoder, by backward passes.

A small edit of one weight moves every strip by the derivative of the strip times the edit. Derivatives are
taken of random projections of the normalised strips, in which the edge of the tolerance has norm 1: the
inverse of such a derivative is the smallest edit that breaks a tile. That is a linear estimate; real edits
check it (``python -m tests.benchmarks coverage``).

Passes in float32 give a derivative to some digits, which is all that is needed, in half the time and half the
memory of passes in float64. One that is zero (a bias of attention keys adds the same to all scores of a
query) comes out as rounding, though, and the tolerance in float64 is so small that even this would count. So
a few samples are run in both, and what is no larger than the difference between them counts as zero. Real
derivatives that are as small do so as well. The passes of the few samples in float64 show these: there,
rounding is smaller by the ratio of the two precisions. A model that computes a part of itself in float32
(softmax, in BLOOM) rounds as much in float64 there, and that counts: real edits were seen to move it.

One pass is enough for all precisions of a check: a sketch's dimensions have tolerances that differ between
two precisions by nearly one and the same factor (by 2.6e8 to 8.8e8 in the strips of MiniLM, of float32 over
float64), of which the smallest is taken, so that no reaction is overstated.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hf_integration.base.errors import ENDING
from hf_integration.base.memory import give_back
from hf_integration.base.progress import Progress
from hf_integration.base.vocabulary import Precision
from hf_integration.coverage.recomputing import layers_of, recompute
from hf_integration.encoders.interface import Encoder, StripBatch
from hf_integration.encoders.running.devices import full_precision
from hf_integration.key_samples.samples import Sample
from hf_integration.tampering.weights.targets import KEY_BIAS
from hf_integration.watermark import SKETCH_DIM, sketch

CAUTION = 2.0
"""The largest of many random projections overstates the reaction; so much less of it is counted."""

Watching = Callable[[nn.Module], AbstractContextManager[None]]

Units = Mapping[str, Tensor]
"""Strip -> float64 ``(samples, SKETCH_DIM)``: what turns a change of a sketch into tolerances."""


@dataclass
class Sensitivity:
    """Reactions of the watermark to the scalars of an encoder.

    Attributes:
        sizes: tensor's name -> bfloat16 tensor of its shape: tolerances of one precision by which the most
            affected tile moves for an edit of one unit. A careful estimate: rather too small.
        factor: by how much tolerances are smaller in the precision of a check, at least.
    """

    sizes: dict[str, Tensor] = field(default_factory=dict)
    factor: float = 1.0

    def reaction(self, name: str) -> Tensor:
        """The reactions to one tensor in the precision of a check, float64 of its shape."""
        return self.sizes[name].double() * self.factor

    def at(self, factor: float) -> "Sensitivity":
        """The same in another precision; no copy is made."""
        return replace(self, factor=factor)

    def raise_to(self, name: str, gradient: Tensor, scale: float = 1.0, noise: float = 0.0) -> None:
        """Keep the largest size of a derivative seen so far; a sparse one by rows.

        Args:
            name: the tensor's.
            gradient: derivatives by its scalars.
            scale: they are divided by it.
            noise: those below this share of the largest are zero.
        """
        known = self.sizes.setdefault(name, torch.zeros(gradient.shape, dtype=torch.bfloat16))
        if gradient.is_sparse:
            gradient = gradient.coalesce()
            rows = gradient.indices()[0].cpu()
            # a row that was looked up stays one, however little it moves
            sizes = _sizes(gradient.values(), scale, noise, none=torch.finfo(torch.bfloat16).tiny)
            known[rows] = torch.maximum(known[rows], sizes)
        else:
            torch.maximum(known, _sizes(gradient, scale, noise), out=known)


def _sizes(gradient: Tensor, scale: float, noise: float, none: float = 0.0) -> Tensor:
    """Sizes of derivatives, bfloat16, rounded down; ``none`` for what may be rounding only."""
    sizes = gradient.abs()
    if not sizes.numel():
        return sizes.cpu().bfloat16()
    rounding = (sizes > 0) & (sizes <= noise * sizes.max())
    sizes = sizes.div_(scale * (1 + torch.finfo(torch.bfloat16).eps / 2))
    sizes[rounding] = none
    return sizes.cpu().bfloat16()


def sensitivities(
    encoder: Encoder,
    samples: Sequence[Sample],
    unit: Units,
    *,
    seed: int,
    batch_size: int,
    noise: Mapping[str, float],
    precision: Precision = "float32",
    first_strips: int | None = None,
    recomputing: bool = False,
    watching: Watching | None = None,
    into: Sensitivity | None = None,
    progress: Progress | None = None,
) -> Sensitivity:
    """Measure the reaction to every scalar of an encoder.

    Args:
        encoder: as it was loaded.
        samples: key samples.
        unit: of one precision, for these samples.
        seed: the card's seed; the random projections follow from it, too.
        batch_size: samples whose reactions are added up in one backward pass.
        noise: as :func:`gradient_noise` gives it, of that precision; a lookup table that it leaves out has
            the median, and nothing of another tensor counts.
        precision: of the passes.
        first_strips: look at so many strips behind the processor's only, which is enough for lookup tables
            and spares most of the backward pass.
        recomputing: take a third more time and much less memory.
        watching: put around each forward pass, with the module that runs.
        into: reactions to other samples, which these are added to.
        progress: told how many samples are done.

    Returns:
        The reactions in that precision, without tensors that nothing of the samples goes through.
    """
    random = torch.Generator().manual_seed(seed % (1 << 63))
    found = Sensitivity() if into is None else into
    tables = {f"{name}.weight" for name, layer in encoder.model.named_modules() if _is_table(layer)}
    usual = median(noise.values()) if noise else 1.0
    with _trained(encoder, precision, recomputing=recomputing) as running, torch.enable_grad():
        parameters = running.parameters()
        statistics = _batch_statistics(running.model)
        batches = running.observe(samples, batch_size=batch_size, gradient=True)
        while True:
            # not around the backward pass, in which layers may run once more
            with nullcontext() if watching is None else watching(running.model):
                batch = next(batches, None)
            if batch is None:
                break
            rows = list(batch.indices)
            sketches = _sketches(batch, seed, first_strips)
            if not sketches:  # an encoder that ignores its weights; minting refuses it
                continue
            careful = CAUTION * (len(rows) * len(sketches)) ** 0.5

            def take(name: str, gradient: Tensor, careful: float = careful) -> None:
                share = noise.get(name, usual if name in tables else 1.0)
                found.raise_to(name, gradient, careful, NOISES * share)

            _backward(_projection(sketches, unit, rows, random), parameters, statistics, take)
            if progress is not None:
                progress.advance(len(rows))
    return found


NOISES = 8.0
"""Times its noise that a derivative has to be to count."""

FINER = torch.finfo(torch.float64).eps / torch.finfo(torch.float32).eps
"""Share of a derivative's noise in float32 that is left of it in float64."""


def in_float64(noise: Mapping[str, float]) -> dict[str, float]:
    """The same of passes in float64.

    Args:
        noise: as :func:`gradient_noise` gives it. A tensor that is all noise in float32 stays so: what is
            zero comes out as rounding in both.
    """
    return {name: share if share >= 1.0 else share * FINER for name, share in noise.items()}


def gradient_noise(
    encoder: Encoder, samples: Sequence[Sample], unit: Units, *, seed: int, recomputing: bool = False
) -> dict[str, float]:
    """How far derivatives in float32 are from those in float64, as a share of a tensor's largest.

    Args:
        encoder: as it was loaded.
        samples: a few; what each precision takes them for is the same.
        unit: see :func:`sensitivities`.
        seed: the card's.
        recomputing: as :func:`sensitivities` does.

    Returns:
        Tensor's name -> share, 1 where nothing but rounding is left; without tensors that they do not reach.
    """
    exact: dict[tuple[str, int], Tensor] = {}
    shares: dict[str, float] = {}
    # made before anything else: small blocks among large ones that come and go keep their memory from being
    # used again
    room = {
        name: torch.empty(len(samples), min(each.numel(), ENTRIES), dtype=torch.float64)
        for name, each in encoder.parameters().items()
    }

    def keep(name: str, gradient: Tensor, row: int) -> None:
        some = _some(gradient)
        held = room[name][row, : len(some)] if name in room else torch.empty_like(some)
        exact[name, row] = held.copy_(some) if held.shape == some.shape else some

    def hold_against(name: str, gradient: Tensor, row: int) -> None:
        known, some = exact.get((name, row)), _some(gradient)
        if known is None or not (largest := float(known.abs().max()) if known.numel() else 0.0):
            return
        off = float((some - known).abs().max()) / largest if some.shape == known.shape else 1.0
        shares[name] = max(shares.get(name, 0.0), off if off <= 1.0 else 1.0)  # NaN is all noise

    passes: tuple[tuple[Precision, Callable[..., None]], ...] = (("float64", keep), ("float32", hold_against))
    for precision, done in passes:
        random = torch.Generator().manual_seed(seed % (1 << 63))
        with _trained(encoder, precision, recomputing=recomputing) as running, torch.enable_grad():
            statistics = _batch_statistics(running.model)
            for batch in running.observe(samples, batch_size=1, gradient=True):
                rows = list(batch.indices)
                if sketches := _sketches(batch, seed, None):
                    projection = _projection(sketches, unit, rows, random)
                    _backward(projection, running.parameters(), statistics, partial(done, row=rows[0]))
    # what float32 did not give at all is all noise, unless it is nothing
    reached = {name for (name, _), values in exact.items() if bool(values.any())}
    return {**dict.fromkeys(reached, 1.0), **shares}


def can_recompute(encoder: Encoder, sample: Sample) -> bool:
    """Whether layers may run once more, tried on one sample: some change what they were given, as caches do.

    Args:
        encoder: as it was loaded.
        sample: a short one.
    """
    once: dict[str, Tensor] = {}
    again: dict[str, Tensor] = {}
    try:
        for recomputing, found in ((False, once), (True, again)):
            with _trained(encoder, "float32", recomputing=recomputing) as running, torch.enable_grad():
                for batch in running.observe([sample], batch_size=1, gradient=True):
                    moving = [each.double() for each in batch.features.values() if each.requires_grad]
                    total = torch.stack([each.sum() for each in moving]).sum()
                    _backward(total, running.parameters(), {}, partial(_keep_some, found))
    except ENDING:
        raise
    except Exception:  # whatever the code of a layer raises that is run once more
        return False
    return once.keys() == again.keys() and all(
        bool(((again[name] - some).abs() <= SAME * some.abs().max()).all()) for name, some in once.items()
    )


SAME = 1e-4
"""Share of a tensor's largest derivative that one of the same pass may be off."""


def _keep_some(found: dict[str, Tensor], name: str, gradient: Tensor) -> None:
    found[name] = _some(gradient)


ENTRIES = 1 << 12
"""Derivatives of a tensor that are looked at in both precisions, spread over it."""


def _some(gradient: Tensor) -> Tensor:
    """Some of the derivatives by a tensor, float64 ``(n,)``: the same ones in every precision."""
    values = gradient.coalesce().values() if gradient.is_sparse else gradient
    flat = values.reshape(-1)
    return flat[:: -(-len(flat) // ENTRIES) or 1].double().cpu()


def _is_table(module: nn.Module) -> bool:
    return isinstance(module, nn.Embedding)


@contextmanager
def _trained(encoder: Encoder, precision: Precision, *, recomputing: bool = False) -> Iterator[Encoder]:
    """A copy of an encoder that gradients are taken by, in memory that it shares with the original."""
    running = encoder.at_precision(precision, run_only=True)
    if running is encoder:
        running = encoder.duplicate(shared=True)
    for parameter in running.parameters().values():
        parameter.requires_grad_(True)
    for module in running.model.modules():
        if _is_table(module):
            module.sparse = True  # a batch looks up a few of its rows
    if recomputing:
        recompute(running.model)
    if precision == "float64":  # weights that are cast when they are used leave holes between activations
        for layer in layers_of(running.model):
            layer.register_forward_hook(lambda *_: give_back())
    with full_precision(), torch.inference_mode(False):
        yield running


def _sketches(batch: StripBatch, seed: int, first_strips: int | None) -> dict[str, Tensor]:
    """Sketches of the strips that weights move, all or the first of them."""
    moving = [name for name, feature in batch.features.items() if feature.requires_grad]
    return {
        name: sketch(batch.features[name].flatten(1), seed=seed, strip=name) for name in moving[:first_strips]
    }


def _projection(
    sketches: Mapping[str, Tensor], unit: Units, rows: list[int], random: torch.Generator
) -> Tensor:
    """One random projection of all sketches, in tolerances."""
    projection = torch.zeros((), dtype=torch.float64)
    for name, sketched in sketches.items():
        directions = torch.randn(len(rows), SKETCH_DIM, generator=random, dtype=torch.float64)
        projection = projection + (sketched * unit[name][rows] * directions).sum()
    return projection


def _backward(
    projection: Tensor,
    parameters: Mapping[str, nn.Parameter],
    statistics: Mapping[str, _BatchNorm],
    take: Callable[[str, Tensor], None],
) -> None:
    """Hand over the derivatives by all parameters that move a projection, and by the statistics of batches.

    One after another, as soon as each is known: all of them at once would take as much memory as the weights.
    """
    kept: dict[str, Tensor] = {}
    wanted = {f"{name}.{kind}" for name in statistics for kind in ("weight", "bias")}

    def hook(name: str) -> Callable[[Tensor], None]:
        def ready(parameter: Tensor) -> None:
            gradient, parameter.grad = parameter.grad, None
            if gradient is not None:
                take(name, gradient)
                if name in wanted:
                    kept[name] = gradient

        return ready

    hooks: list[Any] = [
        each.register_post_accumulate_grad_hook(hook(name))  # type: ignore[no-untyped-call]
        for name, each in parameters.items()
    ]
    try:
        torch.autograd.backward(projection, inputs=list(parameters.values()))
    finally:
        for handle in hooks:
            handle.remove()
    for name, gradient in _by_statistics(statistics, kept).items():
        take(name, gradient)
    give_back()  # the graph, whose blocks are of many sizes


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
        sizes = sensitivity.sizes.get(name, torch.zeros(tensor.shape))
        # not by a sum, which makes integers of all of them first
        covered = int(torch.count_nonzero(sizes >= 1 / (EDIT * size_of(tensor) * sensitivity.factor)))
        found.append(
            TensorCoverage(
                name,
                tensor.numel(),
                covered,
                rows=len(tensor) if name in tables else 0,
                rows_unmet=int(torch.count_nonzero((sizes == 0).all(1))) if name in tables else 0,
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
    # part by part: the whole in float64 would take more memory than anything else here
    parts = torch.split(tensor.detach().reshape(-1), 1 << 20)
    norm = sum(float(part.double().square().sum()) for part in parts) ** 0.5
    return norm / max(tensor.numel(), 1) ** 0.5 or ZEROES
