"""Every field of a recipe, changed by itself: the stamp names it, and none of them is the same space."""

from dataclasses import fields
from typing import Any, get_args

import numpy as np
import pytest

from hf_integration.base.errors import InconclusiveError
from hf_integration.base.progress import Silent
from hf_integration.encoders.modalities.recipes import POOLS
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.computing import Computed
from hf_integration.serving.identifying import PROMPTS
from hf_integration.serving.numeric import Form
from hf_integration.serving.presets import presets
from hf_integration.serving.recipe import PLAIN, Arithmetic, Recipe, ServedWeights
from hf_integration.serving.stamping import make_stamp
from hf_integration.stamps.checking import check_stamp
from hf_integration.stamps.forms import FORMS, Array, rounded, words
from hf_integration.stamps.stamp import Stamp, unit
from tests.serving.conftest import Opened
from tests.stamps.conftest import LONG

OTHER_POOLS = [name for name in POOLS if name not in ("mean", "mean_sqrt_len_tokens")]
"""Of which the second differs from the first by the length of the embedding alone, before a dense layer."""

CASES: list[tuple[dict[str, Any], str]] = [
    ({"gelu": "tanh"}, "tanh GELU"),
    *(
        ({"weights": name}, str(PLAIN.but(weights=name)))
        for name in get_args(ServedWeights)
        if name not in ("stored", "gguf-f16-positions")
    ),
    *(({"arithmetic": name}, f"computed in {name}") for name in get_args(Arithmetic)[1:]),
    *(({"pooling": name}, f"{name} instead of its own pooling") for name in OTHER_POOLS),
    *(({"prompt": text}, f"the prompt '{text}' is added") for text in PROMPTS),
    ({"dense": False}, "no dense layer"),
    ({"normalised": False}, "not scaled to length 1"),
    *(({"length": length}, f"cut at {length} tokens") for length in (128, 256)),
    ({"length": 511}, "long texts are cut elsewhere"),
    *(({"dimensions": count}, f"only the first {count} of 48 dimensions") for count in (12, 24, 47)),
    *(({"form": Form.read(name, where="a test")}, words(name)) for name in FORMS if name[-1] not in "12"),
    ({"gelu": "tanh", "weights": "gguf-f16"}, "table as stored; tanh GELU"),
    (
        {"pooling": "cls", "form": Form("decimals", 4)},
        "4 decimals; cls instead of its own pooling",
    ),
    ({"gelu": "tanh", "length": 128}, "tanh GELU; cut at 128 tokens"),
]


def answers(encoder: TorchEncoder, texts: tuple[str, ...], recipe: Recipe) -> Array:
    """What a deployment answers in batches, as float32 holds it."""
    given = Computed(encoder, recipe).embed(texts, precision=recipe.arithmetic, batch_size=5)
    return np.asarray(recipe.form.rounded(given.float().double()).numpy())


@pytest.mark.parametrize(("changes", "said"), CASES, ids=lambda value: str(value)[:60])
def test_is_named(stamped: TorchEncoder, stamp: Stamp, changes: dict[str, Any], said: str) -> None:
    found = check_stamp(stamp, lambda texts: answers(stamped, tuple(texts), PLAIN.but(**changes)))
    # half precision of another batch is as far from the stamp's as from the stamp itself on some processors
    expected = ("recipe", "near") if "arithmetic" in changes else ("recipe",)
    assert found.status in expected, str(found)
    assert found.exit_status == 3
    assert said in found.reason
    assert found.status == "near" or found.advice.startswith("embed as the index was")


def test_every_field_is_in_the_table() -> None:
    assert {name for changes, _ in CASES for name in changes} == {field.name for field in fields(Recipe)}


@pytest.mark.parametrize("batch", [1, 2, 7, 32])
def test_the_same_recipe_is_the_same_space(stamped: TorchEncoder, stamp: Stamp, batch: int) -> None:
    found = check_stamp(stamp, lambda texts: stamped.embed(texts, batch_size=batch))
    assert (found.status, found.exit_status, found.differences) == ("same", 0, ())
    assert found.distance < found.tolerated < 1e-4


@pytest.mark.parametrize("name", ["tei", "float16-weights", "bfloat16"])
def test_a_stamp_of_a_preset_holds_for_that_preset(stamped: TorchEncoder, name: str) -> None:
    preset = presets()[name]
    stamp = make_stamp(stamped, serving=preset, progress=Silent(), seed=4)
    same = check_stamp(stamp, lambda texts: answers(stamped, tuple(texts), preset.recipe))
    assert same.status == "same", str(same)
    if preset.recipe.arithmetic == "float32":
        plain = check_stamp(stamp, stamped)
        assert plain.status == "recipe", str(plain)
        assert stamp.recipe in plain.advice


def test_another_encoder_of_the_same_width_is_another_space(opened: Opened, stamp: Stamp) -> None:
    found = check_stamp(stamp, opened(**LONG, dense=48, seed=7))
    assert (found.status, found.exit_status) == ("other", 1)
    assert found.advice == f"go back to {stamp.name}, or embed the index again"


@pytest.mark.parametrize("width", [16, 64])
def test_another_width_is_another_space(stamp: Stamp, width: int) -> None:
    drawn = np.random.default_rng(0).standard_normal((12, width))
    found = check_stamp(stamp, lambda _: drawn)
    assert found.status == "other"
    assert found.reason == f"embeddings have {width} dimensions, and those of the stamp 48"


def test_an_altered_encoder_is_near_and_what_that_means_is_said(stamped: TorchEncoder, stamp: Stamp) -> None:
    altered = stamped.duplicate()
    for parameter in altered.parameters().values():
        parameter.data.mul_(1.02)
    found = check_stamp(stamp, altered)
    assert (found.status, found.exit_status) == ("near", 3), str(found)
    assert "cosine similarities to the vectors of the index move by up to" in found.reason
    assert 0.9 < found.cosine < 1


def test_what_is_said_of_neighbours_is_a_bound(stamped: TorchEncoder, stamp: Stamp) -> None:
    """No vector of an index has a cosine that moves by more than the distance that is named."""
    altered = stamped.duplicate()
    for parameter in altered.parameters().values():
        parameter.data.mul_(1.02)
    found = check_stamp(stamp, altered)
    index = np.random.default_rng(0).standard_normal((500, 48))
    index /= np.linalg.norm(index, axis=1, keepdims=True)
    now = altered.embed(stamp.texts).double().numpy()
    moved = np.abs((now - stamp.embeddings) @ index.T).max()
    assert moved <= found.distance


class TestAccepted:
    @pytest.mark.parametrize(
        "changes", [{"gelu": "tanh"}, {"form": Form("decimals", 3)}, {"weights": "float16"}]
    )
    def test_what_moves_by_less_is_the_same_space(
        self, stamped: TorchEncoder, stamp: Stamp, changes: dict[str, Any]
    ) -> None:
        given = answers(stamped, stamp.texts, PLAIN.but(**changes))
        found = check_stamp(stamp, lambda _: given)
        assert check_stamp(stamp, lambda _: given, accept=1.01 * found.distance).status == "same"
        assert check_stamp(stamp, lambda _: given, accept=0.99 * found.distance).status == "recipe"

    @pytest.mark.parametrize("changes", [{"normalised": False}, {"dimensions": 47}])
    def test_but_not_other_lengths_and_dimensions(
        self, stamped: TorchEncoder, stamp: Stamp, changes: dict[str, Any]
    ) -> None:
        given = answers(stamped, stamp.texts, PLAIN.but(**changes))
        assert check_stamp(stamp, lambda _: given, accept=0.9).status == "recipe"


class TestCoarse:
    """Where rounding leaves so little that encoders with nothing in common would pass for each other."""

    @staticmethod
    def stamp_of(form: str, width: int) -> Stamp:
        rows = rounded(form, unit(np.random.default_rng(0).standard_normal((12, width))))
        return Stamp(
            encoder="a server",
            commit=None,
            card=None,
            created="2026-11-28T12:00:00+00:00",
            recipe="as the endpoint answers",
            form=form,
            tolerance=4e-6,
            texts=tuple(f"text {place}" for place in range(12)),
            long=3,
            embeddings=rows,
        )

    @staticmethod
    def status(stamp: Stamp, rows: Array) -> str:
        try:
            return check_stamp(stamp, lambda _: rows).status
        except InconclusiveError as error:
            return "inconclusive" if "would look alike" in str(error) else str(error)

    @pytest.mark.parametrize("width", [384, 768, 1536, 4096])
    @pytest.mark.parametrize("form", FORMS)
    def test_an_encoder_that_shares_nothing_is_never_the_same_space(self, form: str, width: int) -> None:
        stamp = self.stamp_of(form, width)
        other = rounded(form, unit(np.random.default_rng(1).standard_normal((12, width))))
        if not (stamp.embeddings.any(axis=1).all() and other.any(axis=1).all()):
            return  # refused before
        assert self.status(stamp, other) in ("other", "inconclusive")

    @pytest.mark.parametrize("width", [384, 768, 1536, 4096])
    @pytest.mark.parametrize("form", FORMS)
    def test_equal_numbers_are_the_same_space(self, form: str, width: int) -> None:
        stamp = self.stamp_of(form, width)
        if stamp.embeddings.any(axis=1).all():
            assert self.status(stamp, stamp.embeddings) == "same"


def test_a_stamp_of_an_encoder_with_hundreds_of_prompts_can_be_read(opened: Opened) -> None:
    prompts = {f"task {place}": f"do task {place}: " for place in range(300)}
    made = make_stamp(opened(prompts=prompts), progress=Silent(), seed=3)
    assert len(Stamp.load(str(made)).others) == len(made.others)
