import pytest

from hf_integration.key_samples.deterministic_random import DeterministicRandom


def test_the_stream_is_the_one_it_was_when_cards_were_minted() -> None:
    assert DeterministicRandom(0).take(8).hex() == "751cb50b95965b62"


def test_bytes_do_not_depend_on_how_they_are_asked_for() -> None:
    pieces = DeterministicRandom(1, "a")
    whole = DeterministicRandom(1, "a").take(100)
    assert b"".join(pieces.take(size) for size in (1, 31, 0, 33, 35)) == whole


def test_seed_and_purpose_separate_streams() -> None:
    streams = [(0,), (1,), (0, "a"), (0, "b"), (0, "a", 1), (0, "a1"), (2**256,)]
    assert len({DeterministicRandom(*stream).take(16) for stream in streams}) == len(streams)  # type: ignore[arg-type]


def test_numbers_stay_within_their_bounds_and_reach_them() -> None:
    random = DeterministicRandom(2)
    assert {random.between(-1, 2) for _ in range(200)} == {-1, 0, 1, 2}
    assert {random.below(1) for _ in range(5)} == {0}


@pytest.mark.parametrize("bound", [0, -1, 2**64 + 1])
def test_a_bound_out_of_range_is_refused(bound: int) -> None:
    with pytest.raises(ValueError, match="bound must be"):
        DeterministicRandom(0).below(bound)


@pytest.mark.parametrize("size", [0, 1, 2, 7, 100])
def test_a_permutation_holds_each_number_once(size: int) -> None:
    assert sorted(DeterministicRandom(3).permutation(size)) == list(range(size))


def test_the_first_of_a_large_permutation_are_cheap() -> None:
    stream = DeterministicRandom(4).permutation(10**15)
    assert len({next(stream) for _ in range(100)}) == 100


def test_every_order_of_three_occurs_about_equally_often() -> None:
    orders = [tuple(DeterministicRandom(seed).permutation(3)) for seed in range(600)]
    assert all(70 <= orders.count(order) <= 130 for order in set(orders))
    assert len(set(orders)) == 6


def test_bits_and_bytes_are_spread_evenly() -> None:
    random = DeterministicRandom(5)
    assert abs(float(random.bits(100, 101).mean()) - 0.5) < 0.02
    assert abs(float(random.uint8(10000).mean()) - 127.5) < 3
