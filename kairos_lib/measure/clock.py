"""Reliable timing: monotonic, in parts, and synchronised with the device."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Synchronise = Callable[[], None]


def no_device() -> None:
    """Nothing to wait for: the CPU has done its work when a call returns."""


class Stopwatch:
    """Adds up the time spent in named parts.

    A GPU keeps working after a call has returned; `synchronise` waits for it, so that its time is
    counted in the part that caused it.
    """

    def __init__(self, synchronise: Synchronise = no_device) -> None:
        self.seconds: dict[str, float] = {}
        self._synchronise = synchronise

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add the time of a block to a part."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._synchronise()
            self.add(name, time.perf_counter() - started)

    def add(self, name: str, seconds: float) -> None:
        """Add seconds measured elsewhere to a part."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def __getitem__(self, name: str) -> float:
        """Seconds so far in a part."""
        return self.seconds.get(name, 0.0)
