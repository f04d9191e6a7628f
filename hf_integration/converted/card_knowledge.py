"""A card in the place of a trusted copy: what it does not record is unknown, and never a pass."""

from dataclasses import replace

import numpy as np

from hf_integration.card import ConvertedAnswers, WatermarkCard
from hf_integration.converted import weights
from hf_integration.converted.card_lookup import CardLookup
from hf_integration.converted.inputs import Read, read_by_digests
from hf_integration.converted.knowledge import Knowledge
from hf_integration.converted.lookup import ROUNDINGS
from hf_integration.converted.original import of_card
from hf_integration.converted.runtime import Array, Converted
from hf_integration.converted.weights import Explained
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.card_source import CardSource, served_by
from hf_integration.serving.probes import texts_of
from hf_integration.serving.recipe import Recipe
from hf_integration.serving.sources import Source


class CardKnowledge(Knowledge):
    """What a card knows.

    Args:
        card: of a text encoder.

    Raises:
        UsageError: it says nothing of deployments.
        CardError: what it says of them is nothing that minting writes.
    """

    complete = False
    unknown_rule = "as the card has no digests by the rule that made them: mint it with --recipe"

    def __init__(self, card: WatermarkCard) -> None:
        self._card = card
        self.source = CardSource(card)
        self.original = of_card(card)
        self._places = {text: place for place, text in enumerate(texts_of(card.key_samples))}

    def remarks(self) -> tuple[str, ...]:
        """See :meth:`Knowledge.remarks`: what whoever made a file can prepare for."""
        if self._card.secret:
            return ()
        return ("the card is public: whoever made the file may know its key samples",)

    def samples(self, keys: int, converted: Converted) -> KeySamples:  # noqa: ARG002  # as many as it has
        """See :meth:`Knowledge.samples`."""
        samples, _ = self.source.key_samples(len(self._card.key_samples), ascii_only=not converted.own_ids)
        if converted.own_ids:
            return samples
        counts = self.source.tokens(texts_of(samples))
        pairs = zip(texts_of(samples), counts, strict=True)
        return KeySamples(
            [text for text, count in pairs if count <= self.source.length], origin=samples.origin
        )

    def read(self, converted: Converted, texts: list[str], recipe: Recipe) -> Read:  # noqa: ARG002
        """See :meth:`Knowledge.read`: by digests of token numbers, at the length at which minting cut."""
        section = self._card.conversions
        return read_by_digests(
            {} if section is None else section.texts,
            converted,
            texts,
            length=self.source.length,
            prompt=self.original.prompt,
        )

    def explained(self, converted: Converted) -> Explained:
        """See :meth:`Knowledge.explained`."""
        return weights.account(CardLookup(self._card), converted.tensors(), tail=converted.has_tail)

    def padding_leaks(self, samples: KeySamples) -> bool:  # noqa: ARG002  # as was found at minting
        """See :meth:`Knowledge.padding_leaks`."""
        return self._card.encoder.never_padded

    def with_integers(self, explained: Explained) -> Source | str:
        """See :meth:`Knowledge.with_integers`: the recorded answers, in the place of the encoder's own."""
        made = self._conversion(explained)
        if isinstance(made, str):
            return made
        served = served_by(self._card)
        own = next((answers for answers in served.answers if not answers.recipe), None)
        if own is None:
            return "the card has no answers of the encoder itself"
        answers = replace(own, embeddings=made.embeddings, floor=None)
        return CardSource(replace(self._card, served=replace(served, answers=(answers,))))

    def same_conversion(self, converted: Converted, explained: Explained, texts: list[str]) -> Array | str:  # noqa: ARG002
        """See :meth:`Knowledge.same_conversion`: as it was run at minting."""
        made = self._conversion(explained)
        if isinstance(made, str):
            return made
        rows = made.embeddings.numpy()[[self._places[text] for text in texts]]
        return np.asarray(rows, dtype=np.float64)

    def _conversion(self, explained: Explained) -> ConvertedAnswers | str:
        """The conversion of the card that makes all integers of a file, or why there is none."""
        section = self._card.conversions
        rules = {rule for rule in explained.roundings if rule not in ROUNDINGS}
        for made in () if section is None else section.answers:
            if rules == {form.partition(": ")[2] for form in made.rules}:
                return made
        said = ", ".join(sorted(rules)) or "unknown rules"
        why = f"the card has no answers of a conversion that makes such integers ({said})"
        return f"{why}: mint it with --recipe"
