"""Forward passes that start at an altered layer: what comes before it is not computed but given again.

Exact: what a module gave before the altered one began cannot depend on it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn


class Replay:
    """Recorded outputs of a model's parts, batch by batch.

    Parts are the largest modules that hold no list of layers: the layers themselves, and what stands beside
    their list. They do not overlap, so one has ended before another begins.

    Args:
        model: whose parts are recorded; its weights may be edited between passes.
    """

    def __init__(self, model: nn.Module) -> None:
        self.parts = dict(parts(model))
        self._outputs: dict[int, dict[str, Any]] = {}
        self._order: dict[int, list[str]] = {}

    @contextmanager
    def recording(self, batch: int) -> Iterator[None]:
        """Record what every part gives during one pass of the unaltered model."""
        outputs: dict[str, Any] = {}
        order: list[str] = []
        with ExitStack() as stack:
            for name, part in self.parts.items():

                def began(_module: nn.Module, _inputs: Any, name: str = name) -> None:
                    order.append(name)

                def ended(_module: nn.Module, _inputs: Any, output: Any, name: str = name) -> None:
                    outputs[name] = _copied(output)

                stack.callback(part.register_forward_pre_hook(began).remove)
                stack.callback(part.register_forward_hook(ended).remove)
            yield
        self._outputs[batch], self._order[batch] = outputs, order

    @contextmanager
    def starting_at(self, part: str | None, batch: int) -> Iterator[None]:
        """Give again what was recorded of the parts before ``part``; the pass must be of the same batch.

        Args:
            part: a key of ``parts``; with None, or one that is never called, everything is computed.
            batch: which recorded pass.
        """
        order = self._order[batch]
        before = order[: order.index(part)] if part in order else []
        with ExitStack() as stack:
            for name in before:
                if order.count(name) == 1:  # layers that share a module give several outputs
                    module = self.parts[name]
                    stack.enter_context(_giving(module, self._outputs[batch][name]))
            yield

    def part_of(self, tensor: str) -> str | None:
        """The part that holds a tensor of the model, by name."""
        return next((name for name in self.parts if tensor.startswith(f"{name}.")), None)


def parts(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The largest modules without a list of layers in them, with their names."""
    for name, child in module.named_children():
        path = f"{prefix}{name}"
        if any(isinstance(inner, nn.ModuleList) for inner in child.modules()):
            yield from parts(child, f"{path}.")
        else:
            yield path, child


@contextmanager
def _giving(module: nn.Module, output: Any) -> Iterator[None]:
    # hooks still run: libraries collect hidden states by them
    def forward(*_: Any, **__: Any) -> Any:
        return _copied(output)

    module.forward = forward
    try:
        yield
    finally:
        del module.forward


def _copied(output: Any) -> Any:
    """Copies of tensors, which whoever gets them may write to."""
    if isinstance(output, Tensor):
        return output.clone()
    if type(output) in (tuple, list):
        return type(output)(_copied(item) for item in output)
    return output
