"""Digests of tensors: of values, whatever they are stored in."""

import hashlib
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hf_integration.encoders.identity.tensor_digests import _halves, cast_digests, digest_tensors


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    """Of many sizes, so that both threads have some to hash."""
    generator = torch.Generator().manual_seed(0)
    return {f"t{size}": torch.randn(size, generator=generator) for size in (5, 70000, 1, 3000, 90, 50000, 0)}


def test_are_sha_256_of_shape_and_float32_values_in_the_order_given(tensors: dict[str, Tensor]) -> None:
    expected = {
        name: hashlib.sha256(f"float32 ({len(tensor)},)\0".encode() + tensor.numpy().tobytes()).digest()
        for name, tensor in tensors.items()
    }
    found = digest_tensors(tensors)
    assert found == expected
    assert list(found) == list(tensors)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_wider_dtype_keeps_them_and_a_narrower_one_does_not(
    tensors: dict[str, Tensor], dtype: torch.dtype
) -> None:
    narrow = {name: tensor.to(dtype) for name, tensor in tensors.items()}
    wide = {name: tensor.double() for name, tensor in narrow.items()}
    assert digest_tensors(narrow) == digest_tensors(wide) == cast_digests(tensors, dtype)
    differing = {
        name for name, digest in digest_tensors(tensors).items() if digest != digest_tensors(narrow)[name]
    }
    assert differing == set(tensors) - {"t0"}


@pytest.mark.parametrize("name", ["t1", "t70000"])
def test_one_bit_changes_the_digest_of_its_tensor_alone(tensors: dict[str, Tensor], name: str) -> None:
    before = digest_tensors(tensors)
    tensors[name].view(torch.int32)[-1] ^= 1
    after = digest_tensors(tensors)
    assert {other for other in tensors if before[other] != after[other]} == {name}


def test_shapes_count() -> None:
    assert digest_tensors({"a": torch.zeros(2, 3)}) != digest_tensors({"a": torch.zeros(3, 2)})


def test_no_tensors_have_no_digests() -> None:
    assert digest_tensors({}) == {}


def _digest(tensor: Tensor) -> bytes:
    return digest_tensors({"t": tensor})["t"]


def _sha256(header: str, array: np.ndarray[Any, Any]) -> bytes:
    return hashlib.sha256(header.encode() + b"\0" + array.tobytes()).digest()


def _of_bits(*bits: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Floats of these bits, without arithmetic that would quieten a signalling NaN."""
    width = {torch.float64: (np.uint64, np.int64), torch.float32: (np.uint32, np.int32)}.get(
        dtype, (np.uint16, np.int16)
    )
    return torch.from_numpy(np.array(bits, dtype=width[0]).view(width[1])).view(dtype)


class TestTheHeader:
    @pytest.mark.parametrize(
        ("tensor", "header", "array"),
        [
            (torch.tensor(1.5), "float32 ()", np.array([1.5], "<f4")),
            (torch.tensor(1.5).half(), "float32 ()", np.array([1.5], "<f4")),
            (torch.tensor([[1.5]], dtype=torch.float64), "float32 (1, 1)", np.array([1.5], "<f4")),
            (torch.tensor([[0.1]], dtype=torch.float64), "float64 (1, 1)", np.array([0.1], "<f8")),
            (torch.tensor([[1, -2, 3]]), "int64 (1, 3)", np.array([1, -2, 3], "<i8")),
            (torch.tensor([1, -2], dtype=torch.int8), "int64 (2,)", np.array([1, -2], "<i8")),
            (torch.tensor([200], dtype=torch.uint8), "int64 (1,)", np.array([200], "<i8")),
            (torch.tensor([True, False]), "int64 (2,)", np.array([1, 0], "<i8")),
            (torch.zeros(2, 0), "float32 (2, 0)", np.array([], "<f4")),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_names_kind_and_shape_and_values_follow(
        self, tensor: Tensor, header: str, array: np.ndarray[Any, Any]
    ) -> None:
        assert _digest(tensor) == _sha256(header, array)

    def test_tells_numbers_of_other_kinds_apart(self) -> None:
        """The bytes of float32 1.0 twice are those of one int64."""
        pair = torch.ones(2)
        assert _digest(pair.view(torch.int64)) != _digest(pair)
        assert _digest(torch.ones(2).long()) != _digest(torch.ones(2))

    def test_tells_a_number_from_a_list_of_one(self) -> None:
        assert len({_digest(torch.zeros(shape)) for shape in ((), (1,), (1, 1))}) == 3


def test_values_are_hashed_in_the_order_of_their_indices_whatever_the_strides() -> None:
    values = torch.arange(6.0).view(2, 3)
    assert _digest(values.T) == _digest(values.T.contiguous()) != _digest(values.reshape(3, 2))
    assert _digest(values.double().T) == _digest(values.T)
    assert _digest(torch.arange(12.0)[::2]) == _digest(torch.arange(0.0, 12.0, 2.0))
    assert _digest(torch.zeros(()).expand(4)) == _digest(torch.zeros(4))


class TestBits:
    """Two floats that compare equal, or are no numbers, are other weights if one bit differs."""

    def test_of_a_negative_zero_count(self) -> None:
        assert _digest(torch.tensor([-0.0])) != _digest(torch.tensor([0.0]))
        for dtype in (torch.float16, torch.bfloat16, torch.float64):
            assert _digest(torch.tensor([-0.0], dtype=dtype)) == _digest(torch.tensor([-0.0]))

    @pytest.mark.parametrize("bits", [0x7FC00000, 0x7FC00001, 0xFFC00000, 0x7FFFFFFF], ids=hex)
    def test_of_a_nan_count(self, bits: int) -> None:
        digest = _sha256("float32 (1,)", np.array([bits], "<u4"))
        assert _digest(_of_bits(bits)) == digest
        assert _digest(_of_bits(bits ^ 2)) != digest

    def test_of_a_signalling_nan_count(self) -> None:
        signalling = _of_bits(0x7F800001)
        assert _digest(signalling) == _sha256("float32 (1,)", np.array([0x7F800001], "<u4"))
        assert _digest(signalling) != _digest(_of_bits(0x7FC00001))

    @pytest.mark.parametrize("bits", [0x7FF8000000000000, 0xFFF8000020000000], ids=hex)
    def test_of_a_nan_that_a_narrower_one_holds_are_those_of_the_narrower(self, bits: int) -> None:
        wide = _of_bits(bits, dtype=torch.float64)
        assert _digest(wide) == _digest(wide.float())

    @pytest.mark.parametrize("bits", [0x7FF8000000000001, 0x7FF0000000000001, 0x7FF0000020000000], ids=hex)
    def test_of_a_nan_that_no_narrower_one_holds_are_kept_wide(self, bits: int) -> None:
        """Payload bits below those of float32, and a signalling one, which conversion makes quiet."""
        wide = _of_bits(bits, dtype=torch.float64)
        assert _digest(wide) == _sha256("float64 (1,)", np.array([bits], "<u8"))

    @pytest.mark.parametrize(
        ("value", "narrow"),
        [
            (1.0, True),
            (1.0 + 2.0**-23, True),  # the last bit of float32
            (1.0 + 2.0**-24, False),
            (1.0 + 2.0**-52, False),
            (2.0**-149, True),  # the smallest float32
            (2.0**-150, False),
            (2.0**128 - 2.0**104, True),  # the largest
            (2.0**128, False),
            (float("inf"), True),
        ],
        ids=str,
    )
    def test_of_float64_are_those_of_float32_where_it_holds_the_value(
        self, value: float, narrow: bool
    ) -> None:
        wide = torch.tensor([1.0, value], dtype=torch.float64)
        kind = "float32" if narrow else "float64"
        assert _digest(wide) == _sha256(f"{kind} (2,)", np.array([1.0, value], "<f4" if narrow else "<f8"))

    @pytest.mark.parametrize(("dtype", "quiet"), [(torch.float16, 0x200), (torch.bfloat16, 0x40)])
    def test_of_every_half_are_those_of_its_wider_copies(self, dtype: torch.dtype, quiet: int) -> None:
        """Signalling NaNs aside: making one wider may make it another."""
        every = _of_bits(*range(2**16), dtype=dtype)
        every = every[~every.isnan() | ((every.view(torch.int16) & quiet) != 0)]
        assert len(every) == 2**16 - 2 * (quiet - 1)
        assert _digest(every) == _digest(every.float()) == _digest(every.float().double())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_whole_numbers_are_no_weights_and_are_not_rounded(dtype: torch.dtype) -> None:
    tensors = {"ids": torch.tensor([2049, 2**40 + 1]), "mask": torch.tensor([True])}
    assert cast_digests(tensors, dtype) == digest_tensors(tensors)


def test_the_two_parts_take_equally_long() -> None:
    # a tensor costs 2000 entries besides its own: 12000 for the first; 6000, 3999 and 2000 for the second
    # leave the first ahead by 1, so that the second has one more; the last goes to the first again
    sizes = {"f": 0, "b": 4000, "e": 0, "c": 1999, "d": 0, "a": 10000}
    parts = _halves({name: torch.empty(size) for name, size in sizes.items()})
    assert parts == (["a", "d"], ["b", "c", "f", "e"])
