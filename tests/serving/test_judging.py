"""What answers say about an encoder: the table of judging.py row by row, stated and not stated."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.computing import Computed, simplified
from hf_integration.serving.judging import IN_A_BATCH, MOST_NOISE, Judged, judge_answers
from hf_integration.serving.numeric import Form
from hf_integration.serving.presets import presets
from hf_integration.serving.recipe import PLAIN, Recipe
from hf_integration.serving.sources import CopySource
from hf_integration.tampering.weights.fine_tuning import ONE_STEP
from hf_integration.tampering.weights.values import ONE_WEIGHT
from tests.serving import small_encoders
from tests.serving.conftest import Opened
from tests.serving.small_encoders import WIDTH

SAMPLES = small_encoders.samples(16)
TEXTS = [str(sample) for sample in SAMPLES]
PRESETS = presets()
SHORT = sorted(range(16), key=lambda place: len(TEXTS[place]))


@cache
def exact_answers(encoder: TorchEncoder, recipe: Recipe) -> Tensor:
    computed = Computed(encoder, recipe)
    return torch.cat([computed.embed([text], precision=recipe.arithmetic) for text in TEXTS])


def answered(encoder: TorchEncoder, recipe: Recipe = PLAIN) -> Tensor:
    """Of a deployment, one text at a time, as float32."""
    return recipe.form.rounded(exact_answers(encoder, recipe.but(form=Form()))).float().double()


FITTING = (
    "the answers are this encoder's, computed as expected",
    "this is the encoder, but not as expected: ",
)
"""What a reason begins with where a recipe was found."""


def judge(encoder: TorchEncoder, answers: Tensor, expected: Recipe | None, **options: Any) -> Judged:
    judged = judge_answers(CopySource(encoder), SAMPLES, answers, expected=expected, **options)
    assert judged.reason.isprintable()
    assert judged.card.key_samples is SAMPLES
    assert (judged.found is None) == (not judged.reason.startswith(FITTING))
    assert judged.found is None or judged.reconstruction.intact
    assert (judged.status == "authentic") == (judged.found == judged.expected)
    assert judged.status != "authentic" or judged.nearest == ()
    return judged


@cache
def altered(encoder: TorchEncoder, rate: float) -> TorchEncoder:
    """One step of AdamW later."""
    found = ONE_STEP.at(rate, seed=1)(encoder)
    assert isinstance(found, TorchEncoder)
    return found


@cache
def with_one_weight_moved(encoder: TorchEncoder) -> TorchEncoder:
    found = ONE_WEIGHT.at(0.1, seed=1)(encoder)
    assert isinstance(found, TorchEncoder)
    return found


STATED: dict[str, Recipe] = {
    **{name: preset.recipe for name, preset in PRESETS.items()},
    "four decimals": PLAIN.but(form=Form("decimals", 4)),
    "three digits": PLAIN.but(form=Form("digits", 3)),
    "float16 answers": PLAIN.but(form=Form("float16")),
    "class token": PLAIN.but(pooling="cls"),
    "a prompt": PLAIN.but(prompt="query: "),
    "a cut": PLAIN.but(length=32),
    "half of it": PLAIN.but(dimensions=WIDTH // 2),
    "everything": Recipe(
        gelu="tanh",
        weights="float16",
        pooling="max",
        prompt="query: ",
        length=32,
        dimensions=40,
        form=Form("decimals", 5),
    ),
}


@pytest.mark.parametrize("name", STATED)
def test_the_expected_recipe_fits(name: str, encoder: TorchEncoder) -> None:
    recipe = STATED[name]
    judged = judge(encoder, answered(encoder, recipe), recipe)
    assert judged.status == "authentic"
    assert judged.expected == judged.found == simplified(encoder, recipe)
    assert "the answers are this encoder's, computed as expected" in judged.reason
    assert str(judged.expected) in judged.reason
    assert ("may go unnoticed" in judged.reason) == (judged.tolerated >= 1e-4)


def test_the_encoder_itself_fits_where_nothing_is_stated(encoder: TorchEncoder) -> None:
    judged = judge(encoder, answered(encoder), None)
    assert judged.status == "authentic"
    assert judged.expected == PLAIN
    assert judged.tolerated < 1e-5
    assert "unseen" not in judged.reason


OTHERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"gelu": "tanh"}),
    ({}, {"pooling": "cls"}),
    ({}, {"prompt": "query: "}),
    ({}, {"length": 32}),
    ({}, {"normalised": False}),
    ({}, {"form": Form("decimals", 4)}),
    ({"gelu": "tanh"}, {}),
    ({"pooling": "cls"}, {"pooling": "max"}),
    ({"length": 32}, {"length": 64}),
]
"""What was expected, and what a deployment does."""


@pytest.mark.parametrize(("expected", "does"), [*((None, does) for _, does in OTHERS[:1]), *OTHERS], ids=str)
def test_another_recipe_fits(
    expected: dict[str, Any] | None, does: dict[str, Any], encoder: TorchEncoder
) -> None:
    recipe = PLAIN.but(**does)
    stated = None if expected is None else PLAIN.but(**expected)
    judged = judge(encoder, answered(encoder, recipe), stated)
    assert judged.status == "inconclusive"
    assert judged.found == recipe
    assert judged.nearest[0].recipe == recipe
    differences = (stated or PLAIN).differences(recipe)
    assert judged.reason == f"this is the encoder, but not as expected: {'; '.join(differences)}"


@pytest.mark.parametrize("arithmetic", ["float16", "bfloat16"])
def test_half_arithmetic_that_was_not_expected_is_inconclusive(
    arithmetic: Any, encoder: TorchEncoder
) -> None:
    recipe = PLAIN.but(arithmetic=arithmetic)
    for expected in (None, PLAIN):
        judged = judge(encoder, answered(encoder, recipe), expected)
        assert judged.status == "inconclusive"
        assert judged.found is None
        assert recipe in [match.recipe for match in judged.nearest]


ALTERED: dict[str, Callable[[TorchEncoder, Opened], TorchEncoder]] = {
    "one step": lambda encoder, _: altered(encoder, 1e-6),
    "one weight": lambda encoder, _: with_one_weight_moved(encoder),
    "another encoder": lambda _, opened: opened(seed=1),
}


@pytest.mark.parametrize(
    ("name", "change"),
    [*(("torch", change) for change in ALTERED), ("tei", "one step"), ("ollama", "one weight")],
)
def test_no_recipe_fits_an_altered_encoder_and_one_was_stated(
    name: str, change: str, encoder: TorchEncoder, opened: Opened
) -> None:
    recipe = STATED[name]
    answers = answered(ALTERED[change](encoder, opened), recipe)
    judged = judge(encoder, answers, recipe, noise=PRESETS[name].noise)
    assert judged.status == "altered"
    assert judged.nearest
    assert judged.reason.startswith("no known recipe gives these answers; the nearest, ")
    assert str(judged.nearest[0].recipe) in judged.reason


def test_an_alteration_as_large_as_the_rounding_of_float16_is_not_called_one_beside_it(
    encoder: TorchEncoder,
) -> None:
    """Float16 weights, float16 arithmetic and this alteration are about as far from each other."""
    recipe = PRESETS["float16-weights"].recipe
    judged = judge(encoder, answered(altered(encoder, 1e-6), recipe), recipe)
    assert judged.status in ("altered", "inconclusive")
    if judged.found is not None:
        assert judged.found.arithmetic in ("float16", "bfloat16")
        assert "cannot be told from such arithmetic" in judged.reason


@pytest.mark.parametrize("change", ALTERED)
def test_no_recipe_fits_an_altered_encoder_and_none_was_stated(
    change: str, encoder: TorchEncoder, opened: Opened
) -> None:
    judged = judge(encoder, answered(ALTERED[change](encoder, opened)), None)
    assert judged.status == "inconclusive"
    assert judged.reason.startswith("no known recipe gives these answers; the nearest, ")


FINER = [
    ({"arithmetic": "float16"}, {}),
    ({"arithmetic": "float16"}, {"gelu": "tanh"}),
    ({"arithmetic": "float16", "gelu": "tanh"}, {}),
    ({"arithmetic": "float16"}, {"form": Form("decimals", 5)}),
    ({"arithmetic": "bfloat16"}, {}),
    ({"arithmetic": "bfloat16"}, {"gelu": "tanh"}),
    ({"arithmetic": "bfloat16"}, {"weights": "float16"}),
    ({"arithmetic": "bfloat16"}, {"form": Form("decimals", 4)}),
    ({"arithmetic": "bfloat16"}, {"arithmetic": "float16"}),
]
"""What was expected, and a finer arithmetic that lies within its tolerance."""


@pytest.mark.parametrize(("expected", "does"), FINER, ids=str)
def test_finer_arithmetic_than_was_expected_is_no_pass(
    expected: dict[str, Any], does: dict[str, Any], encoder: TorchEncoder
) -> None:
    judged = judge(encoder, answered(encoder, PLAIN.but(**does)), PLAIN.but(**expected))
    assert judged.status == "inconclusive"
    assert judged.nearest[0].recipe == PLAIN.but(**does)


@pytest.mark.parametrize("form", ["float32", "decimals:5", "float16"])
def test_coarser_arithmetic_than_was_expected_is_no_pass(form: str, encoder: TorchEncoder) -> None:
    """What is tolerated of float16 would hold all that bfloat16 does."""
    written = Form.read(form, where="here")
    expected = PLAIN.but(arithmetic="float16", form=written)
    assert judge(encoder, answered(encoder, expected), expected).status == "authentic"
    judged = judge(encoder, answered(encoder, expected.but(arithmetic="bfloat16")), expected)
    assert judged.status == "inconclusive"
    assert "computed in bfloat16" in judged.reason


@pytest.mark.parametrize("places", [1, 2, 3, 4])
@pytest.mark.parametrize("arithmetic", ["float16", "bfloat16"])
def test_rounding_alone_does_not_make_half_precision_coarser(
    arithmetic: Any, places: int, encoder: TorchEncoder
) -> None:
    expected = PLAIN.but(arithmetic=arithmetic, form=Form("decimals", places))
    assert judge(encoder, answered(encoder, expected), expected).status == "authentic"


@pytest.mark.parametrize("arithmetic", ["float16", "bfloat16"])
@pytest.mark.parametrize("rate", [3e-7, 1e-6])
def test_an_alteration_in_float32_does_not_hide_behind_half_precision_that_was_expected(
    rate: float, arithmetic: Any, encoder: TorchEncoder
) -> None:
    judged = judge(encoder, answered(altered(encoder, rate)), PLAIN.but(arithmetic=arithmetic))
    assert judged.status == "inconclusive"
    assert judged.found is None


@pytest.mark.parametrize("width", [1, 2, 3, 7])
def test_few_dimensions_are_too_few(width: int, encoder: TorchEncoder) -> None:
    answers = answered(encoder, PLAIN.but(dimensions=width))
    judged = judge(encoder, answers, PLAIN, dimensions=width)
    assert judged.status == "inconclusive"
    assert judged.found is None
    assert judged.reason == f"answers of {width} dimensions are too few to tell encoders apart"


WRITTEN = [Form("float16"), Form("decimals", 4), Form("digits", 5)]


@pytest.mark.parametrize("form", WRITTEN, ids=str)
def test_rounded_answers_of_another_encoder_are_never_called_altered(
    form: Form, encoder: TorchEncoder, opened: Opened
) -> None:
    """That a recipe was missing cannot be told from an alteration there."""
    recipe = PLAIN.but(form=form)
    assert judge(encoder, answered(opened(seed=1), recipe), recipe).status == "inconclusive"


@pytest.mark.parametrize("arithmetic", ["float16", "bfloat16"])
@pytest.mark.parametrize("rate", [1e-8, 1e-6, 1e-5, 1e-4])
def test_an_altered_encoder_in_half_precision_passes_only_below_what_is_stated(
    rate: float, arithmetic: Any, encoder: TorchEncoder
) -> None:
    recipe = PLAIN.but(arithmetic=arithmetic)
    other = altered(encoder, rate)
    moved = exact_answers(other, PLAIN) - exact_answers(encoder, PLAIN)
    judged = judge(encoder, answered(other, recipe), recipe)
    if judged.status == "authentic":
        assert float(moved.norm(dim=1).max()) < judged.tolerated
        assert f"by up to {judged.tolerated:.1e} of their length may go unnoticed" in judged.reason
    else:
        assert judged.status == "inconclusive"
    if float(moved.norm(dim=1).min()) > judged.tolerated:
        assert judged.status == "inconclusive"


@pytest.mark.parametrize("name", ["four decimals", "three digits", "float16 answers"])
@pytest.mark.parametrize("rate", [1e-7, 1e-5])
def test_an_altered_encoder_that_rounds_passes_only_below_what_is_stated(
    rate: float, name: str, encoder: TorchEncoder
) -> None:
    other = altered(encoder, rate)
    moved = exact_answers(other, PLAIN) - exact_answers(encoder, PLAIN)
    judged = judge(encoder, answered(other, STATED[name]), STATED[name])
    if judged.status == "authentic":
        assert float(moved.norm(dim=1).max()) < judged.tolerated
        assert f"by up to {judged.tolerated:.1e} of their length may go unnoticed" in judged.reason
    else:
        assert judged.status == "inconclusive"


@pytest.mark.parametrize("rate", [3e-7, 1e-6])
def test_half_precision_is_no_excuse_for_an_alteration_in_float32(rate: float, encoder: TorchEncoder) -> None:
    """So small an alteration lies within the rounding of float16 and bfloat16."""
    judged = judge(encoder, answered(altered(encoder, rate)), PLAIN)
    assert judged.status == "altered"


@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("width", [WIDTH + 1, 2 * WIDTH, 1024])
def test_wider_answers_are_of_another_encoder(width: int, stated: bool, encoder: TorchEncoder) -> None:
    answers = F.normalize(torch.randn(16, width, generator=torch.Generator().manual_seed(0)).double(), dim=1)
    judged = judge(encoder, answers, PLAIN if stated else None)
    assert judged.status == ("altered" if stated else "inconclusive")
    said = f"answers have {width} dimensions, and the encoder's embeddings have 64: another encoder answers"
    assert judged.reason == said
    assert judged.nearest == ()


def test_the_pooled_vector_is_no_other_encoder_where_a_dense_layer_is_left_out(opened: Opened) -> None:
    encoder = opened(dense=24)
    bare = PLAIN.but(dense=False)
    answers = answered(encoder, bare)
    assert answers.shape[1] == WIDTH > encoder.description.embedding_dim
    stated = judge(encoder, answers, bare)
    assert stated.status == "authentic"
    for expected in (None, PLAIN):
        judged = judge(encoder, answers, expected)
        assert judged.status == "inconclusive"
        assert judged.found == bare
        assert judged.reason == "this is the encoder, but not as expected: no dense layer"


def test_all_dimensions_are_no_other_encoder_where_it_keeps_few(opened: Opened) -> None:
    encoder = opened(truncated=24)
    judged = judge(encoder, answered(encoder, PLAIN.but(dimensions=WIDTH)), PLAIN)
    assert judged.status == "inconclusive"
    assert judged.found == PLAIN.but(dimensions=WIDTH)


@pytest.mark.parametrize(
    ("width", "is_scaled", "stated"),
    [
        (8, True, True),
        (8, False, False),
        (32, False, True),
        (WIDTH - 1, True, False),
        (WIDTH - 1, False, True),
    ],
)
def test_narrower_answers_that_nobody_asked_for_are_inconclusive(
    is_scaled: bool, width: int, stated: bool, encoder: TorchEncoder
) -> None:
    answers = answered(encoder)[:, :width]
    answers = F.normalize(answers, dim=1) if is_scaled else answers
    judged = judge(encoder, answers, PLAIN if stated else None)
    assert judged.status == "inconclusive"
    assert judged.found == PLAIN.but(dimensions=width)
    assert f"the first {width} dimensions" in judged.reason


@pytest.mark.parametrize("width", [8, 32, WIDTH - 1])
@pytest.mark.parametrize("is_scaled", [True, False])
def test_narrower_answers_that_were_asked_for_are_authentic(
    is_scaled: bool, width: int, encoder: TorchEncoder
) -> None:
    answers = answered(encoder)[:, :width]
    answers = F.normalize(answers, dim=1) if is_scaled else answers
    for expected in (None, PLAIN):
        judged = judge(encoder, answers, expected, dimensions=width)
        assert judged.status == "authentic"
        assert judged.expected == PLAIN.but(dimensions=width)


@pytest.mark.parametrize("width", [32, WIDTH - 1])
def test_narrower_answers_of_an_altered_encoder_are_altered(width: int, encoder: TorchEncoder) -> None:
    answers = answered(altered(encoder, 1e-6), PLAIN.but(dimensions=width))
    assert judge(encoder, answers, PLAIN, dimensions=width).status == "altered"
    assert judge(encoder, answers, None, dimensions=width).status == "inconclusive"


@pytest.mark.parametrize("asked", [16, WIDTH, 4 * WIDTH])
def test_other_widths_than_were_asked_for_are_never_authentic(asked: int, encoder: TorchEncoder) -> None:
    judged = judge(encoder, answered(encoder, PLAIN.but(dimensions=32)), PLAIN, dimensions=asked)
    assert judged.status == "inconclusive"
    assert judged.found == PLAIN.but(dimensions=32)


WRONG: dict[str, Any] = {
    "one nan": lambda rows: rows.index_fill(1, torch.tensor([3]), torch.nan),
    "infinite": lambda rows: rows.index_fill(0, torch.tensor([5]), torch.inf),
    "doubled": lambda rows: rows * 2,
    "in another order": lambda rows: rows.roll(1, dims=0),
    "two swapped": lambda rows: rows[[1, 0, *range(2, 16)]],
}


@pytest.mark.parametrize(("change", "stated"), [*((change, True) for change in WRONG), ("one nan", False)])
def test_wrong_answers_are_altered_if_a_recipe_was_stated(
    change: str, stated: bool, encoder: TorchEncoder
) -> None:
    judged = judge(encoder, WRONG[change](answered(encoder)), PLAIN if stated else None)
    assert judged.found is None
    assert judged.status == ("altered" if stated else "inconclusive")


@pytest.mark.parametrize("place", [SHORT[0], SHORT[-1], 11])
def test_one_answer_of_another_encoder_is_enough(place: int, encoder: TorchEncoder, opened: Opened) -> None:
    answers = answered(encoder).clone()
    answers[place] = answered(opened(seed=1))[place]
    judged = judge(encoder, answers, PLAIN)
    assert judged.status == "altered"
    assert bool(judged.reconstruction.broken[0, place])


def test_a_noise_that_is_stated_is_tolerated_and_more_is_not(encoder: TorchEncoder) -> None:
    generator = torch.Generator().manual_seed(3)
    away = F.normalize(torch.randn(16, WIDTH, generator=generator).double(), dim=1)
    assert judge(encoder, answered(encoder) + 2e-5 * away, PLAIN, noise=2e-5).status == "authentic"
    assert judge(encoder, answered(encoder) + 2e-5 * away, PLAIN).status == "altered"
    assert judge(encoder, answered(encoder) + 1e-4 * away, PLAIN, noise=2e-5).status == "altered"


def test_the_noise_of_a_known_recipe_counts_where_another_was_stated(encoder: TorchEncoder) -> None:
    """Text-embeddings-inference is as far from torch as its maintainers recorded, and no altered encoder."""
    recipe, noise = simplified(encoder, PRESETS["tei"].recipe), PRESETS["tei"].noise
    generator = torch.Generator().manual_seed(3)
    away = F.normalize(torch.randn(16, WIDTH, generator=generator).double(), dim=1)
    judged = judge(encoder, answered(encoder, recipe) + noise * away, PLAIN)
    assert judged.status == "inconclusive"
    assert judged.found == recipe


def test_every_arithmetic_has_a_bound_of_its_noise() -> None:
    assert MOST_NOISE["float32"] < MOST_NOISE["float16"] < MOST_NOISE["bfloat16"] < 0.1


@pytest.mark.parametrize("normalised", [True, False])
def test_what_the_encoder_does_by_itself_may_be_stated(normalised: bool, opened: Opened) -> None:
    encoder = opened(normalised=normalised)
    own = Recipe(normalised=normalised, gelu="exact", length=small_encoders.OWN_LENGTH)
    judged = judge(encoder, answered(encoder), own)
    assert judged.status == "authentic"
    assert judged.expected == judged.found == PLAIN


@pytest.mark.parametrize("form", WRITTEN, ids=str)
def test_more_digits_than_were_expected_are_no_alteration(form: Form, encoder: TorchEncoder) -> None:
    judged = judge(encoder, answered(encoder), PLAIN.but(form=form))
    assert judged.status in ("authentic", "inconclusive")
    assert judged.found in (PLAIN, PLAIN.but(form=form))


def test_a_large_alteration_within_half_precision_is_never_authentic(encoder: TorchEncoder) -> None:
    """It may be called inconclusive, as an encoder in bfloat16 is about as far away."""
    for rate in (1e-5, 1e-4):
        judged = judge(encoder, answered(altered(encoder, rate)), PLAIN)
        assert judged.status != "authentic"
        if judged.status == "inconclusive":
            assert judged.reason.startswith("these may be the encoder's answers, computed in")
            assert "cannot be told from such arithmetic" in judged.reason


class TestLongTexts:
    """Some runtimes cut them in ways of their own, which says nothing about the weights."""

    @pytest.fixture
    def mixed(self) -> KeySamples:
        short = small_encoders.texts(12, fewest=3, most=20, seed=31)
        return KeySamples([*short, *small_encoders.texts(4, fewest=60, most=90, seed=32)], origin="mixed")

    @staticmethod
    def cut_otherwise(encoder: TorchEncoder, samples: KeySamples) -> torch.Tensor:
        """The end of long texts in the place of their beginning."""
        texts = [str(sample) for sample in samples]
        backwards = [" ".join(reversed(text.split())) for text in texts[12:]]
        return Computed(encoder, PLAIN).embed([*texts[:12], *backwards], precision="float32").clone()

    @pytest.mark.parametrize("stated", [PLAIN, None])
    def test_that_are_cut_in_an_unknown_way_are_no_alteration_and_no_pass(
        self, stated: Recipe | None, encoder: TorchEncoder, mixed: KeySamples
    ) -> None:
        judged = judge_answers(
            CopySource(encoder), mixed, self.cut_otherwise(encoder, mixed), expected=stated
        )
        assert judged.status == "inconclusive"
        assert judged.found is None
        assert judged.reason.startswith("texts of up to ")
        assert "longer texts are cut in an unknown way" in judged.reason

    def test_do_not_excuse_a_short_one(self, encoder: TorchEncoder, mixed: KeySamples) -> None:
        cut = self.cut_otherwise(encoder, mixed)
        for row in (0, 11):
            answers = cut.clone()
            answers[row] = answers[row].roll(1)
            assert judge_answers(CopySource(encoder), mixed, answers, expected=PLAIN).status == "altered"

    def test_do_not_excuse_an_altered_encoder(self, encoder: TorchEncoder, mixed: KeySamples) -> None:
        answers = self.cut_otherwise(altered(encoder, 1e-6), mixed)
        assert judge_answers(CopySource(encoder), mixed, answers, expected=PLAIN).status == "altered"


class TestTextsThatWereAskedAgain:
    """What fits alone has to fit in a batch as well."""

    @pytest.mark.parametrize("row", range(16))
    def test_one_other_answer_to_any_text_is_no_pass(self, encoder: TorchEncoder, row: int) -> None:
        answers = answered(encoder)
        other = answers.clone()
        other[row] = answers[row] * 1.001
        stated = judge(encoder, answers, PLAIN, again=[answers, other])
        assert (stated.status, stated.reason) == ("altered", IN_A_BATCH)
        assert judge(encoder, answers, None, again=[other]).status == "inconclusive"

    def test_the_same_answers_again_pass(self, encoder: TorchEncoder) -> None:
        answers = answered(encoder)
        assert judge(encoder, answers, PLAIN, again=[answers, answers]).status == "authentic"
