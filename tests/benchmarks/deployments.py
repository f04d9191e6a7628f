"""Deployed encoders: false alarms, the smallest step of fine-tuning that shows, and rivals on these answers.

Answers are computed here, by the trusted copy and by altered copies of it, in other batches than the
reference is and with either kernel of attention; the real servers of the tests are not part of this.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial

from torch import Tensor

from hf_integration.benign.variants import other_attention
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.computing import Computed, simplified
from hf_integration.serving.half_precision import like_half_precision
from hf_integration.serving.numeric import FLOAT32, Form
from hf_integration.serving.presets import presets
from hf_integration.serving.probes import fresh_samples, texts_of
from hf_integration.serving.recipe import Recipe
from hf_integration.serving.sources import CopySource
from hf_integration.serving.yardstick import Measured, Yardstick
from hf_integration.tampering.weights.fine_tuning import fine_tune
from tests.benchmarks.rivals import RIVALS, seen_by
from tests.benchmarks.subjects import Subject

KEYS = 64
RATES = (1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
"""Learning rates of one AdamW step."""

FORMS = (
    FLOAT32,
    Form("decimals", 6),
    Form("decimals", 5),
    Form("decimals", 4),
    Form("decimals", 3),
    Form("digits", 6),
    Form("digits", 5),
    Form("float16"),
    Form("bfloat16"),
)
BATCHES = (1, 2, 7, 32)
ALTERED_BATCHES = (7, 32)
BEHIND = 100
"""Times that a step must be larger before the cosine canary sees it."""

Scene = tuple[list[Tensor], dict[float, list[Tensor]], Measured]
"""Answers of the trusted copy, answers of altered copies by learning rate, and what both are held against."""


def run(subject: Subject) -> list[str]:
    """Print a row for each recipe and form."""
    encoder = subject.encoder
    if not isinstance(encoder, TorchEncoder) or encoder.modality != "text":
        return []
    samples = fresh_samples(encoder, KEYS, seed=20_261_128)
    short: list[str] = []
    altered = dict(_stepped(encoder))
    runs = alarms = 0
    false_alarms, behind = dict.fromkeys(RIVALS, 0), []
    print(f"{'recipe and form of the answer':36} {'benign':>7} {'seen from':>9} {_columns(RIVALS)}")
    scenes: dict[Recipe, Scene] = {}
    source = _Kept(encoder)
    # half precision is slow on most processors, and comes last
    for preset in sorted(presets().values(), key=lambda preset: preset.recipe.arithmetic != "float32"):
        recipe = simplified(encoder, preset.recipe)
        if recipe not in scenes:
            scenes[recipe] = _scene(encoder, altered, recipe, samples)
        plain, stepped, measured = scenes[recipe]
        for form in FORMS:
            held = measured.yardstick(form, noise=preset.noise, seed=1)
            fits = partial(_fits, held, source)
            calm = [form.rounded(answers) for answers in plain]
            benign = [fits(answers) for answers in calm]
            runs, alarms = runs + len(benign), alarms + benign.count(False)
            written = {rate: [form.rounded(run) for run in found] for rate, found in stepped.items()}
            seen = [rate for rate, found in written.items() if not fits(found[0])]
            rivals = {rival: seen_by(rival, calm, written, held.exact) for rival in RIVALS}
            first, canary = min(seen, default=None), rivals["canary"].rate
            shown = {
                rival: f"{_shown(one.rate)}{'*' * bool(one.false_alarms)}" for rival, one in rivals.items()
            }
            print(
                f"{preset.name + ', ' + str(form):36} {benign.count(True):>2} of {len(benign):<1}"
                f" {_shown(first):>9} {_columns(shown.values())}",
                flush=True,
            )
            for rival, one in rivals.items():
                false_alarms[rival] += one.false_alarms
            if first is None or (canary is not None and canary < 0.99 * BEHIND * first):
                behind.append(f"{preset.name}, {form}")
            short += _goal(preset.name, form, first)
    print(
        f"false alarms: {alarms} of {runs} benign runs; of rivals, marked with *, in all rows: {false_alarms}"
    )
    if behind:
        short.append(f"the cosine canary is less than {BEHIND} times behind: {'; '.join(behind)}")
    return short + ([f"{alarms} false alarms"] if alarms else [])


class _Kept(CopySource):
    """A copy that computes what it gives under a recipe once."""

    @cache  # noqa: B019  # one copy in one benchmark
    def _exact(self, recipe: Recipe, texts: tuple[str, ...]) -> Tensor:
        return super().exact(recipe, texts)

    def exact(self, recipe: Recipe, texts: Sequence[str]) -> Tensor:
        return self._exact(recipe.but(form=FLOAT32), tuple(texts))


def _fits(held: Yardstick, source: CopySource, answers: Tensor) -> bool:
    """Whether answers pass, as a check of an endpoint decides it."""
    if not held.held_against(answers).intact:
        return False
    if held.recipe.arithmetic == "float32":
        return True
    texts = texts_of(held.card.key_samples)
    return like_half_precision(source, held.recipe, held.exact, texts, answers)


def _scene(
    encoder: TorchEncoder, altered: Mapping[float, TorchEncoder], recipe: Recipe, samples: KeySamples
) -> Scene:
    texts = texts_of(samples)
    plain = [_answer(encoder, recipe, texts, size) for size in BATCHES]
    plain += [_answer(encoder, recipe, texts, size, other_attention) for size in BATCHES]
    stepped = {
        rate: [_answer(copy, recipe, texts, size) for size in ALTERED_BATCHES]
        for rate, copy in altered.items()
    }
    return plain, stepped, CopySource(encoder).measure(recipe, samples)


def _columns(values: Iterable[str]) -> str:
    return " ".join(f"{value:>14}" for value in values)


GOALS = {("torch", "float32"): 1e-8, ("torch", "decimals:4"): 1e-7, ("float16-weights", "float32"): 1e-7}
"""Largest learning rate at which a step must be seen."""


def _goal(name: str, form: Form, seen: float | None) -> list[str]:
    goal = GOALS.get((name, str(form)))
    if goal is None or (seen is not None and seen <= goal):
        return []
    return [f"{name}, {form}: one step is seen from {_shown(seen)}, goal {goal:.0e}"]


def _stepped(encoder: TorchEncoder) -> Iterator[tuple[float, TorchEncoder]]:
    for rate in RATES:
        copy = encoder.duplicate()
        fine_tune(1)(copy, rate, 0)
        yield rate, copy


def _answer(
    encoder: TorchEncoder,
    recipe: Recipe,
    texts: list[str],
    batch_size: int,
    setting: Callable[[TorchEncoder], AbstractContextManager[None]] = lambda _: nullcontext(),
) -> Tensor:
    """What a deployment answers, as float32 holds it."""
    computed = Computed(encoder, recipe)
    with setting(computed.encoder):
        found = computed.embed(texts, precision=recipe.arithmetic, batch_size=batch_size)
    return found.float().double()


def _shown(rate: float | None) -> str:
    return "none" if rate is None else f"{rate:.0e}"
