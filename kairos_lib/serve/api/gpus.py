"""How busy each GPU of this machine is, as counted by NVML. Imports no torch."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from pydantic import BaseModel

from kairos_lib.measure import vram


class Gpu(BaseModel):
    """One GPU at one moment."""

    index: int
    """Among those that this process sees."""
    name: str
    percent: float
    """Share of the last moments in which it ran a kernel."""
    used_mib: float
    total_mib: float


class Gpus:
    """The GPUs of this machine; NVML stays open, since opening it takes longer than asking."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._library: Any = self._open.enter_context(vram.nvml())

    def read(self) -> list[Gpu]:
        """How each is now; empty without any, or while the driver does not answer."""
        if self._library is None:
            return []
        try:
            handles = vram.visible(self._library)
            return [self._gpu(index, handle) for index, handle in enumerate(handles)]
        except self._library.NVMLError:
            return []

    def _gpu(self, index: int, handle: Any) -> Gpu:
        memory = self._library.nvmlDeviceGetMemoryInfo(handle)
        return Gpu(
            index=index,
            name=str(self._library.nvmlDeviceGetName(handle)),
            percent=float(self._library.nvmlDeviceGetUtilizationRates(handle).gpu),
            used_mib=memory.used / vram.MIB,
            total_mib=memory.total / vram.MIB,
        )

    def close(self) -> None:
        """Close NVML."""
        self._open.close()
