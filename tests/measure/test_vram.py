"""Memory of GPUs, by an NVML that the tests stand in for where there is none."""

# ruff: noqa: N802  (the names are NVML's)

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from kairos_lib.measure import vram
from kairos_lib.measure.resources import sample

MIB = 2**20


class Library:
    """Two GPUs whose memory comes back little by little."""

    NVMLError = RuntimeError

    def __init__(self, *used_mib: tuple[int, int]) -> None:
        self._used_mib = list(used_mib)
        self.users: list[SimpleNamespace] = []

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:
        used = self._used_mib[0][handle] * MIB
        if handle == 1 and len(self._used_mib) > 1:
            self._used_mib.pop(0)
        return SimpleNamespace(used=used)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[SimpleNamespace]:
        return self.users if handle == 0 else []

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return ("GPU-1a2b", "GPU-9f8e")[handle]

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> SimpleNamespace:
        return SimpleNamespace(gpu=40 + handle)


def install(monkeypatch: pytest.MonkeyPatch, library: Library) -> None:
    @contextmanager
    def nvml() -> Iterator[Any]:
        yield library

    monkeypatch.setattr(vram, "nvml", nvml)
    monkeypatch.setattr(vram, "POLL_S", 0.01)


def test_the_next_kernel_waits_until_memory_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Library((500, 300), (9000, 300), (4000, 300), (510, 300)))
    before = vram.used_mib()
    assert before == (500, 300)
    assert vram.wait_until_back(before) == 0


def test_memory_that_does_not_come_back_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Library((500, 300), (2500, 1300)))
    before = vram.used_mib()
    assert vram.wait_until_back(before, patience_s=0.1) == 3000


def test_what_other_processes_hold_is_told_apart() -> None:
    import os

    import psutil

    library = Library((1000, 500))
    library.users = [
        SimpleNamespace(pid=os.getppid(), usedGpuMemory=700 * MIB),
        SimpleNamespace(pid=1 << 30, usedGpuMemory=200 * MIB),
    ]
    taken = sample(psutil.Process(os.getppid()), library)
    assert (taken["vram_mib"], taken["foreign_vram_mib"]) == (700, 200)
    assert taken["foreign_gpu_processes"] == 1
    assert taken["gpu_percent"] == 41
    # With what the driver holds, of both GPUs.
    assert taken["device_vram_mib"] == 1500


def test_a_machine_without_a_gpu_has_nothing_to_wait_for() -> None:
    with vram.nvml() as library:
        if library is not None:
            pytest.skip("this machine has one")
    assert vram.used_mib() == ()
    assert vram.wait_until_back(()) == 0


@pytest.mark.parametrize(
    ("shown", "seen"),
    [
        ("", []),
        ("1", [1]),
        ("1,0", [1, 0]),
        ("GPU-9f8e", [1]),
        ("GPU-9f", [1]),
        ("0,7,1", [0]),
        ("MIG-1234", [0, 1]),
    ],
)
def test_the_gpus_are_those_that_cuda_shows(
    monkeypatch: pytest.MonkeyPatch, shown: str, seen: list[int]
) -> None:
    library = Library((0, 0))
    assert vram.visible(library, shown) == seen
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    assert vram.visible(library) == seen
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert vram.visible(library) == [0, 1]
