"""Memory of all GPUs that hold a model, as counted by torch, and waiting for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class Peaks:
    """Peak memory since the last reset, over all GPUs."""

    allocated_mib: float
    """By tensors."""
    reserved_mib: float
    """Held by torch's allocator, including memory that tensors have released."""


def reset_peaks() -> None:
    """Reset the peaks."""
    import torch

    for device in range(torch.cuda.device_count()):
        torch.cuda.reset_peak_memory_stats(device)


def peaks() -> Peaks:
    """Peak memory, summed over GPUs even if they peak at different moments."""
    import torch

    devices = range(torch.cuda.device_count())
    return Peaks(
        sum(torch.cuda.max_memory_allocated(device) for device in devices) / MIB,
        sum(torch.cuda.max_memory_reserved(device) for device in devices) / MIB,
    )


def wait(devices: Iterable[str]) -> None:
    """Wait until GPUs have finished all their work.

    Args:
        devices: `cuda:1` and so on: by default torch waits for the first one only.
    """
    import torch

    for device in devices:
        torch.cuda.synchronize(device)


def rooms(work: Callable[[], object], share: float) -> list[int]:
    """How many times the memory that a piece of work takes fits into what each GPU has free.

    Args:
        work: Run once, and measured.
        share: Share of the free memory that may be used.
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
