"""Memory of the GPUs as counted by NVML. Imports no torch."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 2**20
VISIBLE = "CUDA_VISIBLE_DEVICES"
NEAR_MIB = 64.0
"""The driver keeps some memory itself: a difference below this counts as freed."""
PATIENCE_S = 30.0
POLL_S = 0.2


@contextmanager
def nvml() -> Iterator[Any]:
    """NVML during a block; None if there is no GPU or no driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield None
        return
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def visible(library: Any, shown: str | None = None) -> list[Any]:
    """The GPUs that CUDA shows a process, in the order of their slots.

    Kernels number GPUs in that order too (`CUDA_DEVICE_ORDER`).

    Args:
        library: NVML.
        shown: Value of CUDA_VISIBLE_DEVICES; by default that of this process.
    """
    handles = [
        library.nvmlDeviceGetHandleByIndex(index) for index in range(library.nvmlDeviceGetCount())
    ]
    shown = os.environ.get(VISIBLE) if shown is None else shown
    if shown is None:
        return handles
    found = []
    for token in filter(None, (part.strip() for part in shown.split(","))):
        if token.isdecimal() and int(token) < len(handles):
            found.append(handles[int(token)])
        elif token.startswith("GPU-"):
            found += [h for h in handles if library.nvmlDeviceGetUUID(h).startswith(token)]
        elif token.startswith("MIG-"):
            return handles  # A slice: NVML counts whole GPUs.
        else:
            break  # As CUDA does: anything after an unknown name is not shown.
    return found


def uuids() -> tuple[str, ...]:
    """Names of the visible GPUs, valid in CUDA_VISIBLE_DEVICES; empty if there is none."""
    with nvml() as library:
        if library is None:
            return ()
        return tuple(str(library.nvmlDeviceGetUUID(handle)) for handle in visible(library))


def used_mib(gpu: str | None = None) -> tuple[float, ...]:
    """Memory in use on each GPU, or on one, by any process; empty if there is none."""
    with nvml() as library:
        if library is None:
            return ()
        return tuple(
            library.nvmlDeviceGetMemoryInfo(handle).used / MIB for handle in visible(library, gpu)
        )


def wait_until_back(
    before_mib: tuple[float, ...], gpu: str | None = None, patience_s: float = PATIENCE_S
) -> float:
    """Wait until no GPU holds more than before.

    Args:
        before_mib: Earlier result of `used_mib`.
        gpu: The only GPU to check, as in that call.
        patience_s: When to give up.

    Returns:
        What is still held, in MiB over all GPUs; 0 if all is freed.
    """
    until_s = time.monotonic() + patience_s
    while True:
        over_mib = [now - then for now, then in zip(used_mib(gpu), before_mib, strict=True)]
        held_mib = sum(over for over in over_mib if over > NEAR_MIB)
        if not held_mib or time.monotonic() > until_s:
            return held_mib
        time.sleep(POLL_S)
