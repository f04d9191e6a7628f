"""Tensors that stay as they are stored, and are cast each time that something computes with them.

A check in float64 of weights that are stored in bfloat16 would take five times their memory with a copy of
all of them. A :class:`CastOnUse` says that it has the dtype of the computation, so that everything which asks
a weight for its dtype gets the right answer, and holds the tensor as it is stored. An operation gets a cast
copy, which is freed with the operation's end: the values are those of a whole copy to the bit.

Source: wrapper subclasses, https://docs.pytorch.org/docs/stable/notes/extending.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_any, tree_map

ROWS = (
    torch.ops.aten.embedding.default,
    torch.ops.aten.index_select.default,
    torch.ops.aten.index.Tensor,
)
"""Operations that only copy rows, which are looked up first and then cast: half of a sentence encoder is its
vocabulary's table, of which key samples look up some hundred rows."""

CONVERTING = frozenset({"to", "view_as_real", "view_as_complex"})
"""Operations that torch counts among the views, and that may give other numbers than those of their input."""


class WrittenToError(RuntimeError):
    """Something would write to weights that are only there to be read, or wants to know where they are."""


class CastOnUse(Tensor):
    """A tensor that is stored in one dtype and computed with in another, or in the same with something added.

    It can be read by any operation, and written to by none; see :meth:`add_on_use`.

    Args:
        source: the tensor as it is stored.
        steps: the dtypes that it is cast to one after another, at least one; the last one is its own.
        added: what is added after that, of its shape, and how many times. A list of none or one, which a
            tensor shares with those that are detached from it.
    """

    source: Tensor
    steps: tuple[torch.dtype, ...]
    added: list[tuple[Tensor, float]]

    @staticmethod
    def __new__(  # noqa: D102  # said by the class
        cls, source: Tensor, *steps: torch.dtype, added: list[tuple[Tensor, float]] | None = None
    ) -> "CastOnUse":
        # a view that is taken in inference mode has to be a tensor like the one that it is taken of
        with torch.inference_mode(False):
            made: CastOnUse = Tensor._make_wrapper_subclass(
                cls,
                source.shape,
                strides=source.stride(),
                storage_offset=source.storage_offset(),
                dtype=steps[-1],
                device=source.device,
                requires_grad=False,
            )
        made.source, made.steps = source, steps
        made.added = [] if added is None else added
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    def cast(self) -> Tensor:
        """The values to compute with."""
        return self._cast(self.source, self.added)

    def _cast(self, values: Tensor, added: Sequence[tuple[Tensor, float]]) -> Tensor:
        for dtype in self.steps:
            values = values.to(dtype)
        for difference, times in added:
            values = torch.add(values, difference.to(values.device), alpha=times).to(self.dtype)
        return values

    def add_on_use(self, difference: Tensor, times: float = 1.0) -> None:
        """Add something whenever the tensor is used: a simulated alteration without a copy of the weights.

        Args:
            difference: of the tensor's shape, in any dtype; it takes the place of an earlier one.
            times: how many times it is added.
        """
        self.added[:] = [(difference, times)]

    # torch does these without its dispatcher: an assignment would be ignored, and no memory holds the values
    @property
    def data(self) -> Tensor:
        """The tensor itself, without a gradient."""
        return self.detach()

    @data.setter
    def data(self, _: Tensor) -> None:
        raise WrittenToError("assigned to the data of a tensor that is cast when it is used")

    def data_ptr(self) -> int:
        """Refused: there is no memory that holds the values."""
        raise WrittenToError("asked for the memory of a tensor that is cast when it is used")

    def share_memory_(self) -> Tensor:
        """Refused, as :meth:`data_ptr` is."""
        raise WrittenToError("asked for the memory of a tensor that is cast when it is used")

    def apply_(self, *_: Any) -> Tensor:
        """Refused: what it wrote would be ignored."""
        raise WrittenToError("applied a function to a tensor that is cast when it is used")

    def __dlpack__(self, **_: Any) -> Any:
        """Refused, as :meth:`data_ptr` is."""
        raise WrittenToError("asked for the memory of a tensor that is cast when it is used")

    def __deepcopy__(self, memo: dict[int, Any]) -> "CastOnUse":
        """Itself: nothing can change what is stored, and copies share what is added."""
        memo[id(self)] = self
        return self

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"<{type(self).__name__} {list(self.shape)} of {self.source.dtype} as {self.dtype}>"

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls,
        operation: Any,
        types: Sequence[type],
        arguments: Sequence[Any] = (),
        keywords: Mapping[str, Any] | None = None,
    ) -> Any:
        """Called by torch for every operation that is given one."""
        keywords = keywords or {}
        _refuse_writing(operation, arguments, keywords)
        first = arguments[0] if arguments else None
        if isinstance(first, cls):
            rest = arguments[1:]
            if operation is torch.ops.aten.detach.default:
                return cls(first.source.detach(), *first.steps, added=first.added)
            added = [
                (operation(each, *rest, **keywords), times)
                for each, times in first.added
                if _is_part(operation)
            ]
            if _is_view(operation):
                viewed = operation(first.source, *rest, **keywords)
                scales = [times for _, times in added]
                return tree_map(
                    lambda part, *more: cls(part, *first.steps, added=[*zip(more, scales, strict=True)]),
                    viewed,
                    *(part for part, _ in added),
                )
            if operation in ROWS:
                return first._cast(operation(first.source, *rest, **keywords), added)
        return operation(*tree_map(_values, tuple(arguments)), **tree_map(_values, dict(keywords)))


def _is_view(operation: Any) -> bool:
    """Whether an operation gives a part of its first argument, or all of it in another shape."""
    first, *others = operation._schema.arguments
    # among them what autocast does, which says cuda_dtype and cpu_dtype
    converts = operation._overloadpacket.__name__ in CONVERTING or any(
        argument.name.endswith("dtype") for argument in others
    )
    return operation.is_view and first.alias_info is not None and not converts


def _is_part(operation: Any) -> bool:
    return operation in ROWS or _is_view(operation)


def _values(argument: Any) -> Any:
    return argument.cast() if isinstance(argument, CastOnUse) else argument


def _refuse_writing(operation: Any, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    if not operation._schema.is_mutable:
        return
    for place, argument in enumerate(operation._schema.arguments):
        if argument.alias_info is None or not argument.alias_info.is_write:
            continue
        given = arguments[place] if place < len(arguments) else keywords.get(argument.name)
        if tree_any(lambda value: isinstance(value, CastOnUse), given):
            raise WrittenToError(f"{operation} writes to a tensor that is cast when it is used")
