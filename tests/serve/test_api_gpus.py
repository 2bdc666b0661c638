"""GPUs as the API reads them once a second, by an NVML that stands in for the driver's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from kairos_lib.measure import vram
from kairos_lib.serve.api.gpus import Gpus

MIB = 2**20


class Library:
    """NVML with two GPUs."""

    class NVMLError(Exception):
        """NVML's error."""

    answers = True

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        if not self.answers:
            raise self.NVMLError
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(used=(handle + 1) * 100 * MIB, total=1000 * MIB)

    def nvmlDeviceGetName(self, handle: int) -> str:  # noqa: N802
        return f"GPU {handle}"

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(gpu=40 * (handle + 1))


def test_every_gpu_is_read_and_a_driver_that_does_not_answer_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library, opened = Library(), []

    @contextmanager
    def nvml() -> Iterator[Any]:
        opened.append(1)
        yield library

    monkeypatch.setattr(vram, "nvml", nvml)
    monkeypatch.delenv(vram.VISIBLE, raising=False)
    gpus = Gpus()
    assert [(gpu.percent, gpu.used_mib) for gpu in gpus.read()] == [(40.0, 100.0), (80.0, 200.0)]
    library.answers = False
    assert gpus.read() == []
    library.answers = True
    assert len(gpus.read()) == 2 and opened == [1]
    gpus.close()


def test_a_machine_without_a_gpu_has_none_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def nvml() -> Iterator[Any]:
        yield None

    monkeypatch.setattr(vram, "nvml", nvml)
    assert Gpus().read() == []
