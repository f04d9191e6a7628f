"""Numeric forms: recognised from the numbers alone, and rounded as a server would round."""

import json
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from hf_integration.base.errors import UsageError
from hf_integration.serving.numeric import Form, Kind, form_of
from hf_integration.stamps.forms import FEWEST_NUMBERS, MOST_PLACES

PLACES = range(1, MOST_PLACES + 1)
DECIMALS = [Form("decimals", places) for places in PLACES]
DIGITS = [Form("digits", places) for places in PLACES]
FORMS = [Form(), Form("float16"), Form("bfloat16"), *DECIMALS, *DIGITS]
ROUNDED = FORMS[1:]
BINARY = {"float16": torch.float16, "bfloat16": torch.bfloat16}

every_form = pytest.mark.parametrize("form", FORMS, ids=str)
every_rounded_form = pytest.mark.parametrize("form", ROUNDED, ids=str)


def embeddings(count: int, width: int, *, seed: int, size: float | None = None) -> Tensor:
    """Random ones, scaled to length 1 unless a size of their numbers is given."""
    drawn = torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn / drawn.norm(dim=1, keepdim=True) if size is None else drawn * size


def through_json(values: Tensor, form: Form) -> Tensor:
    """As a server writes them: the shortest text, or so many digits."""
    if form.kind == "digits":
        rows = [[f"{value:.{form.places - 1}e}" for value in row] for row in values.tolist()]
        return torch.tensor([[json.loads(text) for text in row] for row in rows], dtype=torch.float64)
    return torch.tensor(json.loads(json.dumps(values.tolist())), dtype=torch.float64)


WAYS: dict[str, Callable[[Tensor, Form], Tensor]] = {
    "as they are": lambda values, _: values,
    "as float32": lambda values, _: values.float().double(),
    "as text": through_json,
    "as float32 in text": lambda values, form: through_json(values.float().double(), form),
}


@every_form
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("count", "width"), [(16, 384), (3, 384), (1, 384), (4, 1024)])
def test_the_form_of_embeddings_is_recognised(form: Form, way: str, count: int, width: int) -> None:
    for seed in range(2):
        answers = WAYS[way](form.rounded(embeddings(count, width, seed=seed)), form)
        assert form_of(answers) == form


@every_form
@pytest.mark.parametrize("size", [0.3, 1.0, 7.0, 40.0])
def test_the_form_of_embeddings_that_are_not_scaled_is_recognised(form: Form, size: float) -> None:
    answers = form.rounded(embeddings(16, 384, seed=1, size=size))
    assert form_of(answers) == form
    assert form_of(answers.float().double()) == form


def test_one_digit_of_small_numbers_is_not_taken_for_six_decimals() -> None:
    exact = embeddings(1, 384, seed=0)
    answers = Form("digits", 1).rounded(exact)
    assert torch.equal(Form("decimals", 6).rounded(answers).float(), answers.float())  # they hold it as well
    assert form_of(answers) == Form("digits", 1)


@pytest.mark.parametrize("places", PLACES)
@pytest.mark.parametrize(("lowest", "more"), [(0.1, 0), (0.01, 1), (0.001, 2), (1.0, -1)])
def test_numbers_of_one_magnitude_have_a_form_that_rounds_them_alike(
    places: int, lowest: float, more: int
) -> None:
    """Four digits of numbers between 0.1 and 1 are four decimals: either name will do, and is the first."""
    generator = torch.Generator().manual_seed(0)
    exact = lowest * (1.05 + 8.3 * torch.rand(8, 64, generator=generator, dtype=torch.float64))
    expected = Form("digits", places)
    found = form_of(expected.rounded(exact))
    torch.testing.assert_close(found.rounded(exact), expected.rounded(exact), rtol=1e-12, atol=0)
    if 1 <= places + more <= MOST_PLACES:
        assert found == Form("decimals", places + more)


@every_form
@pytest.mark.parametrize("size", [1e-12, 1e-4, 0.05, 1.0, 300.0])
def test_rounding_twice_is_rounding_once(form: Form, size: float) -> None:
    once = form.rounded(embeddings(16, 384, seed=2, size=size))
    torch.testing.assert_close(form.rounded(once), once, rtol=1e-14, atol=0)


@pytest.mark.parametrize("places", PLACES)
def test_decimals_are_those_of_python(places: int) -> None:
    exact = embeddings(8, 384, seed=3)
    expected = torch.tensor(
        [[round(value, places) for value in row] for row in exact.tolist()], dtype=torch.float64
    )
    torch.testing.assert_close(Form("decimals", places).rounded(exact), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("places", PLACES)
def test_digits_are_those_of_python_also_beside_powers_of_ten(places: int) -> None:
    powers = [10.0**power for power in range(-9, 4)]
    beside = [power * (1 + sign * away) for power in powers for sign in (-1, 1) for away in _AWAY]
    exact = torch.tensor([*powers, *beside, *embeddings(8, 384, seed=4).flatten().tolist()])
    exact = torch.cat([exact, -exact]).double()
    expected = torch.tensor([float(f"{value:.{places - 1}e}") for value in exact.tolist()])
    found = Form("digits", places).rounded(exact)
    torch.testing.assert_close(found, expected.double(), rtol=1e-7, atol=0)


_AWAY = (1e-16, 1e-12, 1e-9, 1e-7, 3e-6, 4e-5, 4e-4, 4e-3, 0.04)


@pytest.mark.parametrize("kind", BINARY)
def test_half_precision_is_that_of_torch(kind: Kind) -> None:
    exact = embeddings(8, 384, seed=5)
    expected = exact.float().to(BINARY[kind]).double()
    away = (Form(kind).rounded(exact) - expected).abs()
    assert (away > 0).float().mean() < 1e-3  # a number between two may have been rounded twice


@pytest.mark.parametrize("kind", BINARY)
@pytest.mark.parametrize("size", [1e-7, 1e-5, 0.05, 1.0, 1000.0])
def test_the_steps_of_half_precision_lead_to_the_next_number(kind: Kind, size: float) -> None:
    values = Form(kind).rounded(embeddings(8, 384, seed=6, size=size)).abs()
    held = values.to(BINARY[kind])
    following = (held.view(torch.int16) + 1).view(BINARY[kind])
    expected = following.double() - values
    # bfloat16 goes on below what any embedding holds
    assert torch.equal(Form(kind).steps(values), expected)
    assert torch.equal(Form(kind).steps(-values), expected)


@pytest.mark.parametrize("form", [*DECIMALS, *DIGITS], ids=str)
def test_the_steps_of_decimals_and_digits_lead_to_the_next_number(form: Form) -> None:
    exact = embeddings(8, 384, seed=7)
    held = form.rounded(exact)
    steps = form.steps(held)
    for direction in (-1, 1):
        beside = held + direction * steps
        torch.testing.assert_close(form.rounded(beside), beside, rtol=1e-9, atol=1e-12)  # there is one,
    assert bool(((held - exact).abs() <= form.steps(exact) / 2 * (1 + 1e-9)).all())  # and it is the next


def test_exact_numbers_have_no_steps() -> None:
    exact = embeddings(8, 384, seed=7)
    assert not Form().steps(exact).any()
    assert torch.equal(Form().rounded(exact), exact)


@every_rounded_form
def test_what_lies_half_a_step_away_is_rounded_to_either_side(form: Form) -> None:
    exact = form.rounded(embeddings(8, 384, seed=8))
    steps = exact.sign() * form.steps(exact)  # outwards: inwards they are smaller below a power
    for share, expected in ((0.4, 0.0), (0.6, 1.0)):
        moved = form.rounded(exact + share * steps) - exact
        torch.testing.assert_close(moved, expected * steps, rtol=1e-6, atol=1e-12)


@every_form
def test_a_form_is_read_from_its_text(form: Form) -> None:
    assert Form.read(str(form), where="a file") == form
    assert form.words
    assert str(form.places or form.kind) in form.words
    assert form.exact == (form == Form())


def test_every_form_has_a_text_and_words_of_its_own() -> None:
    assert len({str(form) for form in FORMS}) == len({form.words for form in FORMS}) == len(FORMS) == 15


@pytest.mark.parametrize(
    "text",
    [
        "",
        "float64",
        "Float32",
        "decimals",
        "decimals:",
        "decimals:0",
        "decimals:7",
        "decimals:-1",
        "decimals:10",
        "decimals:4 ",
        " decimals:4",
        "decimals:4\n",
        "decimals:٣",
        "digits",
        "digits:0",
        "digits:7",
        "digits:2.0",
        "digits:1e1",
        "float32:0",
        "float16:3",
        "bfloat16\n",
        "4",
        "None",
        "\x1b[31mred",
        "x" * 10_000,
        "line\nline",
        "right\u202eleft",
    ],
)
def test_what_is_no_form_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Form.read(text, where="sslauth.toml")
    message = str(caught.value)
    assert message.startswith("sslauth.toml: ")
    assert "is no numeric form" in message
    assert "decimals:1 to decimals:6" in message
    assert message.isprintable()
    assert len(message) < 400


@every_rounded_form
def test_too_few_numbers_are_taken_for_exact_ones(form: Form) -> None:
    numbers = form.rounded(embeddings(1, 4 * FEWEST_NUMBERS, seed=9, size=0.7))
    numbers = numbers[numbers != 0]
    assert form_of(numbers[None, : FEWEST_NUMBERS - 1]) == Form()
    assert form_of(numbers[None, :FEWEST_NUMBERS]) != Form()


@every_rounded_form
@pytest.mark.parametrize("nothing", [0.0, -0.0])
def test_zeros_say_nothing_about_the_form(form: Form, nothing: float) -> None:
    answers = form.rounded(embeddings(8, 384, seed=10))
    answers[:, ::2] = nothing
    assert form_of(answers) == form
    assert form_of(torch.full((64, 384), nothing, dtype=torch.float64)) == Form()


@every_form
@pytest.mark.parametrize("value", [0.0, -0.0, 0.125, -0.1, 1.0, 1e-3, 0.123456789, 10.0, 1e-30])
def test_numbers_that_are_all_equal_do_no_harm(form: Form, value: float) -> None:
    exact = torch.full((4, 64), value, dtype=torch.float64)
    for result in (form.rounded(exact), form.steps(exact)):
        assert result.shape == exact.shape
        assert result.dtype == torch.float64
        assert bool(result.isfinite().all())
    found = form_of(form.rounded(exact))
    torch.testing.assert_close(found.rounded(form.rounded(exact)), form.rounded(exact), rtol=1e-7, atol=0)


@every_form
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_never_taken_for_a_rounded_one(form: Form, value: float) -> None:
    answers = form.rounded(embeddings(8, 384, seed=11))
    answers[3, 5] = value
    assert form_of(answers) == Form()
    assert not bool(form.rounded(answers)[3, 5].isfinite())


@every_rounded_form
def test_one_number_that_is_not_rounded_makes_all_of_them_exact(form: Form) -> None:
    answers = form.rounded(embeddings(8, 384, seed=12))
    answers[3, 5] = 0.012345678912
    assert form_of(answers) == Form()


@every_rounded_form
def test_rounding_keeps_shape_dtype_and_sign_and_its_argument(form: Form) -> None:
    exact = embeddings(6, 100, seed=13).reshape(2, 3, 100)
    before = exact.clone()
    rounded = form.rounded(exact)
    assert rounded.shape == exact.shape
    assert rounded.dtype == torch.float64
    assert torch.equal(exact, before)
    assert torch.equal(form.rounded(-exact), -rounded)
