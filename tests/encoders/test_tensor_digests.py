"""Digests of tensors: of values, whatever they are stored in."""

import hashlib

import pytest
import torch
from torch import Tensor

from hf_integration.encoders.tensor_digests import cast_digests, digest_tensors


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
