"""What answers are held against: fresh key samples, and what a trusted copy gives for them under one recipe.

It is a watermark card of one strip that exists for one check: sketches of the embeddings, tolerances
calibrated by benign runs, and a generator that draws the watermark from whatever was answered.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

import torch
from torch import Tensor

from hf_integration.authentication.reconstruction import Reconstruction, reconstruct
from hf_integration.authentication.references import library_versions
from hf_integration.base.vocabulary import EMBEDDING_STRIP
from hf_integration.benign.noise import ROUNDING_UNIT
from hf_integration.benign.variants import CALIBRATION, Variant
from hf_integration.card import Reference, WatermarkCard
from hf_integration.card.picture import watermark_picture
from hf_integration.encoders.identity.behaviour import Behaviour
from hf_integration.encoders.interface import EncoderDescription
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.computing import Computed
from hf_integration.serving.numeric import Form
from hf_integration.serving.probes import texts_of
from hf_integration.serving.recipe import Recipe
from hf_integration.watermark import Calibration, Generator, Layout, calibrate, edge_error, sketch, train
from hf_integration.watermark.calibration import SAFETY

SIMULATED = 32
"""Benign runs that are made up from the size of the measured ones: rounding flips few numbers in each, so
that two measured runs would say too little about how many."""

REACH = 4
"""Times that a runtime may be further from the reference than torch is, in what is simulated, divided by the
tolerance's own factor of eight: a noise that a recipe states is half the tolerance."""

TOGETHER = 16
"""Key samples in a batch where batches make no difference."""


@dataclass(frozen=True, eq=False)
class Yardstick:
    """A reference for one recipe.

    Attributes:
        recipe: what the deployment is expected to do.
        exact: embeddings of the key samples before they are written as numbers, float64 ``(n, dim)``.
        card: the card of this one check.
        noise: largest relative distance of a benign answer to the reference, rounding included.
        away: the same before rounding, of real runs only.
    """

    recipe: Recipe
    exact: Tensor
    card: WatermarkCard
    noise: float
    away: float

    @property
    def written(self) -> Tensor:
        """The embeddings as an answer would hold them."""
        return self.recipe.form.rounded(self.exact)

    @property
    def tolerated(self) -> float:
        """Relative distance that answers may have without being seen.

        In random directions, 4 to 8 times that of benign ones was measured.
        """
        return SAFETY * self.noise

    def distances(self, answers: Tensor) -> Tensor:
        """Distance of each answer to its reference, relative to the length of that, float64 ``(n,)``."""
        away: Tensor = (answers - self.written).norm(dim=1) / _sizes(self.exact).squeeze(1)
        return away

    def held_against(self, answers: Tensor) -> Reconstruction:
        """The watermark as these answers reproduce it.

        Args:
            answers: float64 ``(n, dim)``, in the order of the key samples.
        """
        sketches = sketch(answers / _sizes(self.exact), seed=self.card.seed, strip=EMBEDDING_STRIP)
        return reconstruct(self.card, self.card.references[0], {EMBEDDING_STRIP: sketches})


@dataclass(frozen=True, eq=False)
class Known:
    """Runs of an encoder that were made for something else, and that a deployment needs as well.

    Attributes:
        exact: embeddings of all key samples in float64, float64 ``(n, dim)``.
        benign: those of benign runs in float32, of the first key samples, at least one run.
    """

    exact: Tensor
    benign: tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class Measured:
    """What the encoder gives under a recipe, from which a yardstick for every numeric form can be made.

    Attributes:
        name: of the encoder.
        commit: of the encoder, if it is from a Hub.
        encoder: what else is known of it.
        recipe: what the deployment does, in whatever form it writes its answers.
        samples: the key samples.
        exact: their embeddings, float64 ``(n, dim)``.
        size: largest relative distance of a benign run to these.
        away: differences of benign runs to these, where they are known for all key samples.
    """

    name: str
    commit: str | None
    encoder: EncoderDescription
    recipe: Recipe
    samples: KeySamples
    exact: Tensor
    size: float
    away: tuple[Tensor, ...] = ()

    def of(self, samples: KeySamples) -> "Measured":
        """The same of some of the key samples, in their order."""
        kept = set(texts_of(samples))
        places = [index for index, text in enumerate(texts_of(self.samples)) if text in kept]
        return replace(
            self, samples=samples, exact=self.exact[places], away=tuple(run[places] for run in self.away)
        )

    def yardstick(self, form: Form, *, noise: float = 0.0, seed: int | None = None) -> Yardstick:
        """The yardstick for answers that are written in one form.

        Args:
            form: the form.
            noise: relative distance at which real runtimes of this recipe were found, if it is larger than
                that of torch.
            seed: of sketches and generator; by default one that nobody can guess.
        """
        seed = secrets.randbits(63) if seed is None else seed
        exact, written = self.exact, form.rounded(self.exact)
        away = [*self.away, *_simulated(exact, max(self.size, noise / REACH), seed=seed)]
        answered = [form.rounded(exact + run) - written for run in away]
        if not form.exact:
            answered.append(_one_jump(exact, form))
        calibration = calibrate(
            [_sketched(run, exact, seed) for run in answered],
            _sketched(written, exact, seed),
            epsilon=ROUNDING_UNIT[self.recipe.arithmetic],
            evenly=not form.exact,
        )
        card = _card(self, calibration, _sketched(written, exact, seed), seed)
        return Yardstick(self.recipe.but(form=form), exact, card, _largest(answered, exact), self.size)


def measure(
    encoder: TorchEncoder,
    recipe: Recipe,
    samples: KeySamples,
    *,
    some: slice = slice(None),
    together: int = 1,
    between: Callable[[], object] = lambda: None,
) -> Measured:
    """Run a trusted copy as a deployment does, exactly and in benign ways.

    Args:
        encoder: the trusted copy.
        recipe: what the deployment does.
        samples: key samples, best fresh ones that nobody can have prepared for.
        some: of which key samples benign runs are made.
        together: key samples in a batch of the exact run in float64, where a batch makes no difference, and
            weights are cast for each; more than one only of an encoder that was tried for padding that leaks.
        between: is called after each run, and may raise to end it all.
    """
    computed, texts, away = Computed(encoder, recipe), texts_of(samples), []
    # one by one, as a deployment is asked, in a precision in which a batch makes a difference
    exact = computed.embed(texts, batch_size=together if computed.reference_precision == "float64" else 1)
    for variant in CALIBRATION:
        between()
        away.append(_benign(computed, texts[some], variant) - exact[some])
    return _measured(encoder, recipe, samples, exact, away, exact[some])


def measured_already(encoder: TorchEncoder, recipe: Recipe, samples: KeySamples, known: Known) -> Measured:
    """The same from runs that are known, for a recipe that does nothing but embed.

    Args:
        encoder: the trusted copy.
        recipe: the recipe.
        samples: the key samples of these runs.
        known: the runs.
    """
    # an encoder that computes in float32 gives its embeddings in it
    away = [run.float().double() - known.exact[: len(run)] for run in known.benign]
    return _measured(encoder, recipe, samples, known.exact, away, known.exact[: len(away[0])])


def _measured(
    encoder: TorchEncoder,
    recipe: Recipe,
    samples: KeySamples,
    exact: Tensor,
    away: Sequence[Tensor],
    some: Tensor,
) -> Measured:
    """What differences of benign runs to some of the exact embeddings say."""
    runs = tuple(away) if len(some) == len(exact) else ()
    described, size = encoder.description, _largest(away, some)
    return Measured(encoder.name, encoder.commit, described, recipe, samples, exact, size, runs)


def yardstick(
    encoder: TorchEncoder, recipe: Recipe, samples: KeySamples, *, noise: float = 0.0, seed: int | None = None
) -> Yardstick:
    """Compute what a deployment of an encoder answers, and how far a benign one may be from that.

    Args:
        encoder: the trusted copy.
        recipe: what the deployment does.
        samples: key samples.
        noise: see :meth:`Measured.yardstick`.
        seed: see :meth:`Measured.yardstick`.
    """
    return measure(encoder, recipe, samples).yardstick(recipe.form, noise=noise, seed=seed)


def _card(measured: Measured, calibration: Calibration, reference: Tensor, seed: int) -> WatermarkCard:
    """The card of one check."""
    samples = measured.samples
    layout, picture, generator = _trained(len(samples), seed)
    return WatermarkCard(
        encoder_name=measured.name,
        commit=measured.commit,
        encoder=measured.encoder,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        libraries=dict(library_versions()),
        secret=True,
        seed=seed,
        key_samples=samples,
        watermark=((picture + 1) * 127.5).to(torch.uint8),
        generator=generator,
        tolerance=edge_error(generator, layout.cut(picture), seed=seed),
        strips=(EMBEDDING_STRIP,),
        references=(Reference("stored", measured.recipe.arithmetic, reference[None], (calibration,), 0.0),),
        digests={},
        behaviour=Behaviour(),
    )


@lru_cache(maxsize=1)
def _trained(samples: int, seed: int) -> tuple[Layout, Tensor, Generator]:
    """Layout, picture and generator, which the yardsticks of one check share."""
    layout = Layout(samples)
    picture = watermark_picture(layout.side)
    return layout, picture, train(picture, layout, seed=seed)


def _largest(runs: Sequence[Tensor], exact: Tensor) -> float:
    """Largest relative distance in any of these differences."""
    return max(float((run.norm(dim=1) / _sizes(exact).squeeze(1)).max()) for run in runs)


def _benign(computed: Computed, texts: Sequence[str], variant: Variant) -> Tensor:
    """One benign run, in the arithmetic of the deployment."""
    with variant.setting(computed.encoder):
        order = variant.order(len(texts)) or list(range(len(texts)))
        found = computed.embed(
            [texts[index] for index in order],
            precision=computed.recipe.arithmetic,
            batch_size=variant.batch_size,
        )
    run = torch.empty_like(found)
    run[order] = found
    return run


def _simulated(exact: Tensor, size: float, *, seed: int) -> list[Tensor]:
    """Differences of a size, in random directions: real ones of two texts were found to be independent."""
    generator = torch.Generator().manual_seed(seed)
    runs = torch.randn(SIMULATED, *exact.shape, generator=generator, dtype=torch.float64)
    return list(runs / exact.shape[1] ** 0.5 * size * _sizes(exact))


def _one_jump(exact: Tensor, form: Form) -> Tensor:
    """One number rounded the other way, the one that jumps furthest: the least that benign runs do."""
    jump = torch.zeros_like(exact)
    furthest = (form.steps(exact) / _sizes(exact)).argmax()
    jump.view(-1)[furthest] = form.steps(exact).view(-1)[furthest]
    return jump


def _sketched(embeddings: Tensor, exact: Tensor, seed: int) -> Tensor:
    return sketch(embeddings / _sizes(exact), seed=seed, strip=EMBEDDING_STRIP)


def _sizes(exact: Tensor) -> Tensor:
    """Lengths of the exact embeddings, float64 ``(n, 1)``: what is relative is relative to these."""
    sizes: Tensor = exact.norm(dim=1, keepdim=True)
    return sizes.clamp(min=1e-12)
