"""What a converted encoder is held against, in the words that the check of the three questions asks in."""

from abc import ABC, abstractmethod

from hf_integration.converted.inputs import Read
from hf_integration.converted.original import Original
from hf_integration.converted.runtime import Array, Converted
from hf_integration.converted.weights import Explained
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.recipe import Recipe
from hf_integration.serving.sources import Source


class Knowledge(ABC):
    """What is known of the original: by a trusted copy, or by a card alone.

    Attributes:
        original: what files beside a model are read with.
        source: what embeddings are held against.
        complete: whether embeddings can be held against every known recipe: if so, what fits none is another
            encoder's. Otherwise it may be a recipe that nobody recorded.
        unknown_rule: what to say of integers that follow no rule.
    """

    original: Original
    source: Source
    complete: bool
    unknown_rule: str

    def remarks(self) -> tuple[str, ...]:
        """What every verdict says of it."""
        return ()

    @abstractmethod
    def samples(self, keys: int, converted: Converted) -> KeySamples:
        """The key samples that are asked."""

    @abstractmethod
    def read(self, converted: Converted, texts: list[str], recipe: Recipe) -> Read:
        """How texts are read: nasty ones, and the key samples.

        Args:
            converted: the converted encoder.
            texts: the key samples.
            recipe: what it is expected to do, which may be to cut elsewhere.
        """

    @abstractmethod
    def explained(self, converted: Converted) -> Explained:
        """What the arrays of the file are."""

    @abstractmethod
    def padding_leaks(self, samples: KeySamples) -> bool:
        """Whether padding changes what the encoder gives."""

    @abstractmethod
    def with_integers(self, explained: Explained) -> Source | str:
        """What embeddings of float arithmetic are held against where weights are integers; or why nothing."""

    @abstractmethod
    def same_conversion(self, converted: Converted, explained: Explained, texts: list[str]) -> Array | str:
        """What the same conversion of trusted weights gives, float64 ``(n, dim)``; or why nothing."""
