"""Progress bars of downloads: where a person waits, and nowhere else."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def only_in_a_terminal() -> Iterator[None]:
    """Let huggingface_hub draw its bars in a terminal only; what the caller had set comes back."""
    from huggingface_hub import utils

    bars: Any = utils
    watched = sys.stderr is not None and sys.stderr.isatty()
    if watched or bars.are_progress_bars_disabled():
        yield
        return
    bars.disable_progress_bars()
    try:
        yield
    finally:
        bars.enable_progress_bars()
