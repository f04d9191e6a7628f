"""Lets torchvision be imported where its build does not fit the torch that is installed.

timm takes the transforms of torchvision, which are Python. What does not fit is a library of operators that
no encoder uses. torchvision says more about two of these when it is imported: they have to be there by name.
"""

import ctypes
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any


class _Operators(MetaPathFinder):
    """Declares the operators before torchvision is imported, if its own library cannot be loaded."""

    def __init__(self) -> None:
        self._declared: Any = None

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name) if name == "torchvision" and self._declared is None else None
        if spec is not None and spec.origin is not None and not _loads(Path(spec.origin).parent / "_C.so"):
            import torch

            self._declared = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
            for operator in ("nms", "qnms"):
                self._declared.define(f"{operator}(Tensor dets, Tensor scores, float threshold) -> Tensor")
        return None  # others find it


def _loads(library: Path) -> bool:
    import torch  # noqa: F401  # whose libraries it is linked against

    try:
        ctypes.CDLL(str(library))
    except OSError:
        return False
    return True


sys.meta_path.insert(0, _Operators())
