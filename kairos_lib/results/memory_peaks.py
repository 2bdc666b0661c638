"""Peak memory of runs, each kind compared with what the machine has of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kairos_lib import formats
from kairos_lib.formats import MISSING
from kairos_lib.measure.usage import Resources
from kairos_lib.report.page.html import Html, render
from kairos_lib.results.machine import Machine
from kairos_lib.results.summary import Pair


@dataclass(frozen=True)
class Peak:
    """One kind of memory."""

    title: str
    explanation: str
    of: Callable[[Resources], float | None]
    """MiB; None if it was not measured."""
    size_mib: Callable[[Machine], int]
    """How much of it the machine has; 0 if unknown."""


RAM = Peak(
    "Peak RAM",
    "Resident memory of the kernel and its children",
    lambda used: used.peak_ram_mib if used.samples else None,
    lambda machine: machine.ram_mib,
)
VRAM = Peak(
    "Peak VRAM",
    "Device memory of those processes, as counted by NVML",
    lambda used: used.peak_vram_mib,
    lambda machine: machine.vram_mib,
)
ON_GPUS = (
    Peak(
        "Device VRAM",
        "GPU memory held by all processes and the driver, as counted by NVML",
        lambda used: used.peak_device_vram_mib,
        lambda machine: machine.vram_mib,
    ),
    Peak(
        "Torch allocated",
        "GPU memory held by tensors in the offline scenario, as counted by torch",
        lambda used: used.peak_torch_allocated_mib,
        lambda machine: machine.vram_mib,
    ),
    Peak(
        "Torch reserved",
        "What torch had reserved from the driver for them, gaps included",
        lambda used: used.peak_torch_reserved_mib,
        lambda machine: machine.vram_mib,
    ),
)


def highest(pair: Pair, peak: Peak, missing: str = MISSING) -> str | Html:
    """The highest peak of the repeats, and its share of the memory of that run's machine."""
    found = [
        (mib, run)
        for run in pair.runs
        if run.result is not None and (mib := peak.of(run.result.resources)) is not None
    ]
    if not found:
        return missing
    mib, run = max(found, key=lambda one: one[0])
    whole_mib = peak.size_mib(run.provenance.machine) if run.provenance else 0
    if not whole_mib:
        return formats.memory(mib)
    note = f"{formats.share(mib / whole_mib)} of {formats.memory(whole_mib)}"
    return render("measure", value=formats.memory(mib), note=note)
