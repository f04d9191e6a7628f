"""Which recipe explains answers: found from the answers alone, for every recipe of a table."""

import json
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from hf_integration.base.errors import UsageError
from hf_integration.encoders import open_encoder
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.computing import Computed
from hf_integration.serving.identifying import LENGTHS, PROMPTS, identify, shown_by_numbers
from hf_integration.serving.numeric import Form
from hf_integration.serving.recipe import PLAIN, Recipe
from hf_integration.serving.yardstick import yardstick
from tests.real_encoders.minilm import MISSING, minilm_folder
from tests.serving import small_encoders
from tests.serving.conftest import Opened
from tests.serving.small_encoders import WIDTH

SAMPLES = small_encoders.samples(12)
TEXTS = [str(sample) for sample in SAMPLES]
SHORT = small_encoders.texts(12, fewest=3, most=20, seed=21)
FEWEST = min(range(12), key=lambda place: len(TEXTS[place].split()))
LONG = small_encoders.texts(12, fewest=60, most=90, seed=22)

TABLE: list[dict[str, Any]] = [
    {},
    {"gelu": "tanh"},
    {"weights": "float16"},
    {"weights": "bfloat16"},
    {"weights": "gguf-f16"},
    {"weights": "gguf-f16-positions"},
    {"weights": "int8-rows"},
    {"arithmetic": "float16"},
    {"arithmetic": "bfloat16"},
    {"gelu": "tanh", "weights": "float16"},
    {"gelu": "tanh", "weights": "gguf-f16"},
    {"gelu": "tanh", "arithmetic": "float16"},
    {"pooling": "cls"},
    {"pooling": "max"},
    {"pooling": "weightedmean"},
    {"pooling": "lasttoken"},
    *({"prompt": prompt} for prompt in (PROMPTS[0], PROMPTS[-1])),
    {"length": 32},
    {"length": 64},
    {"normalised": False},
    {"dimensions": 16},
    {"dimensions": WIDTH - 1},
    *({"form": Form("decimals", places)} for places in (1, 4, 6)),
    *({"form": Form("digits", places)} for places in (1, 5)),
    {"form": Form("float16")},
    {"form": Form("bfloat16")},
    {"pooling": "max", "weights": "float16", "normalised": False},
    {"pooling": "cls", "length": 32},
    {"prompt": "search_query: ", "gelu": "tanh", "weights": "gguf-f16", "dimensions": 32},
    {"length": 32, "gelu": "tanh", "form": Form("decimals", 4)},
    {"normalised": False, "form": Form("decimals", 3)},
]


def answered(encoder: TorchEncoder, recipe: Recipe, texts: list[str]) -> Tensor:
    """Of a deployment, one text at a time, as float32."""
    computed = Computed(encoder, recipe)
    rows = [computed.embed([text], precision=recipe.arithmetic) for text in texts]
    return recipe.form.rounded(torch.cat(rows)).float().double()


def test_the_table_has_every_recipe_once() -> None:
    assert len({PLAIN.but(**fields) for fields in TABLE}) == len(TABLE) >= 25


@pytest.mark.parametrize("fields", TABLE, ids=str)
def test_a_recipe_is_found_from_its_own_answers(fields: dict[str, Any], encoder: TorchEncoder) -> None:
    recipe = PLAIN.but(**fields)
    answers = answered(encoder, recipe, TEXTS)
    found = identify(encoder, TEXTS, answers)
    assert found[0].recipe == recipe
    assert found[0].typical <= found[0].distance
    jump = float((recipe.form.steps(answers).amax(dim=1) / answers.norm(dim=1)).max())
    assert all(first.typical <= second.typical * 1.01 + jump * 1.02 for first, second in pairwise(found))
    assert len({match.recipe for match in found}) == len(found)
    assert len(found) > 1 or jump > 0.1
    assert yardstick(encoder, found[0].recipe, SAMPLES).held_against(answers).intact
    if not {"arithmetic", "form"} & set(fields):  # exact answers are explained to what float32 tells apart
        assert found[0].distance < 2e-6
        assert all(other.typical > 5 * found[0].typical for other in found[1:])
    shown = shown_by_numbers(encoder, answers)
    assert shown == Recipe(dimensions=recipe.dimensions, normalised=recipe.normalised, form=recipe.form)


OTHERS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "not scaled": ({"normalised": False}, [{"normalised": True}]),
    "class token": ({"pooling": "cls"}, [{}, {"pooling": "mean"}]),
    "tanh GELU": ({"config": {"hidden_act": "gelu_new"}}, [{"gelu": "exact"}]),
    "no GELU": (
        {"config": {"hidden_act": "relu"}},
        [{}, {"weights": "gguf-f16"}],
    ),
    "dense": (
        {"dense": 24},
        [{}, {"dense": False, "gelu": "tanh"}],
    ),
    "dense, not scaled": (
        {"dense": 24, "normalised": False},
        [{"dense": False, "normalised": True}],
    ),
    "dense as wide": (
        {"dense": WIDTH},
        [{"dense": False, "pooling": "max"}, {"dimensions": 16}],
    ),
    "cut to dimensions": ({"truncated": 24}, [{"dimensions": WIDTH}]),
    "prompts": (
        {"prompts": {"q": "the question is ", "d": "an answer: "}, "default_prompt": "q"},
        [
            {},
            {"prompt": ""},
            {"prompt": "an answer: "},
            {"prompt": "query: "},
            {"prompt": "", "gelu": "tanh"},
        ],
    ),
    "a prompt that is not pooled": (
        {"prompts": {"q": "the question is "}, "default_prompt": "q", "include_prompt": False},
        [
            {},
            {"prompt": ""},
            {"pooling": "mean"},
            {"pooling": "mean", "prompt": "query: "},
            {"prompt": "query: "},
        ],
    ),
}


@pytest.mark.parametrize(
    ("name", "fields"),
    [(name, fields) for name, (_, recipes) in OTHERS.items() for fields in recipes],
    ids=str,
)
def test_recipes_of_other_encoders_are_found(name: str, fields: dict[str, Any], opened: Opened) -> None:
    encoder = opened(**OTHERS[name][0])
    recipe = PLAIN.but(**fields)
    answers = answered(encoder, recipe, TEXTS)
    found = identify(encoder, TEXTS, answers)[0].recipe
    assert found == recipe
    assert yardstick(encoder, found, SAMPLES).held_against(answers).intact


@pytest.mark.parametrize("fields", [{}, {"gelu": "tanh"}, {"pooling": "cls"}], ids=str)
@pytest.mark.parametrize("texts", [SHORT, SHORT[:3], SHORT[:1]], ids=len)
def test_short_texts_alone_are_enough_without_a_cut(
    texts: list[str], fields: dict[str, Any], encoder: TorchEncoder
) -> None:
    recipe = PLAIN.but(**fields)
    assert identify(encoder, texts, answered(encoder, recipe, texts))[0].recipe == recipe


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"gelu": "tanh"},
        {"pooling": "cls"},
        {"prompt": "query: "},
        {"length": 32},
        {"length": 64},
        {"length": 32, "gelu": "tanh"},
        {"length": 64, "arithmetic": "float16"},
    ],
    ids=str,
)
@pytest.mark.parametrize("texts", [LONG[:6]], ids=len)
def test_long_texts_alone_are_enough(texts: list[str], fields: dict[str, Any], encoder: TorchEncoder) -> None:
    recipe = PLAIN.but(**fields)
    assert identify(encoder, texts, answered(encoder, recipe, texts))[0].recipe == recipe


def test_a_cut_that_no_text_reaches_is_not_made_up(encoder: TorchEncoder) -> None:
    for length in (LENGTHS[0], 64, LENGTHS[-1]):
        answers = answered(encoder, PLAIN.but(length=length), SHORT)
        assert identify(encoder, SHORT, answers)[0].recipe == PLAIN


@pytest.mark.parametrize("order", [range(11, -1, -1), [11, 5, 10, 9, 8, 0]], ids=str)
def test_the_order_of_texts_is_free(order: Sequence[int], encoder: TorchEncoder) -> None:
    recipe = PLAIN.but(gelu="tanh", length=32)
    texts = [TEXTS[place] for place in order]
    assert identify(encoder, texts, answered(encoder, recipe, TEXTS)[list(order)])[0].recipe == recipe


def test_poolings_that_are_the_same_function_are_not_told_apart_by_chance(encoder: TorchEncoder) -> None:
    """Scaled to length 1, a sum over the root of the length is the mean; so is a mean that is asked for."""
    for pooling, prompt in (
        ("mean", None),
        ("mean_sqrt_len_tokens", "query: "),
    ):
        answers = answered(encoder, PLAIN.but(pooling=pooling, prompt=prompt), TEXTS)
        found = identify(encoder, TEXTS, answers)
        assert found[0].recipe == PLAIN.but(prompt=prompt)
        assert {match.recipe.pooling for match in found} == {None}


def test_answers_of_another_encoder_are_far_from_every_recipe(encoder: TorchEncoder, opened: Opened) -> None:
    found = identify(encoder, TEXTS, answered(opened(seed=1), PLAIN, TEXTS))
    assert found[0].typical > 0.3
    assert all(match.distance >= match.typical for match in found)


@pytest.mark.parametrize(
    ("value", "rows"),
    [(math.nan, [FEWEST]), (math.inf, [FEWEST]), (-math.inf, range(12)), (math.nan, range(12))],
)
def test_what_is_no_number_is_infinitely_far(
    value: float, rows: Sequence[int], encoder: TorchEncoder
) -> None:
    answers = answered(encoder, PLAIN, TEXTS)
    answers[list(rows), 3] = value
    found = identify(encoder, TEXTS, answers)
    shortest = sorted(range(12), key=lambda place: len(TEXTS[place].split()))
    assert set(rows) & set(shortest[:16])  # which the search looks at
    assert found[0].distance == math.inf
    assert not any(math.isnan(match.distance) or math.isnan(match.typical) for match in found)


@pytest.mark.parametrize("width", [WIDTH + 1, 2 * WIDTH, 1024])
@pytest.mark.parametrize("name", ["plain", "dense"])
def test_wider_answers_than_any_recipe_gives_are_refused_in_one_line(
    name: str, width: int, encoder: TorchEncoder, opened: Opened
) -> None:
    chosen = encoder if name == "plain" else opened(dense=24)
    with pytest.raises(UsageError) as caught:
        identify(chosen, TEXTS, torch.ones(len(TEXTS), width, dtype=torch.float64))
    said = f"answers have {width} dimensions, and embeddings of 'small' have 64"
    assert str(caught.value).startswith(said)
    assert str(caught.value).isprintable()


RECORDED = json.loads((Path(__file__).parent / "recorded" / "minilm_servers.json").read_text("utf-8"))
FOUND: list[tuple[str, float, dict[str, Any]]] = [
    ("router, CPU float32", 2e-6, {"gelu": "tanh", "dimensions": 128}),
    ("candle backend, CPU float32", 1e-5, {"gelu": "tanh", "normalised": False}),
    ("flash backend, CUDA float16", 2e-3, {"gelu": "tanh", "normalised": False}),
    ("Ollama", 2e-6, {"gelu": "tanh", "weights": "gguf-f16"}),
]


@pytest.fixture(scope="module")
def minilm() -> TorchEncoder:
    folder = minilm_folder()
    if folder is None:
        pytest.skip(MISSING)
    opened = open_encoder(folder, name="all-MiniLM-L6-v2", device="cpu")
    assert isinstance(opened, TorchEncoder)
    return opened


@pytest.mark.parametrize(("server", "most", "fields"), FOUND, ids=lambda value: str(value)[:20])
def test_answers_that_maintainers_recorded_are_explained(
    server: str, most: float, fields: dict[str, Any], minilm: TorchEncoder
) -> None:
    (recording,) = (one for one in RECORDED["recordings"] if server in one["server"])
    answers = torch.tensor(recording["embeddings"], dtype=torch.float64)
    best = identify(minilm, recording["texts"], answers)[0]
    assert best.distance < most
    found = best.recipe
    if server.startswith("flash"):  # which of the float16 recipes is as near as the other cannot be told
        assert "float16" in (found.weights, found.arithmetic)
        assert found.form == Form("float16")
        found = found.but(weights="stored", arithmetic="float32", form=Form())
    assert found == PLAIN.but(**fields)


def test_every_recording_is_looked_at() -> None:
    assert len(RECORDED["recordings"]) == len(FOUND)
