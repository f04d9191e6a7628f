"""What answers of a deployment are held against: a trusted copy or a card.

:mod:`~hf_integration.serving.judging` asks either in the same words, so that one decision is made of both.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from torch import Tensor

from hf_integration.authentication.references import environment_of
from hf_integration.base.progress import Progress
from hf_integration.benign.padding import padding_leaks
from hf_integration.encoders.interface import EncoderDescription
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.computing import Computed, own_length, simplified, tokens_of, widest
from hf_integration.serving.identifying import Match, identify, match_of
from hf_integration.serving.presets import Preset, named
from hf_integration.serving.probes import fresh_samples
from hf_integration.serving.recipe import Recipe
from hf_integration.serving.yardstick import TOGETHER, Measured, measure
from hf_integration.verdict import CardIdentity, Trust

SPARSE = 4
"""In float32, every so many-th key sample is run in benign ways, as a deployment is waited for meanwhile: the
largest difference of 16 texts was 0.75 to 1 of that of 64, of which eight times as much is tolerated. In half
precision all of them are, as less can be spared there."""


class Source(Protocol):
    """What is known of an encoder.

    Attributes:
        name: of the encoder.
        commit: of the encoder, if it is from a Hub.
        description: what else is recorded of it.
        identity: what a verdict names as that which answers were held against.
        length: tokens at which the encoder itself cuts a text.
    """

    name: str
    commit: str | None
    description: EncoderDescription
    identity: CardIdentity
    length: int

    def tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has, wherever it would be cut."""

    def key_samples(self, count: int, *, ascii_only: bool) -> tuple[KeySamples, bool]:
        """What is asked, and whether padding would change what the encoder gives for it."""

    def simplified(self, recipe: Recipe) -> Recipe:
        """The recipe without what the encoder does by itself: two that give the same are then equal.

        Raises:
            UsageError: it is not known what the encoder gives under it.
        """

    def named(self, recipe: Recipe) -> Preset | None:
        """The preset that gives the same as a recipe, if there is one."""

    def widest(self) -> int:
        """Most dimensions that any recipe gives."""

    def measure(
        self, recipe: Recipe, samples: KeySamples, *, between: Callable[[], object] = lambda: None
    ) -> Measured:
        """What the encoder gives under a recipe; ``between`` is called between runs, and may end it all."""

    def exact(self, recipe: Recipe, texts: Sequence[str]) -> Tensor | None:
        """What the encoder gives under a recipe, float64 ``(n, dim)``, if that is known."""

    def match(self, recipe: Recipe, texts: Sequence[str], answers: Tensor) -> Match:
        """How far answers, float64 ``(n, dim)``, are from a recipe."""

    def identify(self, texts: Sequence[str], answers: Tensor, progress: Progress) -> tuple[Match, ...]:
        """Recipes by how well they explain answers, the best first."""

    def environment(self) -> Mapping[str, str]:
        """Versions and device of whatever is computed here."""

    def doubt(self, trust: Trust, *, accepted: bool) -> str | None:
        """Why answers that fit are no pass yet, if they are not.

        Args:
            trust: why the source is believed.
            accepted: whether a source counts that nobody pinned.
        """

    def remarks(self) -> tuple[str, ...]:
        """What every verdict says of the source."""


class CopySource:
    """A trusted copy: it gives answers under any recipe, and every key sample is a fresh one.

    Args:
        encoder: it takes texts.
    """

    def __init__(self, encoder: TorchEncoder) -> None:
        self._encoder = encoder
        self.name, self.commit = encoder.name, encoder.commit
        self.description = encoder.description
        where = "fresh key samples, and what the trusted copy gives for them"
        self.identity = CardIdentity(digest="", location=where)
        self.length = own_length(encoder)
        self._together = 1  # until it is known whether padding leaks

    def tokens(self, texts: Sequence[str]) -> list[int]:
        """See :meth:`Source.tokens`."""
        return tokens_of(self._encoder, texts)

    def key_samples(self, count: int, *, ascii_only: bool) -> tuple[KeySamples, bool]:
        """Fresh ones; a copy that padding changes embeds one text at a time from now on, as it is asked."""
        samples = fresh_samples(self._encoder, count, ascii_only=ascii_only)
        leaks = padding_leaks(self._encoder, (), seed=0)  # its own texts are like these
        if leaks:
            self._encoder.never_pad()
        self._together = TOGETHER
        return samples, leaks

    def simplified(self, recipe: Recipe) -> Recipe:
        """See :meth:`Source.simplified`."""
        return simplified(self._encoder, recipe)

    def named(self, recipe: Recipe) -> Preset | None:
        """See :meth:`Source.named`."""
        return named(recipe, self._encoder)

    def widest(self) -> int:
        """See :meth:`Source.widest`."""
        return widest(self._encoder)

    def measure(
        self, recipe: Recipe, samples: KeySamples, *, between: Callable[[], object] = lambda: None
    ) -> Measured:
        """See :meth:`Source.measure`."""
        some = slice(None, None, SPARSE if recipe.arithmetic == "float32" else 1)
        return measure(self._encoder, recipe, samples, some=some, together=self._together, between=between)

    def exact(self, recipe: Recipe, texts: Sequence[str]) -> Tensor:
        """See :meth:`Source.exact`."""
        return Computed(self._encoder, recipe).embed(texts)

    def match(self, recipe: Recipe, texts: Sequence[str], answers: Tensor) -> Match:
        """See :meth:`Source.match`."""
        return match_of(self._encoder, recipe, texts, answers)

    def identify(self, texts: Sequence[str], answers: Tensor, progress: Progress) -> tuple[Match, ...]:
        """See :meth:`Source.identify`."""
        return identify(self._encoder, texts, answers, progress)

    def environment(self) -> Mapping[str, str]:
        """See :meth:`Source.environment`."""
        return environment_of(self._encoder.device)

    def doubt(self, trust: Trust, *, accepted: bool) -> str | None:
        """See :meth:`Source.doubt`."""
        if trust != "self-asserted" or accepted:
            return None
        return "nobody pinned the copy: give --revision COMMIT, or pin it"

    def remarks(self) -> tuple[str, ...]:
        """See :meth:`Source.remarks`; there is nothing to say of fresh key samples."""
        return ()
