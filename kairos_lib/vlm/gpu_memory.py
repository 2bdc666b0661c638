"""Memory of all GPUs that a model lies on, as torch counts it, and waiting for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class Peaks:
    """The most that was held since the peaks were reset, over all GPUs."""

    allocated_mib: float
    """By tensors."""
    reserved_mib: float
    """By torch's allocator, which keeps what tensors have given back."""


def reset_peaks() -> None:
    """Begin to count anew."""
    import torch

    for device in range(torch.cuda.device_count()):
        torch.cuda.reset_peak_memory_stats(device)


def peaks() -> Peaks:
    """What was held at most; GPUs that peak at different moments are added up all the same."""
    import torch

    devices = range(torch.cuda.device_count())
    return Peaks(
        sum(torch.cuda.max_memory_allocated(device) for device in devices) / MIB,
        sum(torch.cuda.max_memory_reserved(device) for device in devices) / MIB,
    )


def wait(devices: Iterable[str]) -> None:
    """Wait until GPUs have done all they were asked to.

    Args:
        devices: `cuda:1` and the like: torch waits for the first one alone unless it is told.
    """
    import torch

    for device in devices:
        torch.cuda.synchronize(device)


def rooms(work: Callable[[], object], share: float) -> list[int]:
    """How often each GPU has room for what a piece of work takes beside what is there.

    Args:
        work: Done once, and measured.
        share: Of the free memory that may be used.
    """
    import torch

    devices = range(torch.cuda.device_count())
    torch.cuda.empty_cache()
    before = [torch.cuda.memory_allocated(device) for device in devices]
    reset_peaks()
    work()
    found = []
    for device in devices:
        each = torch.cuda.max_memory_allocated(device) - before[device]
        torch.cuda.empty_cache()
        free, _ = torch.cuda.mem_get_info(device)
        found.append(int(free * share / max(each, 1)))
    return found
