"""Half an hour of jobs on the whole service as a user starts it, and what its processes hold.

Each process is looked at every few seconds. One that was started anew meanwhile is another process
and is listed by itself.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.chaos import nano_project, nano_videos
from benchmarks.served import free_port
from kairos_lib.errors import KairosError

MINUTES = 30.0
SETTLED_MINUTES = 10.0
WINDOW_MINUTES = 1.0
"""Memory at a moment is the median over a minute that ends then."""
EVERY_S = 5.0
WAITING_JOBS = 4
"""There is always so much to do."""
CLIP_S = 8.0
ALLOWED = 0.1
"""By how much the end may differ from what was there after ten minutes."""
REDIS = "Redis"
"""It grows with every job for as long as jobs are remembered, and is told by the job."""
ENDED = ("done", "failed", "cancelled")
START_S = 300.0
MIB = 2**20


@dataclass(frozen=True)
class Sample:
    """One process at one moment."""

    time_s: float
    process: str
    """What it is, and its number."""
    rss_mib: float


@dataclass(frozen=True)
class Soaked:
    """What half an hour of jobs came to."""

    samples: tuple[Sample, ...]
    jobs: Mapping[str, int]
    """How many by what became of them."""
    minutes: float

    def around(self, process: str, minute: float) -> float | None:
        """What a process held in the minute that ends then, MiB; None if it was not there."""
        values = [
            one.rss_mib
            for one in self.samples
            if one.process == process
            and 60 * (minute - WINDOW_MINUTES) <= one.time_s <= 60 * minute
        ]
        return statistics.median(values) if values else None

    def rows(self) -> list[tuple[str, float | None, float | None]]:
        """Each process: what it held after ten minutes, and at the end."""
        names = sorted({one.process for one in self.samples})
        settled = SETTLED_MINUTES if self.minutes > SETTLED_MINUTES else self.minutes / 3
        return [(n, self.around(n, settled), self.around(n, self.minutes)) for n in names]

    def redis_kib_a_job(self) -> float:
        """By how much Redis has grown with each job, from the end of the first minute on."""
        (name,) = {one.process for one in self.samples if one.process.startswith(REDIS)}
        first, last = self.around(name, WINDOW_MINUTES), self.around(name, self.minutes)
        assert first is not None and last is not None
        return 1024 * (last - first) / sum(self.jobs.values())

    def check(self) -> None:
        """See that every job was done and that no process grew, but for Redis.

        Raises:
            KairosError: One was not, or did.
        """
        if set(self.jobs) != {"done"}:
            raise KairosError(f"not all jobs were done: {dict(self.jobs)}")
        for process, settled, end in self.rows():
            if settled is None or end is None:
                raise KairosError(f"{process} was not there all the time: its service replaced it")
            if not process.startswith(REDIS) and abs(end / settled - 1) > ALLOWED:
                raise KairosError(f"{process} held {settled:.0f} MiB and at the end {end:.0f} MiB")

    def write(self, path: Path) -> None:
        """The whole series, as CSV."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("time_s", "process", "rss_mib"))
            for one in self.samples:
                writer.writerow((f"{one.time_s:.0f}", one.process, f"{one.rss_mib:.1f}"))


def soak(root: Path, minutes: float, say: Callable[[str], None]) -> Soaked:
    """Keep `make serve` at work with the nano models, and watch it.

    Args:
        root: An empty folder.
        minutes: How long.
        say: Told once a minute how it stands.
    """
    project = nano_project(root / "project")
    videos = nano_videos(project, round(60 * minutes), CLIP_S)
    samples: list[Sample] = []
    names: list[str] = []
    with _serving(project.root, root / "serve.log") as (supervisor, ask):
        began = last_s = time.monotonic()
        following = iter(videos)
        while (now := time.monotonic()) - began < 60 * minutes:
            states = Counter(_state(ask, name) for name in names[-2 * WAITING_JOBS :])
            open_ = states.total() - sum(states[state] for state in ENDED)
            for _ in range(WAITING_JOBS - open_):
                names.append(ask("/v1/jobs", {"videoPath": next(following)})["id"])
            samples += _samples(supervisor, now - began)
            if now - last_s > 60:
                last_s = now
                held = sum(s.rss_mib for s in samples if s.time_s == samples[-1].time_s)
                say(f"minute {(now - began) / 60:.0f}: {len(names)} jobs, {held:.0f} MiB")
            time.sleep(EVERY_S)
        ended = Counter(_ended(ask, name) for name in names)
    return Soaked(tuple(samples), ended, minutes)


Ask = Callable[..., Any]


@contextmanager
def _serving(root: Path, log: Path) -> Iterator[tuple[psutil.Process, Ask]]:
    """`kairos serve` as a user starts it, and a way to ask it."""
    port = free_port()
    own = {"KAIROS_ROOT": str(root), "KAIROS_PORT": str(port)}
    command = [sys.executable, "-m", "kairos_lib.cli", "serve", "--service", "nano"]
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*command, "--redis-port", str(free_port())],
            env={**os.environ, **own},
            stdout=said,
            stderr=said,
        )

    def ask(path: str, body: Mapping[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    try:
        deadline = time.monotonic() + START_S
        while not _ready(ask):
            if process.poll() is not None or time.monotonic() > deadline:
                raise KairosError(f"the service did not start: {log.read_text()[-500:]}")
            time.sleep(1)
        yield psutil.Process(process.pid), ask
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _ready(ask: Ask) -> bool:
    try:
        ask("/readyz")
    except OSError:
        return False
    return True


def _state(ask: Ask, name: str) -> str:
    return str(ask(f"/v1/jobs/{name}")["state"])


def _ended(ask: Ask, name: str) -> str:
    """What became of a job, once it has ended."""
    deadline = time.monotonic() + START_S
    while (state := _state(ask, name)) not in ENDED and time.monotonic() < deadline:
        time.sleep(1)
    return state


def _samples(supervisor: psutil.Process, time_s: float) -> list[Sample]:
    found = []
    for process in [supervisor, *supervisor.children(recursive=True)]:
        try:
            role = _role(process)
            held = process.memory_info().rss / MIB
        except psutil.NoSuchProcess:
            continue
        if role:
            found.append(Sample(time_s, f"{role} ({process.pid})", held))
    return found


def _role(process: psutil.Process) -> str:
    """What a process is for; empty for one that lives for a moment."""
    words = process.cmdline()
    if any("redis-server" in word for word in words[:1]):
        return REDIS
    if any("spawn_main" in word for word in words):
        parent = process.parent()
        return f"models of {_role(parent)}" if parent is not None else "models"
    for command in ("serve", "coordinator", "api"):
        if command in words[1:4]:
            return command
    return f"worker {words[words.index('--group') + 1]}" if "worker" in words else ""


def table(rows: Sequence[tuple[str, float | None, float | None]]) -> list[tuple[str, ...]]:
    """The rows of `Soaked.rows`, for a page."""

    def told(value: float | None) -> str:
        return "–" if value is None else f"{value:.0f}"

    return [
        (
            name.rpartition(" (")[0],
            told(settled),
            told(end),
            f"{100 * (end / settled - 1):+.1f} %" if settled and end else "–",
        )
        for name, settled, end in rows
    ]
