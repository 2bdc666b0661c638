"""The machine and the code that a run was made with, as recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from kairos_lib.runs.record import Record


class Gpu(Record):
    """One graphics card."""

    name: str
    memory_mib: int = 0
    driver: str = ""
    sm_clock_mhz: int | None = None
    """Processor clock, read just after the run ended."""
    max_sm_clock_mhz: int | None = None
    memory_clock_mhz: int | None = None
    max_memory_clock_mhz: int | None = None


class Machine(Record):
    """The machine a run was made on."""

    cpu: str = ""
    threads: int | None = None
    cores: int | None = None
    compute_threads: int | None = None
    """Threads that computed at once in the run's process."""
    wait_policy: str = ""
    """How waiting threads behaved: `passive` means asleep."""
    cpu_max_mhz: float | None = None
    ram_mib: int = 0
    gpus: tuple[Gpu, ...] = ()
    system: str = ""
    boot_time_s: int | None = None
    """Since 1970; tells machines apart that are otherwise alike."""

    @property
    def vram_mib(self) -> int:
        """Memory of all visible GPUs."""
        return sum(gpu.memory_mib for gpu in self.gpus)

    @property
    def same_as(self) -> tuple[object, ...]:
        """What two runs must share for their times to be comparable."""
        computing = (self.compute_threads, self.wait_policy)
        return (self.cpu, self.threads, *computing, tuple(gpu.name for gpu in self.gpus))

    @property
    def threads_text(self) -> str:
        """The machine's threads and how many of them were used, as far as known."""
        used = ""
        if self.compute_threads:
            used = f"; {self.compute_threads} computed, {self.wait_policy} waiting"
        return f"{self.threads or '?'} threads{used}"


class Checkout(Record):
    """The code a run was made with."""

    commit: str | None = None
    dirty: bool | None = None


class Provenance(Record):
    """What a run was made with; `provenance.json` of a run."""

    kairos: str = ""
    python: str = ""
    packages: Mapping[str, str] = Field(default_factory=dict)
    machine: Machine = Machine()
    git: Checkout = Checkout()
    given: Mapping[str, Any] = Field(default_factory=dict)
    """Parameters of a model set by its file or the suite; all others are defaults."""
