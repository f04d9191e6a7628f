"""How samples are shared out: into batches, and among processes."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from hf_integration.base.errors import UsageError, in_one_line

MOST_PADDED = 3
"""Times its own length that a batch may get by padding: one text of 500 tokens would otherwise make fifteen
short ones cost as much as itself. Short texts alone rarely get so far, in whatever order."""


def plan_batches(
    lengths: Sequence[int], *, batch_size: int, order: Sequence[int] | None, pads: bool
) -> list[list[int]]:
    """Split samples into batches.

    Args:
        lengths: one length per sample; equal lengths need no padding.
        batch_size: most samples in one batch; fewer where they would be padded to ``MOST_PADDED`` times their
            own length.
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
        return list(_padded(lengths, batch_size, order))
    by_length: dict[int, list[int]] = {}
    for index in order:
        by_length.setdefault(lengths[index], []).append(index)
    return [
        group[start : start + batch_size]
        for group in by_length.values()
        for start in range(0, len(group), batch_size)
    ]


def _padded(lengths: Sequence[int], batch_size: int, order: Sequence[int]) -> Iterator[list[int]]:
    batch: list[int] = []
    for index in order:
        grown = [lengths[each] for each in (*batch, index)]
        if batch and (len(grown) > batch_size or len(grown) * max(grown) > MOST_PADDED * sum(grown)):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def launch_state() -> Any:
    """Accelerate's state of this process in its launch: which one it is, of how many, on which device."""
    # imported here as it takes longer than authenticating a small encoder
    from accelerate import PartialState

    # accelerate joins processes without an accelerator only when it is told that they have none
    return PartialState(cpu=not torch.accelerator.is_available())


def launched() -> int:
    """Number of processes by the launcher's variable.

    Raises:
        UsageError: it is no number.
    """
    value = os.environ.get("WORLD_SIZE", "1") or "1"
    if not value.isdecimal() or int(value) < 1:
        raise UsageError(f"WORLD_SIZE is {value!r}, no number of processes", remedy="unset it")
    return int(value)


def largest_of_all(value: float) -> float:
    """The largest of what every process of the launch gives, so that all decide alike."""
    processes = launched()
    if processes == 1 and not torch.distributed.is_initialized():
        return value
    rows = launch_state().num_processes
    mine = torch.tensor([[value]], dtype=torch.float64)
    return float(in_all_processes(rows, lambda share: {"value": mine.expand(len(share), 1)})["value"].max())


def in_all_processes(count: int, work: Callable[[Sequence[int]], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Split ``range(count)`` between the processes, and give every process the whole result.

    Args:
        count: number of rows to compute.
        work: given the rows of this process, computes named tensors with one row each.

    Returns:
        The named tensors with all ``count`` rows in order, the same in every process.

    Raises:
        RuntimeError: the work failed in another process.
    """
    if launched() == 1 and not torch.distributed.is_initialized():
        return work(range(count))
    state = launch_state()
    from accelerate.utils import gather_object

    share = range(state.process_index, count, state.num_processes)
    mine: dict[str, Tensor] = {}
    failure: Exception | None = None
    try:
        mine = work(share)
    except Exception as error:  # kept until all know of it: the others would wait for this process for ever
        failure = error
    told = "" if failure is None else in_one_line(failure)
    parts: list[tuple[list[int], dict[str, Tensor], str]] = gather_object([(list(share), mine, told)])
    if failure is not None:
        raise failure
    whole: dict[str, Tensor] = {}
    for rows, part, elsewhere in parts:
        if elsewhere:
            raise RuntimeError(f"in another process: {elsewhere}")
        for name, tensor in part.items():
            filled = whole.setdefault(name, tensor.new_full((count, *tensor.shape[1:]), torch.nan))
            filled[torch.tensor(rows)] = tensor
    return whole
