"""Recipes and presets: every field in words and back, and everything that is none refused in one line."""

import dataclasses
import itertools
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import pytest

from hf_integration.base.errors import UsageError
from hf_integration.encoders.modalities.recipes import POOLS
from hf_integration.serving.computing import simplified
from hf_integration.serving.numeric import Form
from hf_integration.serving.presets import named, preset, presets
from hf_integration.serving.recipe import (
    PLAIN,
    Arithmetic,
    Gelu,
    Recipe,
    ServedWeights,
    read_recipe,
)
from tests.serving.conftest import Opened

ROOT = Path(__file__).parents[2]
PRESETS = ROOT / "hf_integration" / "serving" / "presets"
FORMS = [
    Form(),
    Form("float16"),
    Form("bfloat16"),
    *(Form(kind, places) for kind in ("decimals", "digits") for places in range(1, 7)),
]
VALUES: dict[str, list[Any]] = {
    "gelu": [None, *get_args(Gelu)],
    "weights": list(get_args(ServedWeights)),
    "arithmetic": list(get_args(Arithmetic)),
    "pooling": [None, *POOLS],
    "dense": [True, False],
    "normalised": [None, True, False],
    "prompt": [None, "", "query: ", "passage: "],
    "length": [None, 1, 32, 512],
    "dimensions": [None, 1, 64, 128],
    "form": FORMS,
}
"""Every value that a field can have, and some of those without end."""

WORDS: dict[tuple[str, Any], str] = {
    ("gelu", None): "GELU as the encoder itself computes it",
    ("gelu", "exact"): "exact GELU",
    ("gelu", "tanh"): "tanh GELU",
    ("weights", "stored"): "weights as stored",
    ("weights", "float16"): "float16 weights",
    ("weights", "bfloat16"): "bfloat16 weights",
    ("weights", "gguf-f16"): "matrices in float16 as in a GGUF file, the token type table",
    ("weights", "gguf-f16-positions"): "tables of positions and of types as stored",
    ("weights", "int8-rows"): "linear layers in int8, each row by its largest number",
    ("arithmetic", "float32"): "computed in float32",
    ("arithmetic", "float16"): "computed in float16",
    ("arithmetic", "bfloat16"): "computed in bfloat16",
    ("pooling", None): "its own pooling",
    **{("pooling", pooling): f"{pooling} instead of " for pooling in POOLS},
    ("dense", True): "dense layers are applied",
    ("dense", False): "no dense layer",
    ("normalised", None): "scaled to length 1 or not, as the encoder itself does",
    ("normalised", True): "scaled to length 1",
    ("normalised", False): "not scaled to length 1",
    ("prompt", None): "its own prompt",
    ("prompt", ""): "no prompt is added",
    ("prompt", "query: "): "the prompt 'query: ' is added",
    ("prompt", "passage: "): "the prompt 'passage: ' is added",
    ("length", None): "cut where the encoder itself cuts",
    **{("length", length): f"cut at {length} tokens" for length in (1, 32, 512)},
    ("dimensions", None): "all dimensions",
    **{("dimensions", width): f"the first {width} dimensions" for width in (1, 64, 128)},
    **{("form", form): form.words for form in FORMS},
}
ALL = [(field, value) for field, values in VALUES.items() for value in values]


def changes() -> Iterator[tuple[str, Any, Any]]:
    """Every field from every value to every other one."""
    for field, values in VALUES.items():
        yield from ((field, *pair) for pair in itertools.permutations(values, 2))


def test_the_tables_here_know_every_field() -> None:
    assert list(VALUES) == [field.name for field in dataclasses.fields(Recipe)]
    assert set(WORDS) >= {(field, value) for field, value in ALL}


@pytest.mark.parametrize(("field", "expected", "found"), list(changes()))
def test_a_difference_is_said_in_words_that_name_what_was_found(
    field: str, expected: Any, found: Any
) -> None:
    said = PLAIN.but(**{field: expected}).differences(PLAIN.but(**{field: found}))
    assert len(said) == 1
    assert WORDS[field, found] in said[0]
    assert said[0].isprintable()


@pytest.mark.parametrize("field", VALUES)
def test_values_of_a_field_are_told_apart_in_words(field: str) -> None:
    expected = PLAIN.but(**{field: object()}) if field != "form" else PLAIN
    said = [expected.differences(PLAIN.but(**{field: value})) for value in VALUES[field]]
    assert len(set(said)) == len(VALUES[field])


@pytest.mark.parametrize(("field", "value"), ALL)
def test_a_recipe_is_read_back_from_plain_values(field: str, value: Any) -> None:
    recipe = PLAIN.but(**{field: value})
    plain = recipe.to_dict()
    assert read_recipe(plain, where="here") == recipe
    assert set(plain) == ({field} if value != getattr(PLAIN, field) else set())
    assert all(isinstance(item, str | int | bool) for item in plain.values())


def test_a_recipe_with_every_field_is_read_back() -> None:
    last = PLAIN.but(**{field: values[-1] for field, values in VALUES.items()})
    assert set(last.to_dict()) == set(VALUES)
    assert read_recipe(last.to_dict(), where="here") == last
    assert len(PLAIN.differences(last)) == len(VALUES)
    assert str(last).count(", ") >= len(VALUES) - 1


def test_equal_recipes_differ_in_nothing() -> None:
    for field, value in ALL:
        recipe = PLAIN.but(**{field: value})
        assert recipe.differences(recipe) == ()
    assert str(PLAIN) == "as the encoder itself"
    assert PLAIN.to_dict() == {}
    assert read_recipe({}, where="here") == PLAIN == Recipe()


def test_the_largest_effect_is_said_first() -> None:
    found = PLAIN.but(pooling="cls", gelu="tanh", form=Form("decimals", 3), prompt="query: ", length=128)
    assert PLAIN.differences(found) == (
        "cls instead of its own pooling",
        "the prompt 'query: ' is added",
        "cut at 128 tokens",
        "tanh GELU",
        "answers rounded to 3 decimals",
    )
    assert PLAIN.but(pooling="mean").differences(found)[0] == "cls instead of mean pooling"


WRONG: dict[str, list[Any]] = {
    "gelu": ["relu", "", "Tanh", 1, True, None, ["tanh"], {"a": 1}],
    "weights": ["float32", "int8", "", 16, None, ["float16"]],
    "arithmetic": ["float64", "int8", "", 16, None],
    "pooling": ["magic", "", "Mean", 3, None, ["mean"]],
    "dense": ["true", 1, 0, None, []],
    "normalised": ["false", 1, 0, None, 1.0],
    "prompt": [1, None, ["query: "], True, 1.5],
    "length": [0, -1, 1.5, "128", True, None, float("inf")],
    "dimensions": [0, -64, 64.0, "64", False, None],
    "form": ["float64", "", "decimals:0", "decimals:7", "digits", 3, None, ["float16"], True],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in WRONG for value in WRONG[field]])
def test_a_value_of_another_kind_is_refused_in_one_line(field: str, value: Any) -> None:
    with pytest.raises(UsageError) as caught:
        read_recipe({field: value}, where="mine.toml")
    message = str(caught.value)
    assert message.startswith("mine.toml: ")
    assert field in message
    assert str(value) in message
    assert message.isprintable()


@pytest.mark.parametrize(
    "field",
    ["", "GELU", "gelus", "name", "title", "but", "__class__", "a\nb", "\x1b]0;title\x07", "x" * 5000],
)
def test_an_unknown_field_is_refused_in_one_line(field: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_recipe({"gelu": "tanh", field: "tanh"}, where="mine.toml")
    message = str(caught.value)
    assert message.startswith("mine.toml: a recipe has no ")
    assert all(known in message for known in VALUES)
    assert message.isprintable()
    assert len(message) < 400


HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "line\nline",
    "\r\n",
    "\x00",
    "right\u202eleft",
    "zero\u200bwidth",
    "\u2028",
    "\x9b1m",
    "\ud800",
    "query: " * 2000,
]


@pytest.mark.parametrize("prompt", HOSTILE, ids=ascii)
def test_a_hostile_prompt_is_spelled_out_in_words(prompt: str) -> None:
    recipe = read_recipe({"prompt": prompt}, where="mine.toml")
    assert recipe.prompt == prompt  # what is asked is what was said
    for said in (str(recipe), *PLAIN.differences(recipe)):
        assert said.isprintable()
        assert "the prompt " in said
        assert len(said) < 400


@pytest.mark.parametrize("value", HOSTILE, ids=ascii)
@pytest.mark.parametrize("field", ["gelu", "weights", "arithmetic", "pooling", "length", "dense", "form"])
def test_a_hostile_value_is_spelled_out_in_the_refusal(field: str, value: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_recipe({field: value}, where="mine.toml")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


PRESET_FILES = sorted(PRESETS.glob("*.toml"))


def test_there_are_presets_and_nothing_else_in_their_folder() -> None:
    assert len(PRESET_FILES) >= 7
    assert list(presets()) == sorted(file.stem for file in PRESET_FILES)
    assert {file.name for file in PRESETS.iterdir()} == {file.name for file in PRESET_FILES}


@pytest.mark.parametrize("file", PRESET_FILES, ids=lambda file: file.stem)
def test_a_preset_loads_and_is_found(file: Path) -> None:
    said = tomllib.loads(file.read_text("utf-8"))
    assert set(said) <= {"title", "source", "noise", "own_tokenizer", "recipe"}
    found = preset(file.stem)
    assert found.name == file.stem
    assert found.title == said["title"]
    assert found.source == said["source"]
    for words in (found.title, found.source):
        assert words.strip() == words
        assert words.isprintable()
        assert len(words) > 10
    assert found.recipe.to_dict() == said.get("recipe", {})
    assert 0 <= found.noise < 1e-3
    assert found.noise == said.get("noise", 0.0)
    assert found.own_tokenizer is said.get("own_tokenizer", False)
    quietest = min(
        (one for one in presets().values() if one.recipe == found.recipe), key=lambda one: one.noise
    )
    for form in FORMS:  # whatever its numbers are written as
        assert named(found.recipe.but(form=form)) == quietest


def test_presets_are_different_recipes_with_titles_of_their_own() -> None:
    found = presets().values()
    assert len({(one.recipe, one.noise) for one in found}) == len({one.title for one in found}) == len(found)
    assert preset("torch").recipe == PLAIN


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, value in ALL if field != "form"])
def test_a_recipe_of_no_preset_has_no_name(field: str, value: Any) -> None:
    recipe = PLAIN.but(**{field: value})
    among = [one for one in presets().values() if one.recipe == recipe]
    assert named(recipe) == (among[0] if among else None)


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("act", ["gelu", "gelu_new", "relu"])
def test_a_preset_is_found_from_what_is_left_of_it_for_an_encoder(
    act: str, normalised: bool, opened: Opened
) -> None:
    """What an encoder does by itself is no part of a found recipe, and the name must not be lost with it."""
    encoder = opened(normalised=normalised, config={"hidden_act": act})
    for one in presets().values():
        left = simplified(encoder, one.recipe)
        found = named(left, encoder)
        assert found is not None
        assert simplified(encoder, found.recipe) == left
        assert found.name == "torch" or left != PLAIN
        if normalised and act == "gelu" and left != PLAIN:
            assert (found.recipe, found.noise <= one.noise) == (one.recipe, True)
    assert named(PLAIN, encoder) == preset("torch")
    assert named(PLAIN.but(pooling="max"), encoder) is None


def test_a_prompt_beside_a_preset_has_no_name() -> None:
    for one in presets().values():
        assert named(one.recipe.but(prompt="query: ")) is None


@pytest.mark.parametrize("name", ["", "Torch", "torch.toml", "../torch", "tei\n", "\x1b[31m", "x" * 5000])
def test_an_unknown_preset_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        preset(name)
    message = str(caught.value)
    assert message.startswith("no recipe is called ")
    assert all(known in message for known in presets())
    assert message.isprintable()
    assert len(message) < 400


def test_presets_are_named_in_the_package_data() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    package = ROOT / "hf_integration"
    matched = {
        file for pattern in settings["package-data"]["hf_integration"] for file in package.glob(pattern)
    }
    assert set(PRESET_FILES) <= matched
    folder = files("hf_integration.serving").joinpath("presets")
    assert {file.name for file in folder.iterdir()} == {file.name for file in PRESET_FILES}


@pytest.mark.skipif(
    find_spec("setuptools") is None, reason="setuptools, which builds the wheel, is not installed"
)
def test_presets_are_in_the_wheel(tmp_path: Path) -> None:
    tree, built = tmp_path / "tree", tmp_path / "built"
    for package in ("hf_integration", "pytest_sslauth"):
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, tree)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(built)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=tree, check=True, capture_output=True)
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"hf_integration/serving/presets/{file.name}" for file in PRESET_FILES} <= set(names)
