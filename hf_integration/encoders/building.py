"""Building a model to see what it would be: without numbers, and only as long as it is of a sensible size."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from hf_integration.encoders.loading import silent_transformers
from hf_integration.errors import EncoderError

MOST_PARTS = 50_000
"""Modules and parameters; the deepest encoders have some thousand. Each takes time and memory without numbers
as well, and which of a configuration's numbers count them differs from architecture to architecture."""


@contextmanager
def without_numbers(where: Path | str) -> Iterator[None]:
    """Build models in the block on the meta device.

    Args:
        where: folder or name, for messages.

    Raises:
        EncoderError: more parts than any encoder has.
    """
    from transformers.initialization import no_init_weights

    builder, parts = threading.get_ident(), 0

    def count(*_: Any) -> None:
        nonlocal parts
        if threading.get_ident() != builder:  # what other threads build meanwhile is their own matter
            return
        parts += 1
        if parts > MOST_PARTS:
            raise EncoderError(
                f"{where}: config.json asks for more than {MOST_PARTS} modules and tensors",
                remedy="use an intact copy of the encoder",
            )

    hooks = [
        register_module_module_registration_hook(count),
        register_module_parameter_registration_hook(count),
    ]
    try:
        with silent_transformers(), torch.device("meta"), no_init_weights():
            yield
    finally:
        for hook in hooks:
            hook.remove()
