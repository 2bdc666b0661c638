"""What a run was made with: machine, versions, commit. Imports no torch."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from itertools import zip_longest
from pathlib import Path
from typing import Any

import psutil

from kairos_lib import __version__
from kairos_lib.errors import KairosError
from kairos_lib.measure import threads, vram
from kairos_lib.project import Project

# Packages that can affect results. torch and transformers are in a run's key; others are recorded.
PACKAGES = [
    "torch",
    "torchvision",
    "transformers",
    "accelerate",
    "bitsandbytes",
    "ultralytics",
    "faster-whisper",
    "ctranslate2",
    "scenedetect",
    "rapidocr",
    "onnxruntime",
    "av",
    "opencv-python-headless",
    "numpy",
    "papermill",
]
KEY_PACKAGES = ("torch", "transformers")


@cache
def gpus() -> tuple[dict[str, Any], ...]:
    """Name, memory and driver of each NVIDIA GPU that may be used; empty if there is none."""
    with vram.nvml() as library:
        if library is None:
            return ()
        driver = library.nvmlSystemGetDriverVersion()
        return tuple(
            {
                "name": library.nvmlDeviceGetName(handle),
                "memory_mib": round(library.nvmlDeviceGetMemoryInfo(handle).total / vram.MIB),
                "driver": driver,
            }
            for handle in vram.visible(library)
        )


def clocks() -> list[dict[str, int | None]]:
    """Present and maximum clocks of each GPU in MHz; None if it does not report them."""
    with vram.nvml() as library:
        if library is None:
            return []

        def ask(question: str, handle: Any, clock: int) -> int | None:
            try:
                return int(getattr(library, question)(handle, clock))
            except library.NVMLError:
                return None

        sm, memory = library.NVML_CLOCK_SM, library.NVML_CLOCK_MEM
        return [
            {
                "sm_clock_mhz": ask("nvmlDeviceGetClockInfo", handle, sm),
                "memory_clock_mhz": ask("nvmlDeviceGetClockInfo", handle, memory),
                "max_sm_clock_mhz": ask("nvmlDeviceGetMaxClockInfo", handle, sm),
                "max_memory_clock_mhz": ask("nvmlDeviceGetMaxClockInfo", handle, memory),
            }
            for handle in vram.visible(library)
        ]


def cpu_max_mhz() -> float | None:
    """The processor's maximum clock, if the system reports it."""
    try:
        found = psutil.cpu_freq()
    except (OSError, NotImplementedError):
        return None
    # Some virtual machines answer with 0.
    return found.max or None if found else None


@cache
def cpu_name() -> str:
    """The processor's name, as given by its maker."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # Not Linux: the platform module's answer is the best available.
    return platform.processor() or platform.machine()


@cache
def versions(python: str = sys.executable) -> dict[str, str]:
    """Versions of the packages results depend on, in the environment of an interpreter."""
    if python == sys.executable:
        return _own_versions()
    # The first of a name counts, as it does in an import.
    code = (
        "import importlib.metadata as m, json, sys\n"
        "have = {}\n"
        "for d in m.distributions():\n"
        "    have.setdefault(d.metadata['Name'].lower(), d.version)\n"
        "print(json.dumps({p: have[p] for p in sys.argv[1:] if p in have}))"
    )
    try:
        answer = subprocess.run(
            [python, "-c", code, *PACKAGES], capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise KairosError(f"cannot ask {python} for its package versions: {error}") from error
    return dict(json.loads(answer.stdout))


def _own_versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # A missing package is recorded by its absence.
    return found


def key_versions(python: str = sys.executable) -> dict[str, str]:
    """The versions that are part of a run's key."""
    have = versions(python)
    return {package: have.get(package, "absent") for package in KEY_PACKAGES}


def machine() -> dict[str, Any]:
    """The machine, in figures that a reader can compare with their own."""
    none: dict[str, Any] = {}
    return {
        "cpu": cpu_name(),
        "threads": psutil.cpu_count(),
        "cores": psutil.cpu_count(logical=False),
        **threads.held(),
        "cpu_max_mhz": cpu_max_mhz(),
        "ram_mib": round(psutil.virtual_memory().total / 2**20),
        "gpus": [{**gpu, **now} for gpu, now in zip_longest(gpus(), clocks(), fillvalue=none)],
        "system": platform.platform(),
        "boot_time_s": int(psutil.boot_time()),
    }


def git(project: Project) -> dict[str, Any]:
    """Commit of the checkout, and whether anything was changed since."""

    def ask(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(project.root), *arguments],
            capture_output=True, text=True, check=True, timeout=30,
        ).stdout.strip()  # fmt: skip

    try:
        return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}  # An archive without git is fine.


def provenance(project: Project) -> dict[str, Any]:
    """All of the above, for a run's record."""
    return {
        "kairos": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "packages": versions(),
        "machine": machine(),
        "git": git(project),
        "environment": {
            name: os.environ[name]
            for name in (
                "CUDA_VISIBLE_DEVICES",
                *threads.NAMES,
                "PYTORCH_ALLOC_CONF",
                "PYTORCH_CUDA_ALLOC_CONF",
            )
            if name in os.environ
        },
    }
