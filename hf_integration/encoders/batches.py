"""Which samples share a batch."""

from collections.abc import Sequence

from hf_integration.errors import UsageError


def plan_batches(
    lengths: Sequence[int], *, batch_size: int, order: Sequence[int] | None, pads: bool
) -> list[list[int]]:
    """Split samples into batches.

    Args:
        lengths: one length per sample; equal lengths need no padding.
        batch_size: most samples in one batch.
        order: visit the samples in this order; by default the shortest come first, which pads little.
        pads: whether a batch may hold different lengths. If not, every batch holds exactly one length,
            whatever the order: some models (wav2vec 2.0 with group norm) move by 30 % when padded.

    Raises:
        UsageError: ``batch_size`` below one, or ``order`` is no permutation of the samples.
    """
    if batch_size < 1:
        raise UsageError(f"batch size {batch_size}", remedy="give 1 or more")
    if order is None:
        order = sorted(range(len(lengths)), key=lambda index: lengths[index])
    elif sorted(order) != list(range(len(lengths))):
        raise UsageError(f"the order names {len(order)} samples, and is no permutation of {len(lengths)}")
    if pads:
        groups: list[list[int]] = [list(order)]
    else:
        by_length: dict[int, list[int]] = {}
        for index in order:
            by_length.setdefault(lengths[index], []).append(index)
        groups = list(by_length.values())
    return [
        group[start : start + batch_size] for group in groups for start in range(0, len(group), batch_size)
    ]
