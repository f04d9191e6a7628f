"""Tensors of the weight files that the embedding does not use: heads, poolers, another tower, a decoder.

Nothing that is run here reads them, but whoever loads the folder for another task does. Each tensor of the
files is either one that was loaded, bit for bit, whatever the library calls it, or it gets its own digest.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from hf_integration.base.errors import EncoderError
from hf_integration.encoders.identity.tensor_digests import digest_tensors

_SMALL = 4096
"""Numbers of a tensor that is looked up by its content."""

_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True)
class StoredTensors:
    """Which tensors the weight files hold.

    Attributes:
        loaded: name in the files -> name of the tensor of the loaded module that has the same values.
        digests: name in the files -> digest of a tensor that was not loaded.
        files: the weight files.
        headless: whether the files hold nothing but the tensors of the class that was loaded: an encoder
            that was saved without the head of another task.
    """

    loaded: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, bytes] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    headless: bool = False

    def read(self) -> dict[str, Tensor]:
        """The tensors that were not loaded, from the files.

        Raises:
            EncoderError: a file cannot be read any more.
        """
        return {name: tensor for name, tensor in _tensors(self.files) if name in self.digests}


def stored_tensors(
    files: Sequence[Path], loaded: Mapping[str, Tensor], *, whole: Collection[str]
) -> StoredTensors:
    """Find for every tensor of the files the loaded one that it became.

    Args:
        files: safetensors files.
        loaded: tensors of the module, on the CPU, in a dtype that holds every stored value exactly.
        whole: names of the tensors of the class that was loaded, of which the module may be a part.

    Raises:
        EncoderError: a file cannot be read.
    """
    search = _Search(loaded)
    became: dict[str, str] = {}
    digests: dict[str, bytes] = {}
    for name, tensor in _tensors(files):
        found = search.find(name, tensor)
        if found is None:
            digests |= digest_tensors({name: tensor})
        else:
            became[name] = found
    names = {present_name(name) for name in whole}
    ends = {end for name in names for end in _ends(name)}
    headless = all(
        present_name(name) in ends or names.intersection(_ends(present_name(name)))
        for name in (*became, *digests)
    )
    return StoredTensors(became, digests, tuple(files), headless)


class _Search:
    """Loaded tensors by the ends of their names, and by shape where the library renamed them."""

    def __init__(self, loaded: Mapping[str, Tensor]) -> None:
        self._loaded = loaded
        self._by_kind: dict[tuple[torch.Size, torch.dtype], list[str]] = {}
        for name, tensor in loaded.items():
            self._by_kind.setdefault((tensor.shape, tensor.dtype), []).append(name)
        self._dtypes = dict.fromkeys(dtype for _, dtype in self._by_kind)  # in a fixed order
        # small tensors by their content: a file may hold very many of one shape
        self._by_content: dict[tuple[torch.Size, torch.dtype], dict[bytes, list[str]]] = {}

    def find(self, name: str, tensor: Tensor) -> str | None:
        """Name of the loaded tensor with the same values, those of a similar name first."""
        same = [other for dtype in self._dtypes for other in self._same(tensor, dtype)]
        return next((other for other in same if same_name(name, other)), same[0] if same else None)

    def _same(self, tensor: Tensor, dtype: torch.dtype) -> list[str]:
        """Names of the loaded tensors of a dtype that have the same values."""
        kind = tensor.shape, dtype
        names = self._by_kind.get(kind, [])
        if tensor.dtype != dtype:
            if not (tensor.is_floating_point() and dtype.is_floating_point):
                return []
            tensor = tensor.to(dtype) if names else tensor
        if tensor.numel() > _SMALL:
            return [name for name in names if _same_bits(tensor, self._loaded[name])]
        if names and kind not in self._by_content:
            found = self._by_content[kind] = {}
            for name in names:
                found.setdefault(_content(self._loaded[name]), []).append(name)
        return self._by_content[kind].get(_content(tensor), []) if names else []


def same_name(one: str, other: str) -> bool:
    """Whether two names are of one tensor, as far as libraries put prefixes before it and take them away."""
    one, other = present_name(one), present_name(other)
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _ends(name: str) -> Iterator[str]:
    """A name, and what is left of it without its first part, its first two and so on."""
    parts = name.split(".")
    for start in range(len(parts)):
        yield ".".join(parts[start:])


def present_name(name: str) -> str:
    """A name as it is written today: BERT's first checkpoints call the numbers of a norm gamma and beta."""
    for then, now in (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")):
        if name.endswith(then):
            return name.removesuffix(then) + now
    return name


def _same_bits(one: Tensor, other: Tensor) -> bool:
    if not torch.equal(_bits(one[:1]), _bits(other[:1])):
        return False  # most tensors of one shape differ at once
    return torch.equal(_bits(one), _bits(other))


def _content(tensor: Tensor) -> bytes:
    return _bits(tensor).numpy().tobytes()


def _bits(tensor: Tensor) -> Tensor:
    plain = tensor.detach().contiguous()
    return plain if plain.dtype == torch.bool else plain.view(_BITS[plain.element_size()])


def _tensors(files: Sequence[Path]) -> Iterator[tuple[str, Tensor]]:
    for file in files:
        try:
            with safe_open(file, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118  # no mapping
                    yield name, opened.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise EncoderError(f"{file}: cannot be read: {error}", remedy="download it again") from error
