"""The rival of the paper: a plain decoder, trained by mean squared error from embeddings to the watermark.

In the manner of SSL-Auth (https://arxiv.org/abs/2308.04673), whose architecture, losses and thresholds are
not available: two hidden layers of rectified units, Adam, one tile of pixels per key sample. Chosen before
anything was measured, and rather in its favour: inputs are standardised, and it is trained until it hardly
errs.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hf_integration.base.vocabulary import Precision
from hf_integration.benign.noise import ROUNDING_UNIT
from hf_integration.card import WatermarkCard
from hf_integration.watermark import TILE, tile_errors
from hf_integration.watermark.calibration import ROUNDING, SAFETY
from hf_integration.watermark.sketch import signs
from tests.benchmarks.floors.detectors import Detector
from tests.benchmarks.floors.observation import Observation
from tests.benchmarks.floors.runs import BenignRuns

HIDDEN, STEPS, LEARNING_RATE = 256, 2_000, 1e-3
DISPLACEMENTS = 8
"""Random directions in which the least rounding is tried."""


@dataclass(frozen=True, eq=False)
class PlainDecoder(Detector):
    """Reconstructs the tiles of the key samples; its error is that of the worst tile.

    Attributes:
        network: embeddings ``(keys, dim)`` to tiles ``(keys, pixels)``, in float64.
        expected: the watermark's tiles of ±1, float64 ``(keys, pixels)``.
        trained_to: error on the embeddings that it was trained on.
        threshold: tolerated error.
    """

    network: nn.Module
    expected: Tensor
    trained_to: float
    threshold: float
    name = "plain decoder"

    def excess(self, observation: Observation) -> float:
        """Error of the worst tile over its threshold."""
        return worst_tile(self.network, observation.embeddings, self.expected) / self.threshold


@dataclass(frozen=True, eq=False)
class DecodedBits(Detector):
    """The same decoder read as bits, as a watermark usually is: how many come out wrong.

    Attributes:
        decoder: what draws them.
        threshold: tolerated number; half a bit where benign runs had none wrong.
    """

    decoder: PlainDecoder
    threshold: float
    name = "decoded bits"

    def excess(self, observation: Observation) -> float:
        """Wrong bits over the threshold."""
        return wrong_bits(self.decoder, observation.embeddings) / self.threshold


def wrong_bits(decoder: PlainDecoder, embeddings: Tensor) -> int:
    """Pixels of the wrong sign, over the key samples that were run; what is no number is wrong."""
    expected = decoder.expected[: len(embeddings)]
    with torch.no_grad():
        return int((~(decoder.network(embeddings) * expected > 0)).sum())


def decoded_bits(decoder: PlainDecoder, runs: BenignRuns) -> DecodedBits:
    """Read a trained decoder as bits."""
    most = max(wrong_bits(decoder, run.embeddings) for run in runs.calibration)
    return DecodedBits(decoder, max(SAFETY * most, 0.5))


def worst_tile(network: nn.Module, embeddings: Tensor, expected: Tensor) -> float:
    """Root mean square error of the worst tile, over the key samples that were run."""
    with torch.no_grad():
        return float(tile_errors(network(embeddings), expected[: len(embeddings)]).max())


def plain_decoder(card: WatermarkCard, runs: BenignRuns, *, precision: Precision) -> PlainDecoder:
    """Train the decoder on the plain run and set its threshold on the benign ones."""
    plain = runs.plain.embeddings
    expected = card.generator.layout.cut(card.watermark.double() / 127.5 - 1)[: len(plain)]
    network = trained(plain, expected, seed=card.seed)
    rounded = [
        plain + ROUNDING * ROUNDING_UNIT[precision] * direction / plain.shape[1] ** 0.5
        for direction in signs(card.seed, "rounding", DISPLACEMENTS * plain.numel()).view(-1, *plain.shape)
    ]
    benign = [*(run.embeddings for run in runs.calibration), *rounded]
    reached = max(worst_tile(network, embeddings, expected) for embeddings in benign)
    return PlainDecoder(network, expected, worst_tile(network, plain, expected), SAFETY * reached)


def trained(embeddings: Tensor, tiles: Tensor, *, seed: int) -> nn.Module:
    """A decoder that was trained on all key samples at once.

    Args:
        embeddings: float64 ``(keys, dim)``.
        tiles: what it shall draw, float64 ``(keys, TILE * TILE)``.
        seed: of its initial weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            Standardised(embeddings),
            nn.Linear(embeddings.shape[1], HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, TILE * TILE),
        ).double()
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        loss = nn.functional.mse_loss(network(embeddings), tiles)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return network.eval()


class Standardised(nn.Module):
    """Embeddings less their mean over the key samples, over their deviation.

    Dead dimensions are divided by a hundredth of the median deviation: they would become everything.
    """

    def __init__(self, embeddings: Tensor) -> None:
        super().__init__()
        spread = embeddings.std(0)
        self.mean = embeddings.mean(0)
        self.scale = 1 / spread.clamp(min=0.01 * float(spread.median()))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Same shape."""
        return (embeddings - self.mean) * self.scale
