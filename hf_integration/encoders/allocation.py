"""A word to the C library's allocator."""

import torch

LARGEST_THRESHOLD = 32 << 20
"""Bytes; glibc's ``DEFAULT_MMAP_THRESHOLD_MAX`` on 64-bit systems."""


def keep_freed_memory() -> None:
    """Let the allocator keep freed memory for the next batch instead of returning it to the system.

    glibc takes a large block straight from the system and returns it when it is freed, until the first such
    block of a size is freed: from then on blocks of up to that size are kept (``mallopt(3)``, dynamic
    threshold). A check frees the hidden states of every batch, and asking for their pages again and again
    costs up to a tenth of it. Elsewhere this does nothing.
    """
    torch.empty(
        LARGEST_THRESHOLD - (8 << 10), dtype=torch.uint8
    )  # freed at once; its pages are never touched
