"""Ways to tell an altered encoder from an unaltered one, from the same observation of the same samples.

Every threshold is set the same way: the safety factor times the larger of what the same benign runs reached
and what the same least rounding would reach. None was tuned after an alteration was seen.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hf_integration.authentication import reconstruct
from hf_integration.base.vocabulary import Precision
from hf_integration.benign.noise import ROUNDING_UNIT
from hf_integration.card import Reference, WatermarkCard
from hf_integration.watermark import GROUP, KINDS, Layout
from hf_integration.watermark.calibration import ROUNDING, SAFETY
from tests.benchmarks.floors.observation import Observation, completed
from tests.benchmarks.floors.runs import BenignRuns


class Detector(ABC):
    """Says by how much an observation exceeds what is tolerated.

    Attributes:
        name: for tables.
    """

    name: str

    @abstractmethod
    def excess(self, observation: Observation) -> float:
        """Statistic over threshold: above 1 is an alarm; infinite where a feature is not a number."""


@dataclass(frozen=True, eq=False)
class Watermark(Detector):
    """Ours: strips, generator and tiles; the card's own verdict, digests left aside.

    Attributes:
        card: as it was minted.
        reference: of the weights and the precision that are run.
    """

    card: WatermarkCard
    reference: Reference
    name = "watermark"

    def excess(self, observation: Observation) -> float:
        """Error of the worst tile over the tolerance."""
        strips = reconstruct(self.card, self.reference, _all_keys(self, observation)).strips
        return max(strip.error / strip.tolerance for strip in strips)


@dataclass(frozen=True, eq=False)
class StripDistance(Detector):
    """Distance and mean shifts of every strip to the stored sketches, without a generator.

    The watermark's own statistics and tolerances, judged by norm: what is left of it when the picture is
    taken away.
    """

    card: WatermarkCard
    reference: Reference
    name = "strip distance"

    def excess(self, observation: Observation) -> float:
        """Largest norm over strips and tiles, in tolerances."""
        strips = reconstruct(self.card, self.reference, _all_keys(self, observation)).strips
        return max(strip.deviation for strip in strips)


def _all_keys(detector: Watermark | StripDistance, observation: Observation) -> dict[str, Tensor]:
    recorded = zip(detector.card.strips, detector.reference.sketches, strict=True)
    return {strip: completed(observation.sketches[strip], stored) for strip, stored in recorded}


@dataclass(frozen=True, eq=False)
class OfEmbedding(Detector):
    """A statistic of the embeddings alone, whole and of unit norm, against those of the plain run.

    Attributes:
        name: for tables.
        statistic: embeddings ``(keys, dim)`` and those of the plain run to one number per kind.
        plain: embeddings of the plain run, float64 ``(keys, dim)``.
        thresholds: one per kind.
    """

    name: str
    statistic: Callable[[Tensor, Tensor], Tensor]
    plain: Tensor
    thresholds: Tensor

    def excess(self, observation: Observation) -> float:
        """Largest statistic over its threshold."""
        found = self.statistic(observation.embeddings, self.plain) / self.thresholds
        return float(found.nan_to_num(nan=torch.inf).max())


def largest_distance(embeddings: Tensor, plain: Tensor) -> Tensor:
    """Maximum relative distance over the key samples that were run, ``(1,)``."""
    stored = plain[: len(embeddings)]
    distances: Tensor = (embeddings - stored).norm(dim=1) / stored.norm(dim=1)
    return distances.max().reshape(1)


def distance_and_shifts(embeddings: Tensor, plain: Tensor) -> Tensor:
    """Largest distance of one key sample, shift of a group's mean, and shift of the mean, ``(3,)``."""
    layout = Layout(len(plain))
    norms = layout.gather(completed(embeddings, plain) - plain).norm(dim=1)
    return torch.stack([norms[layout.kinds == kind].max() for kind in range(len(KINDS))])


def of_embedding(
    name: str,
    statistic: Callable[[Tensor, Tensor], Tensor],
    runs: BenignRuns,
    *,
    precision: Precision,
    least: Sequence[float] = (1.0,),
) -> OfEmbedding:
    """Set the thresholds of a statistic of embeddings.

    Args:
        name: for tables.
        statistic: see :class:`OfEmbedding`.
        runs: the benign runs.
        precision: whose rounding is assumed at least.
        least: share of the least rounding that each kind of statistic sees.
    """
    plain = runs.plain.embeddings
    reached = torch.stack([statistic(run.embeddings, plain) for run in runs.calibration]).amax(0)
    floor = torch.tensor(least, dtype=torch.float64) * ROUNDING * ROUNDING_UNIT[precision]
    return OfEmbedding(name, statistic, plain, SAFETY * torch.maximum(reached, floor))


def averaged(keys: int) -> tuple[float, float, float]:
    """By how much rounding that differs from sample to sample shrinks in each kind of tile."""
    return (1.0, min(GROUP, keys) ** -0.5, keys**-0.5)


def excesses(detectors: Sequence[Detector], observation: Observation) -> Mapping[str, float]:
    """What each detector makes of one observation."""
    return {detector.name: detector.excess(observation) for detector in detectors}
