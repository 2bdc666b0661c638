"""How busy others keep the machine while something is timed."""

from __future__ import annotations

import os
import time

import psutil


class ForeignLoad:
    """Watches from its making on what the processor does for others than this process.

    Children count as this process, whether they still run or have ended and been waited for. What
    a hypervisor takes away (steal) counts as others'.
    """

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._machine_s = _machine_s()
        self._own_s = _own_s()

    def cores(self) -> float:
        """Mean number of cores that others have kept busy since."""
        wall_s = time.perf_counter() - self._started
        others_s = (_machine_s() - self._machine_s) - (_own_s() - self._own_s)
        return max(0.0, others_s / wall_s)


def _machine_s() -> float:
    """Processor time that the machine has spent on anything."""
    times = psutil.cpu_times()
    # Not every system counts them all.
    names = ("user", "nice", "system", "irq", "softirq", "steal")
    return sum(float(getattr(times, name, 0.0)) for name in names)


def _own_s() -> float:
    """Processor time of this process, of its living children, and of those that have ended."""
    own = os.times()
    total_s = own.user + own.system + own.children_user + own.children_system
    for child in psutil.Process().children(recursive=True):
        try:
            total_s += sum(child.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue  # It ended just now; it is counted once it has been waited for.
    return total_s
