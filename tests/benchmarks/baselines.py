"""Baselines: false alarms of endpoints that did not change, however noisy, and what is found of others.

The encoder is served in this process. Every text is embedded many times, alone and in random batches; each of
the simulated baselines and checks draws its answers from these, request by request.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from hf_integration.baselines.baseline import MODES, Answered, Baseline, Mode
from hf_integration.baselines.comparison import FALSE_ALARMS, compare
from hf_integration.benign.variants import other_attention
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.computing import Computed
from hf_integration.serving.numeric import Form
from hf_integration.serving.recipe import PLAIN, Recipe
from hf_integration.stamps.forms import Array, form_of, rounded
from hf_integration.stamps.texts import key_texts
from hf_integration.tampering.weights.fine_tuning import fine_tune
from tests.benchmarks.subjects import Subject

TEXTS = key_texts(23, seed=20_261_128)[:24]
"""One of them long: the other two would take most of the time, and are no other case."""

POOL = 12
"""Answers to each text in each mode, with different mates."""

BEFORE, NOW = 8, 2
"""Rounds, as the commands have them by default."""

NOISY = "8 different answers to each text, some of them rare"

TRIALS, TRIALS_OF_CHANGES = 2000, 200

Pool = Mapping[Mode, Array]
"""By mode, float64 ``(POOL, n, dim)``."""

Drawn = Callable[[np.random.Generator, int], Mapping[Mode, Array]]
"""Answers of so many rounds, by mode ``(rounds, n, dim)``."""


def run(subject: Subject) -> list[str]:
    """Print a row for each endpoint and each change, and give what falls short."""
    encoder = subject.encoder
    if not isinstance(encoder, TorchEncoder) or encoder.modality != "text":
        return []
    plain, half = _pool(encoder, PLAIN), _pool(encoder, Recipe(arithmetic="bfloat16"))
    steps = dict(_stepped(encoder, (1e-8, 1e-7, 1e-6, 1e-4)))
    stable = {
        "float32": _from(plain),
        "float32, 4 decimals": _from(_written(plain, "decimals:4")),
        "bfloat16": _from(half),
        "float32, and bfloat16 for 3 requests in 10": _routed(plain, half, 0.3),
        NOISY: _variants(plain),
    }
    changes = {f"one AdamW step at {rate:.0e}": ("float32", _from(pool)) for rate, pool in steps.items()} | {
        f"one AdamW step at {rate:.0e}, in bfloat16": ("bfloat16", _from(pool))
        for rate, pool in dict(_stepped(encoder, (1e-6, 1e-5, 1e-4), Recipe(arithmetic="bfloat16"))).items()
    }
    changes |= {
        "bfloat16 instead of float32": ("float32", _from(half)),
        "4 decimals instead of float32": ("float32", stable["float32, 4 decimals"]),
        "6 decimals instead of float32": ("float32", _from(_written(plain, "decimals:6"))),
        "tanh GELU": ("float32", _from(_pool(encoder, Recipe(gelu="tanh")))),
        "another encoder for 1 request in 5": ("bfloat16", _routed(half, steps[1e-4], 0.2)),
        "another encoder for 1 request in 10": ("bfloat16", _routed(half, steps[1e-4], 0.1)),
        "another encoder for 1 request in 20": ("bfloat16", _routed(half, steps[1e-4], 0.05)),
        "one variant of 8 is gone": (
            NOISY,
            _variants(plain, 7),
        ),
        "a 9th variant for 1 request in 5": (
            NOISY,
            _routed(plain, _far(plain), 0.2, _variants(plain)),
        ),
    }
    chance = np.random.default_rng(1)
    alarms = total = 0
    for name, drawn in stable.items():
        found = sum(_changed(drawn, drawn, chance) for _ in range(TRIALS))
        alarms, total = alarms + found, total + TRIALS
        print(f"{name:62} {found:>4} false alarms of {TRIALS}", flush=True)
    print(f"{'together':62} {alarms:>4} of {total}, stated: {FALSE_ALARMS * total:.0f} at most on average")
    for name, (before, drawn) in changes.items():
        found = sum(_changed(stable[before], drawn, chance) for _ in range(TRIALS_OF_CHANGES))
        print(f"{name:62} {found / TRIALS_OF_CHANGES:>6.1%} found", flush=True)
    # twice the stated rate would be a coincidence of one in a thousand
    return [f"{alarms} false alarms of {total}"] if alarms > 2 * FALSE_ALARMS * total else []


def _pool(encoder: TorchEncoder, recipe: Recipe) -> Pool:
    """Every text many times: alone by two kernels, and in random batches."""
    computed, chance = Computed(encoder, recipe), np.random.default_rng(0)
    precision = recipe.arithmetic
    alone = computed.embed(TEXTS, precision=precision, batch_size=1).float().double().numpy()
    with other_attention(computed.encoder):
        other = computed.embed(TEXTS, precision=precision, batch_size=1).float().double().numpy()
    together = []
    for _ in range(POOL):
        order = chance.permutation(len(TEXTS))
        rows = np.empty_like(alone)
        for part in np.array_split(order, len(TEXTS) // 8):
            # a batch as it comes, not sorted by length
            asked = [TEXTS[place] for place in part]
            rows[part] = computed.embed(asked, precision=precision, batch_size=8).float().double().numpy()
        together.append(rows)
    singles = [alone if place % 4 else other for place in range(POOL)]
    return {"alone": np.stack(singles), "together": np.stack(together)}


def _stepped(
    encoder: TorchEncoder, rates: Sequence[float], recipe: Recipe = PLAIN
) -> Iterator[tuple[float, Pool]]:
    for rate in rates:
        copy = encoder.duplicate()
        fine_tune(1)(copy, rate, 0)
        yield rate, _pool(copy, recipe)


def _written(pool: Pool, form: str) -> Pool:
    return {mode: rounded(str(Form.read(form, where="a benchmark")), rows) for mode, rows in pool.items()}


def _from(pool: Pool) -> Drawn:
    def draw(chance: np.random.Generator, rounds: int) -> Mapping[Mode, Array]:
        count = len(TEXTS)
        return {
            mode: rows[chance.integers(len(rows), size=(rounds, count)), np.arange(count)]
            for mode, rows in pool.items()
        }

    return draw


def _routed(pool: Pool, other: Pool, share: float, base: Drawn | None = None) -> Drawn:
    """An endpoint that asks another encoder for a share of the requests."""
    usual, rare = base or _from(pool), _from(other)

    def draw(chance: np.random.Generator, rounds: int) -> Mapping[Mode, Array]:
        most, some = usual(chance, rounds), rare(chance, rounds)
        return {
            mode: np.where(chance.random((rounds, len(TEXTS), 1)) < share, some[mode], rows)
            for mode, rows in most.items()
        }

    return draw


def _variants(pool: Pool, count: int = 8) -> Drawn:
    """An endpoint with that many machines, which give answers 5 % apart, one of them in 60 requests only."""
    exact = pool["alone"][0]
    noise = np.random.default_rng(2).standard_normal((8, *exact.shape))
    size = np.linalg.norm(exact, axis=1, keepdims=True) / exact.shape[1] ** 0.5
    machines = exact + 0.05 * noise * size
    shares = np.array([30, 12, 8, 4, 2, 2, 1, 1][:count], dtype=float)

    def draw(chance: np.random.Generator, rounds: int) -> Mapping[Mode, Array]:
        texts = np.arange(len(TEXTS))
        return {
            mode: machines[chance.choice(count, size=(rounds, len(texts)), p=shares / shares.sum()), texts]
            for mode in MODES
        }

    return draw


def _far(pool: Pool) -> Pool:
    """The answers to other texts: as far as another encoder's."""
    return {mode: np.roll(rows, 1, axis=1) for mode, rows in pool.items()}


def _changed(before: Drawn, now: Drawn, chance: np.random.Generator) -> bool:
    answers = before(chance, BEFORE)
    baseline = Baseline(
        url="http://127.0.0.1",
        api="openai",
        model=None,
        begun="",
        created="",
        form=form_of(answers["alone"][0]),
        texts=TEXTS,
        answered={mode: Answered.of(rows) for mode, rows in answers.items()},
    )
    return compare(baseline, now(chance, NOW)).status == "changed"
