"""Whether a configuration asks for more than its weights hold, found out before any memory is asked for."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_integration.encoders.building import without_numbers
from hf_integration.encoders.loading import named_failures
from hf_integration.errors import EncoderError
from hf_integration.flaw import quoted

MOST_LABELS = 100_000
"""Classes of a head; a configuration makes a name for each of them."""

MOST_LAYERS = 10_000
"""Layers, of which some configurations make a list; the deepest encoders have some hundred."""

ROOM = 1 << 24
"""Scalars that a model may have beyond twice those in its files: a tied table, a pooler, computed buffers."""

LARGEST = 1 << 27
"""A width, a length or a count of anything else."""

MOST_OF_A_PROCESSOR: Mapping[str, int] = {
    # pixels of a side; encoders take up to some thousand
    **dict.fromkeys(("height", "width", "shortest_edge", "longest_edge", "size", "crop_size"), 1 << 12),
    # samples of a window, bands, seconds, samples in a second
    **{"n_fft": 1 << 14, "feature_size": 1 << 10, "chunk_length": 600, "sampling_rate": 400_000},
}
"""What a processor makes of one raw sample grows with these."""

LAYERS = re.compile(r"^(?!max_|min_|.*every_n_)(\w+_)?layers$|^n_layer$")
"""Keys of configurations that say how many layers are built: no period, no bound, no number of one layer."""

_NO_SIZE = re.compile(r"theta|_id$|_ids$|token|seed|max_length")
"""Keys whose numbers nothing is built by."""


def check_numbers(where: Path, config: Mapping[str, Any]) -> None:
    """Refuse numbers for which a library would ask for memory while it still builds the configuration.

    Args:
        where: folder, for messages.
        config: content of ``config.json``, or of a part of it.

    Raises:
        EncoderError: a number that no encoder has.
    """
    for key, value in config.items():
        if isinstance(value, Mapping):
            check_numbers(where, value)
            continue
        numbers = value if isinstance(value, list) else [value]
        largest = max((number for number in numbers if type(number) is int), default=0)
        if largest > _most(key):
            raise EncoderError(
                f"{where}: config.json: {quoted(key)} {largest} is more than any encoder has",
                remedy="use an intact copy of the encoder",
            )


def _most(key: str) -> float:
    if key == "num_labels":
        return MOST_LABELS
    if LAYERS.search(key):
        return MOST_LAYERS
    return math.inf if _NO_SIZE.search(key) else LARGEST


def check_processor(path: Path, values: Mapping[str, Any]) -> None:
    """Refuse a processor that makes more of a raw sample than any encoder takes.

    Args:
        path: its settings, for messages.
        values: what they are, or a part of them.

    Raises:
        EncoderError: it does.
    """
    for key, value in values.items():
        if isinstance(value, Mapping):
            check_processor(path, value)
        numbers = value if isinstance(value, list) else [value]
        largest = max((number for number in numbers if isinstance(number, int | float)), default=0)
        if largest > MOST_OF_A_PROCESSOR.get(key, math.inf):
            raise EncoderError(
                f"{path}: {quoted(key)} {largest} is more than any encoder takes",
                remedy="use an intact copy of the encoder",
            )


def check_size(where: Path, config: Any, part: Any, class_name: str, scalars: int) -> None:
    """Refuse a configuration whose model would be much larger than what the weight files hold.

    The model is built without memory for its tensors.

    Args:
        where: folder, for messages.
        config: a transformers configuration.
        part: of it, where the class loads one of several towers.
        class_name: class of transformers that loads the encoder.
        scalars: numbers in the weight files.

    Raises:
        EncoderError: it would be, or cannot be built.
    """
    import transformers

    kind: Any = getattr(transformers, class_name)
    own = getattr(kind, "config_class", None)
    with named_failures(where, "model"), without_numbers(where):
        if own is None:
            module = kind.from_config(config)
        else:
            module = kind(config if isinstance(config, own) else part)
    tensors = {name: tensor.numel() for name, tensor in (*module.named_parameters(), *module.named_buffers())}
    needed = sum(tensors.values())
    if needed > 2 * scalars + ROOM:
        largest = max(tensors, key=tensors.__getitem__)
        raise EncoderError(
            f"{where}: config.json asks for {needed} numbers, the weights hold {scalars}; "
            f"the largest tensor would be {largest}",
            remedy="use an intact copy of the encoder",
        )
