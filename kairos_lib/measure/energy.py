"""Energy of GPUs, from their own counters. Imports no torch."""

from __future__ import annotations

import os
from collections.abc import Iterable

from kairos_lib.measure import vram

MJ_PER_J = 1000.0


def used_j(placement: Iterable[str]) -> float | None:
    """Energy used by GPUs since their driver was loaded; take the difference of two readings.

    It is the energy of the whole card, idling and other processes included. Source: NVML's
    `nvmlDeviceGetTotalEnergyConsumption`, a counter in millijoules that GPUs have since Volta.

    Args:
        placement: Devices that hold a model, by torch's names: `cuda:0`, `cpu`. Others do not
        count.

    Returns:
        Joules; None if no GPU is used, or one of them has no counter.
    """
    numbers = [int(place.partition(":")[2] or 0) for place in placement if place.startswith("cuda")]
    # For a slice of a GPU, the counter is the whole card's.
    sliced = os.environ.get(vram.VISIBLE, "").startswith("MIG-")
    if not numbers or sliced:
        return None
    with vram.nvml() as library:
        if library is None:
            return None
        handles = vram.visible(library)
        try:
            counted_mj = [
                library.nvmlDeviceGetTotalEnergyConsumption(handles[number]) for number in numbers
            ]
        except (library.NVMLError, IndexError):
            return None
    return float(sum(counted_mj)) / MJ_PER_J
