import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kairos_lib.measure.resources import Sampler, summarise


def line(time_s: float, ram_mib: float, cpu_s: float, system_cpu_s: float) -> str:
    sample = {"time_s": time_s, "ram_mib": ram_mib, "cpu_s": cpu_s, "system_cpu_s": system_cpu_s}
    return json.dumps({**sample, "vram_mib": None, "gpu_percent": None}) + "\n"


def test_memory_that_was_held_for_a_moment_is_in_the_peak(tmp_path: Path) -> None:
    sampler = Sampler(tmp_path / "log.jsonl")
    sampler.start()
    time.sleep(1.0)
    ballast = bytearray(b"x" * (300 * 2**20))
    time.sleep(0.5)
    del ballast
    time.sleep(0.3)
    found = sampler.stop()
    assert found.samples >= 5
    first = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])
    assert found.peak_ram_mib - first["ram_mib"] > 250
    assert found.peak_vram_mib is None or found.peak_vram_mib >= 0


def test_the_sampler_ends_with_the_process_it_watches(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, time; from kairos_lib.measure.resources import Sampler\n"
        "s = Sampler(pathlib.Path(sys.argv[1])); s.start(); time.sleep(1)\n"
        "print(s._process.pid, flush=True)\n"
        "import os; os.kill(os.getpid(), 9)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "log.jsonl")], capture_output=True, text=True
    )
    import psutil

    pid = int(answer.stdout)
    deadline = time.monotonic() + 20
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not psutil.pid_exists(pid)


def test_work_of_other_processes_is_told_from_ones_own(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(line(10, 100, 1.0, 50.0) + line(12, 120, 3.0, 55.0))
    found = summarise(log)
    assert found.mean_cpu_cores == pytest.approx(1.0)
    assert found.foreign_cpu_cores == pytest.approx(1.5)
    assert found.peak_ram_mib == 120


def test_the_most_that_was_held_of_the_gpus_is_in_the_sum(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    taken = json.loads(line(10, 100, 1.0, 50.0))
    samples = [
        {**taken, "vram_mib": 700, "device_vram_mib": 1500, "foreign_gpu_processes": 0},
        {**taken, "vram_mib": 900, "device_vram_mib": 1400, "foreign_gpu_processes": 2},
    ]
    log.write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    found = summarise(log)
    assert (found.peak_vram_mib, found.peak_device_vram_mib) == (900, 1500)
    assert found.foreign_gpu_processes == 2


def test_a_log_without_a_gpu_has_no_device_memory(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(line(10, 100, 1.0, 50.0))
    assert summarise(log).peak_device_vram_mib is None


def test_a_log_torn_in_its_last_line_counts_what_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(line(10, 100, 1.0, 50.0) + '{"time_s": 11, "ram')
    assert summarise(log).samples == 1
    assert summarise(tmp_path / "none.jsonl").samples == 0
