"""Energy and clocks of GPUs, by an NVML that the tests stand in for."""

# ruff: noqa: N802  (the names are NVML's)

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kairos_lib.measure import energy, provenance, vram


class Library:
    """Two GPUs; one of an age without some of the counters may be among them."""

    NVMLError = RuntimeError
    NVML_CLOCK_SM, NVML_CLOCK_MEM = 1, 2

    def __init__(self, *counters_mj: int | None) -> None:
        self.counters_mj = counters_mj

    def nvmlDeviceGetCount(self) -> int:
        return len(self.counters_mj)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:
        counted = self.counters_mj[handle]
        if counted is None:
            raise self.NVMLError("not supported")
        return counted

    def nvmlDeviceGetClockInfo(self, handle: int, kind: int) -> int:
        return {self.NVML_CLOCK_SM: 1410, self.NVML_CLOCK_MEM: 6251}[kind]

    def nvmlDeviceGetMaxClockInfo(self, handle: int, kind: int) -> int:
        if kind == self.NVML_CLOCK_MEM:
            raise self.NVMLError("not supported")
        return 2040


def install(monkeypatch: pytest.MonkeyPatch, library: Library | None) -> None:
    @contextmanager
    def nvml() -> Iterator[Any]:
        yield library

    monkeypatch.setattr(vram, "nvml", nvml)
    monkeypatch.delenv(vram.VISIBLE, raising=False)


@pytest.mark.parametrize(
    ("placement", "joules"),
    [(("cuda:0",), 1.5), (("cuda:1",), 4.0), (("cpu", "cuda:0", "cuda:1"), 5.5), (("cuda",), 1.5)],
)
def test_the_gpus_that_hold_the_model_are_counted(
    monkeypatch: pytest.MonkeyPatch, placement: tuple[str, ...], joules: float
) -> None:
    install(monkeypatch, Library(1500, 4000))
    assert energy.used_j(placement) == joules


def test_the_counter_is_that_of_the_gpu_which_cuda_shows_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch, Library(1500, 4000))
    monkeypatch.setenv(vram.VISIBLE, "1")
    assert energy.used_j(("cuda:0",)) == 4.0


@pytest.mark.parametrize("placement", [(), ("cpu",), ("cpu", "disk")])
def test_a_model_that_lies_on_no_gpu_has_no_energy(
    monkeypatch: pytest.MonkeyPatch, placement: tuple[str, ...]
) -> None:
    install(monkeypatch, Library(1500))
    assert energy.used_j(placement) is None


@pytest.mark.parametrize("counters_mj", [(None,), (1500, None)])
def test_a_gpu_without_a_counter_means_that_nothing_was_measured(
    monkeypatch: pytest.MonkeyPatch, counters_mj: tuple[int | None, ...]
) -> None:
    install(monkeypatch, Library(*counters_mj))
    assert energy.used_j([f"cuda:{number}" for number in range(len(counters_mj))]) is None


def test_the_energy_of_a_slice_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Library(1500))
    monkeypatch.setenv(vram.VISIBLE, "MIG-1234")
    assert energy.used_j(("cuda:0",)) is None


def test_without_a_driver_there_is_no_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, None)
    assert energy.used_j(("cuda:0",)) is None


def test_a_clock_that_a_gpu_does_not_tell_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Library(0))
    assert provenance.clocks() == [
        {
            "sm_clock_mhz": 1410, "memory_clock_mhz": 6251, "max_sm_clock_mhz": 2040,
            "max_memory_clock_mhz": None,
        }
    ]  # fmt: skip


def test_a_machine_is_recorded_with_the_clocks_of_its_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Library(0))
    monkeypatch.setattr(provenance, "gpus", lambda: ({"name": "Example GPU"},))
    found = provenance.machine()
    assert found["gpus"][0]["name"] == "Example GPU"
    assert found["gpus"][0]["max_sm_clock_mhz"] == 2040
    assert found["cpu_max_mhz"] is None or found["cpu_max_mhz"] > 0
