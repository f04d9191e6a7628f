"""Which reference an encoder is held against, and what is refused before any sample is run."""

from dataclasses import replace
from pathlib import Path

import pytest

from hf_integration.authentication.references import (
    default_precision,
    other_kind,
    reference_for,
    refuse_part,
    rounding_of,
)
from hf_integration.base.errors import UsageError
from hf_integration.base.vocabulary import Precision, Weights
from hf_integration.card import WatermarkCard
from hf_integration.encoders.identity.behaviour import Behaviour
from tests.authentication.plain_encoder import PlainEncoder
from tests.card.synthetic_cards import make_card


@pytest.fixture(scope="module")
def card() -> WatermarkCard:
    return make_card(
        runs=(
            ("stored", "float64"),
            ("stored", "float32"),
            ("float16", "float32"),
            ("float16", "float16"),
            ("bfloat16", "bfloat16"),
        )
    )


@pytest.mark.parametrize(
    ("has_weights", "device", "precision"),
    [
        (True, "cpu", "float64"),
        (True, "cuda:0", "float64"),
        (True, "mps", "float64"),
        (False, "cpu", "float32"),
        (False, "mps", "float32"),
    ],
)
def test_float64_is_the_default_where_weights_are_at_hand_whatever_the_device(
    has_weights: bool, device: str, precision: Precision
) -> None:
    encoder = PlainEncoder()
    encoder.has_weights, encoder.place = has_weights, device
    assert default_precision(encoder) == precision


@pytest.mark.parametrize(
    ("weights", "precision", "found"),
    [
        ("stored", "float64", ("stored", "float64")),
        ("stored", "float32", ("stored", "float32")),
        ("float16", "float32", ("float16", "float32")),
        ("float16", "float16", ("float16", "float16")),
        # running in half precision rounds the weights first
        ("stored", "float16", ("float16", "float16")),
        ("stored", "bfloat16", ("bfloat16", "bfloat16")),
    ],
)
def test_each_pair_of_weights_and_precision_has_its_own(
    card: WatermarkCard, weights: Weights, precision: Precision, found: tuple[str, str]
) -> None:
    reference = reference_for(card, weights, precision)
    assert (reference.weights, reference.precision) == found


def test_weights_stored_in_half_precision_are_run_in_it_as_they_are() -> None:
    card = make_card(runs=(("stored", "float16"), ("stored", "bfloat16"), ("bfloat16", "bfloat16")))
    half = replace(card, encoder=replace(card.encoder, stored_dtype="float16"))
    assert reference_for(half, "stored", "float16").weights == "stored"
    assert reference_for(half, "stored", "bfloat16").weights == "bfloat16"


@pytest.mark.parametrize(
    ("stored", "weights", "rounded"),
    [
        ("float32", "stored", "stored"),
        ("bfloat16", "stored", "bfloat16"),
        ("float16", "stored", "float16"),
        ("float32", "float16", "float16"),
        ("bfloat16", "float16", "float16"),
    ],
)
def test_weights_are_rounded_to_what_they_are_already(
    card: WatermarkCard, stored: str, weights: Weights, rounded: Weights
) -> None:
    card = replace(card, encoder=replace(card.encoder, stored_dtype=stored))
    assert rounding_of(card, weights) == rounded


def test_a_pair_that_the_card_lacks_is_refused_with_what_it_has(card: WatermarkCard) -> None:
    with pytest.raises(UsageError) as caught:
        reference_for(card, "float16", "float64")
    assert str(caught.value).startswith("the card has no reference for float16 weights run in float64")
    assert caught.value.remedy == "choose --precision float16 or float32"


def test_where_it_has_none_of_those_weights_a_new_card_is_the_way() -> None:
    with pytest.raises(UsageError) as caught:
        reference_for(make_card(), "stored", "float16")  # it records float16 weights run in float32 only
    assert str(caught.value).startswith("the card has no reference for float16 weights run in float16")
    assert caught.value.remedy == "choose --precision float32"
    with pytest.raises(UsageError) as caught:
        reference_for(make_card(runs=(("stored", "float64"),)), "bfloat16", "float32")
    assert caught.value.remedy == "mint a new card"


def test_an_unknown_precision_is_refused_with_those_there_are(card: WatermarkCard) -> None:
    with pytest.raises(UsageError) as caught:
        reference_for(card, "stored", "int8")  # type: ignore[arg-type]
    assert str(caught.value).startswith("unknown precision 'int8'")
    assert caught.value.remedy == "choose one of float64, float32, float16, bfloat16"


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ({}, None),
        ({"modality": "image"}, "modality image instead of text"),
        ({"architecture": "roberta"}, "architecture roberta instead of bert"),
        ({"embedding_dim": 16}, "width 16 instead of 32"),
        (
            {"modality": "audio", "architecture": "hubert", "embedding_dim": 1},
            "modality audio instead of text, architecture hubert instead of bert, width 1 instead of 32",
        ),
        # neither makes another kind of encoder: both are compared elsewhere
        ({"pooling": "cls", "parameters": 1, "stored_dtype": "float16", "processor_backend": "x"}, None),
    ],
)
def test_another_kind_of_encoder_is_named_by_what_differs(
    card: WatermarkCard, described: dict[str, object], words: str | None
) -> None:
    assert other_kind(PlainEncoder(**described), card) == words


class TestAModuleInMemory:
    @pytest.fixture
    def sentences(self, card: WatermarkCard) -> WatermarkCard:
        return replace(card, behaviour=card.behaviour | Behaviour({"modules.json": {"0": "Transformer"}}))

    def test_is_refused_for_the_card_of_a_sentence_encoder(self, sentences: WatermarkCard) -> None:
        with pytest.raises(UsageError, match="sentence-transformers folder") as caught:
            refuse_part(PlainEncoder(), sentences)
        assert str(caught.value).startswith(
            "this card is of a sentence-transformers folder; a module in memory has neither its pooling nor "
            "its prompts ("
        )
        assert caught.value.remedy == "give the SentenceTransformer, or check the folder"

    def test_of_sentences_is_refused_for_the_card_of_a_model_alone(
        self, card: WatermarkCard, sentences: WatermarkCard
    ) -> None:
        whole = PlainEncoder()
        whole.behaves = sentences.behaviour
        remedy = "give its model and tokenizer, or mint a card of the folder that it is saved to"
        with pytest.raises(UsageError) as caught:
            refuse_part(whole, card)
        assert caught.value.remedy == remedy
        assert str(caught.value) == (
            "this card is of a transformers model alone; a SentenceTransformer has a pooling and prompts of "
            f"its own ({remedy})"
        )

    def test_is_accepted_where_nothing_is_missing(
        self, card: WatermarkCard, sentences: WatermarkCard, tmp_path: Path
    ) -> None:
        refuse_part(PlainEncoder(), card)
        folder, whole = PlainEncoder(), PlainEncoder()
        folder.path = tmp_path
        refuse_part(folder, sentences)
        whole.behaves = sentences.behaviour
        refuse_part(whole, sentences)
