"""Memory and processor use of a process tree, sampled from outside it.

Run as `python -m kairos_lib.measure.resources PID FILE`, it is the sampler itself: a separate
process, so that a kernel busy in native code is still measured. It ends with the process it
watches.
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from kairos_lib.measure.usage import Resources
from kairos_lib.measure.vram import MIB, visible

SAMPLE_HZ = 10.0

FIRST_SAMPLE_S = 10.0
"""Time limit for a sampler's first sample."""


class Sampler:
    """Samples the current process from a separate process, from `start` to `stop`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin a new log."""
        # Created here: the sampler may need its folder before the first result is written there.
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kairos_lib.measure.resources", str(psutil.Process().pid),
             str(self.path)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def stop(self) -> Resources:
        """End the log and sum it up; even very short work is sampled at least once."""
        if self._process is not None:
            self._wait_for_a_sample(self._process)
            self._process.terminate()
            self._process.wait(timeout=10)
            self._process = None
        return summarise(self.path)

    def _wait_for_a_sample(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the sampler to start, which on a busy machine can take longer than the work."""
        deadline = time.monotonic() + FIRST_SAMPLE_S
        while process.poll() is None and time.monotonic() < deadline:
            if self.path.exists() and self.path.stat().st_size:
                return
            time.sleep(0.02)


def summarise(path: Path, began: float = -math.inf, ended: float = math.inf) -> Resources:
    """Peaks and means of a log; all zeros if nothing was sampled.

    Args:
        path: The log.
        began: Ignore samples before this moment of the monotonic clock.
        ended: Ignore samples after this one.
    """
    samples = 0
    peak_ram_mib = 0.0
    peak_vram_mib: float | None = None
    peak_device_vram_mib: float | None = None
    foreign_vram_mib = 0.0
    foreign_gpu_processes = 0
    gpu_percents: list[float] = []
    first: dict[str, Any] | None = None
    last: dict[str, Any] = {}
    if path.exists():
        with path.open(encoding="utf-8") as file:
            for line in file:
                if not line.endswith("\n"):
                    break
                taken = json.loads(line)
                if not began <= taken["time_s"] <= ended:
                    continue
                last = taken
                first = first or last
                samples += 1
                peak_ram_mib = max(peak_ram_mib, last["ram_mib"])
                if last["vram_mib"] is not None:
                    peak_vram_mib = max(peak_vram_mib or 0.0, last["vram_mib"])
                if (held := last.get("device_vram_mib")) is not None:
                    peak_device_vram_mib = max(peak_device_vram_mib or 0.0, held)
                foreign_vram_mib = max(foreign_vram_mib, last.get("foreign_vram_mib") or 0.0)
                others = int(last.get("foreign_gpu_processes") or 0)
                foreign_gpu_processes = max(foreign_gpu_processes, others)
                if last["gpu_percent"] is not None:
                    gpu_percents.append(last["gpu_percent"])
    mean_gpu_percent = statistics.fmean(gpu_percents) if gpu_percents else None
    own = total = 0.0
    if first is not None and last["time_s"] > first["time_s"]:
        span_s = last["time_s"] - first["time_s"]
        own = (last["cpu_s"] - first["cpu_s"]) / span_s
        total = (last["system_cpu_s"] - first["system_cpu_s"]) / span_s
    return Resources(
        samples=samples,
        peak_ram_mib=peak_ram_mib,
        peak_vram_mib=peak_vram_mib,
        peak_device_vram_mib=peak_device_vram_mib,
        mean_gpu_percent=mean_gpu_percent,
        mean_cpu_cores=own,
        foreign_cpu_cores=max(0.0, total - own),
        foreign_vram_mib=foreign_vram_mib,
        foreign_gpu_processes=foreign_gpu_processes,
    )


def sample(process: psutil.Process, nvml: Any) -> dict[str, float | None]:
    """One sample of a process and its children, without the sampler itself.

    Returns:
        `ram_mib` resident, `cpu_s` used so far, `system_cpu_s` used by all processes so far,
        `vram_mib`, `foreign_vram_mib` and `foreign_gpu_processes` of others, `device_vram_mib` of
        all, and `gpu_percent`, or none.
    """
    own = psutil.Process().pid
    tree = [process, *(child for child in process.children(recursive=True) if child.pid != own)]
    ram_bytes = 0
    cpu_s = 0.0
    for member in tree:
        try:
            ram_bytes += member.memory_info().rss
            times = member.cpu_times()
            cpu_s += times.user + times.system
        except psutil.NoSuchProcess:
            continue  # It ended after it was listed.
    busy = psutil.cpu_times()
    own_times = psutil.Process().cpu_times()
    return {
        "time_s": time.monotonic(),
        "ram_mib": ram_bytes / MIB,
        "cpu_s": cpu_s,
        "system_cpu_s": busy.user
        + getattr(busy, "nice", 0.0)
        + busy.system
        - own_times.user
        - own_times.system,
        **_gpu_memory({member.pid for member in tree}, nvml),
        "gpu_percent": _gpu_percent(nvml),
    }


def _gpu_memory(pids: set[int], nvml: Any) -> dict[str, float | None]:
    """GPU memory held by the given processes, by all others that compute there, and in total."""
    names = ("vram_mib", "foreign_vram_mib", "foreign_gpu_processes", "device_vram_mib")
    if nvml is None:
        return dict.fromkeys(names)
    own_bytes = foreign_bytes = device_bytes = 0
    foreign_pids = set()
    for handle in visible(nvml):
        device_bytes += nvml.nvmlDeviceGetMemoryInfo(handle).used
        for user in nvml.nvmlDeviceGetComputeRunningProcesses(handle):
            if user.pid in pids:
                own_bytes += user.usedGpuMemory or 0
            else:
                foreign_pids.add(user.pid)
                foreign_bytes += user.usedGpuMemory or 0
    values = (own_bytes / MIB, foreign_bytes / MIB, len(foreign_pids), device_bytes / MIB)
    return dict(zip(names, values, strict=True))


def _gpu_percent(nvml: Any) -> float | None:
    """Utilisation of the busiest GPU; a slice of a partitioned GPU has none."""
    if nvml is None:
        return None
    busy = []
    for handle in visible(nvml):
        try:
            busy.append(float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu))
        except nvml.NVMLError:
            continue
    return max(busy, default=None)


def watch(pid: int, path: Path) -> None:
    """Sample a process into a JSON Lines file until it ends."""
    import pynvml

    nvml: Any = pynvml
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        nvml = None
    process = psutil.Process(pid)
    with path.open("a", encoding="utf-8") as file:
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            try:
                taken = sample(process, nvml)
            except psutil.NoSuchProcess:
                return
            file.write(json.dumps(taken) + "\n")
            file.flush()
            time.sleep(1.0 / SAMPLE_HZ)


if __name__ == "__main__":
    watch(int(sys.argv[1]), Path(sys.argv[2]))
