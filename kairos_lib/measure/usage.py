"""What a process took of its machine."""

from __future__ import annotations

from kairos_lib.runs.record import Record


class Resources(Record):
    """Memory and processor use, sampled by a separate process."""

    samples: int = 0
    peak_ram_mib: float = 0.0
    """Resident memory of the kernel and its children."""
    peak_vram_mib: float | None = None
    """Device memory of those processes, as NVML counts it; none without a GPU."""
    peak_device_vram_mib: float | None = None
    """What all processes and the driver held of all GPUs that were to be seen, likewise."""
    peak_torch_allocated_mib: float | None = None
    """What tensors held of the GPUs in the offline scenario, as torch counts it; of a model."""
    peak_torch_reserved_mib: float | None = None
    """What torch had taken from the driver to that end, gaps included; likewise."""
    mean_gpu_percent: float | None = None
    """Mean share of time in which the busiest GPU ran a kernel, as NVML counts it."""
    mean_cpu_cores: float = 0.0
    foreign_cpu_cores: float = 0.0
    """Mean number of cores that other processes kept busy meanwhile."""
    foreign_vram_mib: float = 0.0
    """Most that other processes held of the GPUs' memory meanwhile."""
    foreign_gpu_processes: int = 0
    """Most of them that computed on the GPUs at once."""
