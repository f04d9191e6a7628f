"""Fresh key samples: other ones every time, the count that was asked for, long ones among them."""

import pytest

from hf_integration.base.errors import KeySampleError, UsageError
from hf_integration.coverage.lengths import CUTS
from hf_integration.encoders import open_encoder
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.key_samples.synthetic_text import synthetic_texts
from hf_integration.serving.computing import own_length, tokens_of
from hf_integration.serving.probes import fresh_samples, texts_of
from tests.encoders import tiny_models
from tests.real_encoders.minilm import MISSING, minilm_folder
from tests.serving.conftest import Opened
from tests.serving.small_encoders import OWN_LENGTH

LONG = sorted([*CUTS, OWN_LENGTH - 1, OWN_LENGTH + 1])
LONGEST_WORD = 64
"""Tokens of one word at most: the last one of a text may go so far beyond what the text had to have."""


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8, 16, 64])
def test_as_many_as_were_asked_for_all_different(count: int, encoder: TorchEncoder) -> None:
    samples = fresh_samples(encoder, count, seed=1)
    assert len(samples) == len(set(texts_of(samples))) == count
    assert samples.modality == "text"
    assert samples.origin == "fresh texts"
    assert all(text.strip() for text in texts_of(samples))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8, 16, 64])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_last_ones_are_long_in_the_order_of_their_lengths(
    seed: int, count: int, encoder: TorchEncoder
) -> None:
    """One is short at least, and of few the shortest of the long ones are kept."""
    lengths = LONG[: count - 1]
    found = tokens_of(encoder, texts_of(fresh_samples(encoder, count, seed=seed)))
    long = found[count - len(lengths) :]
    for tokens, length in zip(long, lengths, strict=True):
        assert length <= tokens < length + LONGEST_WORD


@pytest.mark.parametrize("own", [OWN_LENGTH, 12, 96])
def test_texts_lie_on_both_sides_of_the_encoders_own_cut(own: int, opened: Opened) -> None:
    encoder = opened(length=own)
    assert own_length(encoder) == own
    for seed in range(4):
        tokens = tokens_of(encoder, texts_of(fresh_samples(encoder, 32, seed=seed)))
        assert all(any(count > cut for count in tokens) for cut in (own, 128, 256, 512))
        assert any(count < own for count in tokens)


def test_the_two_around_the_own_cut_are_left_out_where_they_would_be_the_longest(opened: Opened) -> None:
    encoder = opened(length=800, positions=1024)
    assert own_length(encoder) == 800
    tokens = tokens_of(encoder, texts_of(fresh_samples(encoder, 32, seed=1)))
    several = len(CUTS)
    assert all(count >= cut for count, cut in zip(tokens[-several:], CUTS, strict=True))
    assert max(tokens) < 800
    assert max(tokens[:-several]) < max(CUTS)


@pytest.mark.parametrize("own", [OWN_LENGTH, 128, 256])
def test_more_than_one_text_is_longer_than_each_usual_cut(own: int, opened: Opened) -> None:
    """One alone cannot tell another way of cutting from another encoder."""
    tokens = tokens_of(opened(length=own), texts_of(fresh_samples(opened(length=own), 32, seed=1)))
    assert all(sum(count > cut for count in tokens) > 1 for cut in (128, 256, 512))


@pytest.mark.parametrize("count", [2, 16])
def test_they_are_others_every_time(count: int, encoder: TorchEncoder) -> None:
    drawn = [set(texts_of(fresh_samples(encoder, count))) for _ in range(4)]
    seeded = [set(texts_of(fresh_samples(encoder, count, seed=seed))) for seed in (1, 2)]
    sets = [*drawn, *seeded]
    for place, one in enumerate(sets):
        for other in sets[:place]:
            # a text of one word can be drawn twice
            assert not {text for text in one & other if len(text.split()) > 2}


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("seed", [0, 1, 2**62])
def test_a_seed_repeats(seed: int, ascii_only: bool, encoder: TorchEncoder) -> None:
    first, second = (fresh_samples(encoder, 12, seed=seed, ascii_only=ascii_only) for _ in range(2))
    assert list(first) == list(second)
    assert first.digest() == second.digest()


def test_they_are_none_of_the_built_in_pool(encoder: TorchEncoder) -> None:
    """Which everybody can prepare for."""
    built_in = {text for text in synthetic_texts(2000, seed=0) if len(text.split()) > 2}
    assert not built_in & set(texts_of(fresh_samples(encoder, 64)))


@pytest.mark.parametrize("count", [1, 6, 64])
def test_ascii_alone_where_it_is_asked_for(count: int, encoder: TorchEncoder) -> None:
    for seed in range(3):
        texts = texts_of(fresh_samples(encoder, count, seed=seed, ascii_only=True))
        assert len(texts) == count
        assert all(text.isascii() for text in texts)
        tokens = tokens_of(encoder, texts)
        assert all(any(found >= cut for found in tokens) for cut in LONG[: count - 1])
    assert not all(text.isascii() for text in texts_of(fresh_samples(encoder, 64, seed=1)))


@pytest.mark.parametrize("count", [0, -1])
def test_none_at_all_is_refused(count: int, encoder: TorchEncoder) -> None:
    with pytest.raises((KeySampleError, ValueError)):
        fresh_samples(encoder, count)


def test_an_encoder_of_images_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tiny_models.save("vit", tmp_path_factory.mktemp("vit"))
    encoder = open_encoder(folder, name="pictures", device="cpu")
    assert isinstance(encoder, TorchEncoder)
    with pytest.raises(UsageError, match="'pictures' takes image"):
        fresh_samples(encoder, 4)


def test_texts_are_given_in_the_order_of_the_key_samples() -> None:
    assert texts_of(KeySamples(["b", "a", "c"], origin="here")) == ["b", "a", "c"]


@pytest.mark.parametrize("modality", ["image", "audio"])
def test_key_samples_that_are_no_texts_are_refused(modality: str) -> None:
    with pytest.raises(KeySampleError, match=f"key samples are {modality}, and deployments are asked texts"):
        texts_of(KeySamples(tiny_models.samples(modality), origin="here"))


def test_long_texts_of_a_real_tokenizer() -> None:
    folder = minilm_folder()
    if folder is None:
        pytest.skip(MISSING)
    encoder = open_encoder(folder, name="all-MiniLM-L6-v2", device="cpu")
    assert isinstance(encoder, TorchEncoder)
    assert own_length(encoder) == 256
    for seed in range(3):
        tokens = tokens_of(encoder, texts_of(fresh_samples(encoder, 64, seed=seed)))
        for found, length in zip(tokens[-6:], (140, 255, 257, 300, 580, 660), strict=True):
            assert length <= found < length + LONGEST_WORD
        assert sum(count <= 32 for count in tokens) >= 16  # enough short ones for a search
