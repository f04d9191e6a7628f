"""Sweeping a vocabulary."""

from pathlib import Path

import pytest

from hf_integration import load_encoder
from hf_integration.coverage.vocabulary import sweep
from hf_integration.encoders import Encoder
from tests.encoders import tiny_models


@pytest.fixture
def encoder(tmp_path: Path) -> Encoder:
    return load_encoder(str(tiny_models.save("bert", tmp_path)), device="cpu")


def test_every_word_of_the_vocabulary_is_looked_up_by_texts_that_fit(encoder: Encoder) -> None:
    found = sweep(encoder, seed=0)
    longest = int(encoder.behaviour().get("tokenizer_config.json")["max_length"])
    given: set[int] = set()
    for text in found.texts:
        numbers = encoder.processor(text, truncation=True, max_length=longest)["input_ids"]
        assert len(numbers) <= longest
        given.update(numbers)
    vocabulary = set(encoder.processor.get_vocab().values())
    words = set(encoder.processor(" ".join(tiny_models.WORDS))["input_ids"])
    assert given == found.reached >= words
    assert found.unreachable == vocabulary - given


def test_a_seed_gives_the_same_texts_every_time_and_another_seed_none_of_them(encoder: Encoder) -> None:
    texts = sweep(encoder, seed=1).texts
    assert sweep(encoder, seed=1).texts == texts
    assert not set(texts) & set(sweep(encoder, seed=2).texts)
    assert sweep(encoder, seed=2).reached == sweep(encoder, seed=1).reached


def test_no_text_is_kept_that_adds_nothing(encoder: Encoder) -> None:
    found = sweep(encoder, seed=0)
    seen: set[int] = set()
    for text in found.texts:
        numbers = set(encoder.processor(text)["input_ids"])
        assert not numbers <= seen
        seen |= numbers
