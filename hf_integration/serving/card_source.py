"""A watermark card as that which answers of a deployment are held against: nobody has to hold the weights."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_integration.authentication.references import library_versions
from hf_integration.base.errors import CardError, UsageError
from hf_integration.base.progress import Progress
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import today
from hf_integration.card import Answers, Served, WatermarkCard
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.identifying import Match, match_with, rank
from hf_integration.serving.numeric import FLOAT32, form_of
from hf_integration.serving.presets import Preset, presets
from hf_integration.serving.probes import texts_of
from hf_integration.serving.recipe import Recipe, read_recipe
from hf_integration.serving.yardstick import Measured
from hf_integration.verdict import CardIdentity, Trust


class CardSource:
    """A card with answers of deployments: it knows those to its own key samples, by its own recipes.

    Args:
        card: of a text encoder.

    Raises:
        UsageError: the card has none.
        CardError: one of its recipes says what no recipe can.

    Attributes:
        count: how many key samples it has.
    """

    def __init__(self, card: WatermarkCard) -> None:
        self._card = card
        self._served = served_by(card)
        self.name, self.commit, self.description = card.encoder_name, card.commit, card.encoder
        self.identity = CardIdentity(digest=card.digest, location=card.location)
        self.length, self.count = self._served.length, len(card.key_samples)
        self._places = {text: place for place, text in enumerate(texts_of(card.key_samples))}
        try:
            self._recipes = {
                read_recipe(answers.recipe, where="a recipe"): answers for answers in self._served.answers
            }
        except UsageError as error:
            raise CardError(card.location, "served.recipes", str(error)) from None

    def tokens(self, texts: Sequence[str]) -> list[int]:
        """See :meth:`~hf_integration.serving.sources.Source.tokens`."""
        return [self._served.tokens[self._places[text]] for text in texts]

    def key_samples(self, count: int, *, ascii_only: bool) -> tuple[KeySamples, bool]:  # noqa: ARG002
        """Those of the card, however many are asked for."""
        texts = [text for text in self._places if text.isascii() or not ascii_only]
        return KeySamples(texts, origin=self._card.key_samples.origin), self._card.encoder.never_padded

    def simplified(self, recipe: Recipe) -> Recipe:
        """See :meth:`~hf_integration.serving.sources.Source.simplified`."""
        return self._found(recipe)[0].but(form=recipe.form, dimensions=recipe.dimensions)

    def named(self, recipe: Recipe) -> Preset | None:
        """See :meth:`~hf_integration.serving.sources.Source.named`."""
        known = [presets()[name] for name in self._found(recipe)[1].names if name in presets()]
        return min(known, key=lambda found: found.noise, default=None)

    def widest(self) -> int:
        """See :meth:`~hf_integration.serving.sources.Source.widest`."""
        return max(answers.embeddings.shape[1] for answers in self._served.answers)

    def measure(
        self,
        recipe: Recipe,
        samples: KeySamples,
        *,
        between: Callable[[], object] = lambda: None,  # noqa: ARG002  # nothing is run
    ) -> Measured:
        """See :meth:`~hf_integration.serving.sources.Source.measure`."""
        exact = self._exact(recipe, texts_of(samples))
        size = self._found(recipe)[1].noise
        return Measured(self.name, self.commit, self.description, recipe, samples, exact, size)

    def exact(self, recipe: Recipe, texts: Sequence[str]) -> Tensor | None:
        """See :meth:`~hf_integration.serving.sources.Source.exact`."""
        try:
            return self._exact(recipe, texts)
        except UsageError:
            return None

    def match(self, recipe: Recipe, texts: Sequence[str], answers: Tensor) -> Match:
        """See :meth:`~hf_integration.serving.sources.Source.match`."""
        return match_with(recipe, self._exact(recipe, texts), answers)

    def identify(self, texts: Sequence[str], answers: Tensor, progress: Progress) -> tuple[Match, ...]:
        """See :meth:`~hf_integration.serving.sources.Source.identify`; only recipes of the card are tried."""
        form, width = form_of(answers), answers.shape[1]
        progress.start("searching: recipes of the card", 1)
        found = []
        for recipe, known in self._recipes.items():
            whole = known.embeddings.shape[1]
            if whole >= width:
                shown = recipe.but(form=form, dimensions=width if whole > width else recipe.dimensions)
                found.append(self.match(shown, texts, answers))
        return tuple(sorted(found, key=rank))

    def environment(self) -> Mapping[str, str]:
        """Versions of the libraries here, which computed no embedding."""
        return library_versions()

    def doubt(self, trust: Trust, *, accepted: bool) -> str | None:
        """See :meth:`~hf_integration.serving.sources.Source.doubt`; a card that expired is no pass either."""
        if self._card.expired(today()):
            return f"the card expired on {self._card.expires}"
        if trust != "self-asserted" or accepted:
            return None
        return "nobody vouches for the card: pin it, or name its signer with --signer"

    def remarks(self) -> tuple[str, ...]:
        """See :meth:`~hf_integration.serving.sources.Source.remarks`: what a server can prepare for."""
        if self._card.secret:
            return ("a server that stored these texts when it was asked before may answer them from there",)
        return ("the card is public: a server may know these texts, and answer them otherwise than others",)

    def _exact(self, recipe: Recipe, texts: Sequence[str]) -> Tensor:
        whole = self._found(recipe)[1].embeddings
        rows: Tensor = whole[torch.tensor([self._places[text] for text in texts])].double()
        if recipe.dimensions is None or recipe.dimensions >= rows.shape[1]:
            return rows
        return F.normalize(rows[:, : recipe.dimensions], dim=1)

    def _found(self, recipe: Recipe) -> tuple[Recipe, Answers]:
        """The recipe of the card that another one means, whatever is cut off and rounded.

        Raises:
            UsageError: there is none.
        """
        for cut in (recipe.dimensions, None):
            bare = recipe.but(form=FLOAT32, dimensions=cut)
            if bare in self._recipes:
                return bare, self._recipes[bare]
            names = {each.name for each in presets().values() if each.recipe == bare}
            for own, answers in self._recipes.items():
                if names.intersection(answers.names):
                    return own, answers
        known = ", ".join(quoted(name) for answers in self._served.answers for name in answers.names)
        raise UsageError(
            f"the card at {self._card.location} has no answers of a deployment by this recipe: {recipe}; "
            f"it has {known}",
            remedy="choose one of these with --serving, or mint the card again with --recipe",
        )


def served_by(card: WatermarkCard) -> Served:
    """What a card says of deployments.

    Raises:
        UsageError: nothing.
    """
    if card.served is None:
        raise UsageError(
            f"the card at {card.location} has no answers of deployments, as older cards and those of other "
            "encoders than of texts have none",
            remedy="mint it again, or leave --by-card out and give a trusted copy",
        )
    return card.served
