"""Resources that a process used."""

from __future__ import annotations

from kairos_lib.runs.record import Record


class Resources(Record):
    """Memory and processor use, sampled by a separate process."""

    samples: int = 0
    peak_ram_mib: float = 0.0
    """Resident memory of the kernel and its children."""
    peak_vram_mib: float | None = None
    """Device memory of those processes, as counted by NVML; None without a GPU."""
    peak_device_vram_mib: float | None = None
    """Memory of all visible GPUs held by all processes and the driver, as counted by NVML."""
    peak_torch_allocated_mib: float | None = None
    """GPU memory held by tensors in the offline scenario, as counted by torch; only for models."""
    peak_torch_reserved_mib: float | None = None
    """What torch had reserved from the driver for them, gaps included; only for models."""
    mean_gpu_percent: float | None = None
    """Mean share of time in which the busiest GPU ran a kernel, as counted by NVML."""
    mean_cpu_cores: float = 0.0
    foreign_cpu_cores: float = 0.0
    """Mean number of cores kept busy by other processes meanwhile."""
    foreign_vram_mib: float = 0.0
    """Maximum GPU memory held by other processes meanwhile."""
    foreign_gpu_processes: int = 0
    """Maximum number of other processes that computed on the GPUs at once."""
