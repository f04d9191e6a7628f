"""Deployed encoders: false alarms, the smallest step of fine-tuning that shows, and a rival on these answers.

Answers are computed here, by the trusted copy and by altered copies of it, in other batches and orders than
the reference is; the real servers of the tests are not part of this.
"""

from collections.abc import Iterator

from torch import Tensor
from torch.nn import functional as F

from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.computing import Computed
from hf_integration.serving.numeric import FLOAT32, Form
from hf_integration.serving.presets import presets
from hf_integration.serving.probes import fresh_samples, texts_of
from hf_integration.serving.recipe import Recipe
from hf_integration.serving.yardstick import measure
from hf_integration.tampering.weights.fine_tuning import fine_tune
from tests.benchmarks.subjects import Subject

KEYS = 64
RATES = (1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4)
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
CANARY = 0.999
"""Cosine similarity below which home-made canaries and tests of servers raise an alarm."""


def run(subject: Subject) -> list[str]:
    """Print a row for each recipe and form."""
    encoder = subject.encoder
    if not isinstance(encoder, TorchEncoder) or encoder.modality != "text":
        return []
    samples = fresh_samples(encoder, KEYS, seed=20_261_128)
    texts, short = texts_of(samples), []
    altered = dict(_stepped(encoder))
    runs = alarms = 0
    print(f"{'recipe and form of the answer':52} {'benign':>12} {'seen from':>10} {'canary from':>12}")
    for preset in presets().values():
        plain = [_answer(encoder, preset.recipe, texts, size) for size in BATCHES]
        stepped = {rate: _answer(copy, preset.recipe, texts, 7) for rate, copy in altered.items()}
        measured = measure(encoder, preset.recipe, samples)
        for form in FORMS:
            held = measured.yardstick(form, noise=preset.noise, seed=1)
            benign = [held.held_against(form.rounded(answers)).intact for answers in plain]
            runs, alarms = runs + len(benign), alarms + benign.count(False)
            seen = [rate for rate in RATES if not held.held_against(form.rounded(stepped[rate])).intact]
            canary = [rate for rate in RATES if _least_cosine(stepped[rate], held.exact) < CANARY]
            first, rival = min(seen, default=None), min(canary, default=None)
            print(
                f"{preset.name + ', ' + str(form):52} {benign.count(True):>5} of {len(benign):<3}"
                f" {_shown(first):>10} {_shown(rival):>12}",
                flush=True,
            )
            short += _goal(preset.name, form, first)
    print(f"false alarms: {alarms} of {runs} benign runs")
    return short + ([f"{alarms} false alarms"] if alarms else [])


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


def _answer(encoder: TorchEncoder, recipe: Recipe, texts: list[str], batch_size: int) -> Tensor:
    """What a deployment answers, as float32 holds it."""
    computed = Computed(encoder, recipe).embed(texts, precision=recipe.arithmetic, batch_size=batch_size)
    return computed.float().double()


def _least_cosine(answers: Tensor, exact: Tensor) -> float:
    return float(F.cosine_similarity(answers, exact, dim=1).min())


def _shown(rate: float | None) -> str:
    return "none" if rate is None else f"{rate:.0e}"
