"""Whether one altered weight breaks the watermark in float64, with no more computed than that takes."""

import torch
from torch import Tensor

from hf_integration.authentication import reconstruct
from hf_integration.authentication.reconstruction import step_within
from hf_integration.authentication.references import reference_for
from hf_integration.card import WatermarkCard
from hf_integration.encoders import Encoder
from tests.benchmarks.floors.observation import observe
from tests.benchmarks.last_bit.replay import Replay


class StrictCheck:
    """Strict checks of one encoder whose weights are edited in between.

    Batches are those of a check with a budget: samples go one by one where a card has few. A batch whose
    tiles are broken ends it: a tile depends on its own key samples alone, so what the others give could not
    mend it.

    Args:
        encoder: the unaltered encoder.
        card: its card.
    """

    def __init__(self, encoder: Encoder, card: WatermarkCard) -> None:
        self.card = card
        self.reference = reference_for(card, "stored", "float64")
        self.running = encoder.at_precision("float64")
        if self.running is encoder:
            self.running = encoder.duplicate()
        self.replay = Replay(self.running.model)
        samples = card.key_samples
        step = step_within(len(samples))
        self.batches = [batch.indices for batch in self.running.observe(list(samples), batch_size=step)]
        for place in range(len(self.batches)):
            with self.replay.recording(place):
                self._observe(place)

    def broken(self, part: str | None) -> bool:
        """Whether the watermark is broken by an alteration within a part of the model.

        Args:
            part: name of the altered part, from which on everything is computed; None computes everything.
        """
        sketches = {
            strip: recorded.clone()
            for strip, recorded in zip(self.card.strips, self.reference.sketches, strict=True)
        }
        seen: list[int] = []
        for place, indices in enumerate(self.batches):
            with self.replay.starting_at(part, place):
                observed = self._observe(place)
            for strip, found in observed.items():
                sketches[strip][torch.tensor(indices)] = found
            seen += indices
            tiles = self.card.generator.layout.settled(seen)
            if bool(reconstruct(self.card, self.reference, sketches).broken[:, tiles].any()):
                return True
        return False

    def _observe(self, place: int) -> dict[str, Tensor]:
        """Sketches of one batch, in the order of its indices."""
        some = [self.card.key_samples[index] for index in self.batches[place]]
        # the order is kept, also where lengths are equal: the batch is to be the same to the bit
        order = range(len(some))
        return observe(self.running, some, seed=self.card.seed, batch_size=len(some), order=order).sketches
