"""What keeping models loaded is worth, and what the service costs beside the pipeline itself."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks import standins
from benchmarks.chaos import nano_project, nano_videos
from benchmarks.served import Served
from kairos_lib.analyzers.profile import Base
from kairos_lib.parameters.loading import load, video
from kairos_lib.parameters.model import Model
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.pipeline.pool import Pool
from kairos_lib.project import Project
from kairos_lib.vlm.opening import loaded
from kairos_lib.vlm.vlm_session import VlmSession
from kairos_lib.weights.location import find

LIMIT_S = 900.0
MINUTE_S = 56.0
"""Length of the clips, of which the nano models know only so much."""


@dataclass(frozen=True)
class Residency:
    """Times and counts of one round."""

    first_s: float
    """From the start of the processes to the end of the first video."""
    second_s: float
    """Of another video of the same length."""
    loads: int
    """At the second."""
    hits: int


def residency(root: Path) -> Residency:
    """The first video of a service that was just started, and the second."""
    project = nano_project(root / "project")
    videos = nano_videos(project, 2, MINUTE_S)
    served = Served(project, "nano", ("cpu", "vlm"), {}, root / "logs")
    began = time.monotonic()
    with served.running() as running:
        _done(running, videos[0])
        first_s = time.monotonic() - began
        before = _counted(running)
        began = time.monotonic()
        _done(running, videos[1])
        second_s = time.monotonic() - began
        after = _counted(running)
    return Residency(
        first_s, second_s, after["loads"] - before["loads"], after["hits"] - before["hits"]
    )


def overhead(root: Path, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of a video of a minute: the bare pipeline with loaded models, and the service.

    Both have each another content, in turns, so that a drift of the machine falls on both.
    """
    project = nano_project(root / "project")
    videos = nano_videos(project, 2 * rounds + 2, MINUTE_S)
    served = Served(project, "nano", ("cpu", "vlm"), {}, root / "logs")
    bare = Bare(project)
    alone, together = [], []
    with served.running() as running:
        bare.process(videos[-1])
        _done(running, videos[-2])
        for number in range(rounds):
            alone.append(_timed(lambda n=number: bare.process(videos[2 * n])))
            together.append(_timed(lambda n=number: _done(running, videos[2 * n + 1])))
    return alone, together


def throughput(root: Path, workers: int, jobs: int, seconds: float) -> tuple[float, float]:
    """Jobs a minute with a number of workers a group, and the coordinator's CPU time for each."""
    project = standins.make_project(root / f"{workers}" / "project", seconds)
    videos = standins.make_videos(project, jobs)
    groups = ("look", "listen") * workers
    environment = standins.environment(project)
    with Served(
        project, "waiting", groups, environment, root / f"{workers}" / "logs"
    ).running() as running:
        assert running.coordinator.process is not None
        process = psutil.Process(running.coordinator.process.pid)
        used, began = process.cpu_times(), time.monotonic()
        running.wait(running.add([{"videoPath": path} for path in videos]), LIMIT_S)
        took_s, now = time.monotonic() - began, process.cpu_times()
    cpu_s = now.user + now.system - used.user - used.system
    return 60 * jobs / took_s, cpu_s / jobs


class Bare:
    """The pipeline by itself, with models that stay loaded."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._pool = Pool(8000)
        self._base = load(project, Base, "nano")
        self._model = load(project, Model, "nano")
        weights = find(project, self._model.weights).path
        assert weights is not None
        self._adapter, _ = loaded(self._model, weights)

    def process(self, path: str) -> None:
        """Analyze and caption a video."""
        film = video(self._project, str(self._project.root / path))
        BaseSession(self._project, film, self._base, self._pool).complete()
        session = VlmSession(self._project, film, self._base, self._model, repeat=1)
        session.load(self._adapter)
        session.captioning.single_stream()
        session.captioning.offline()
        session.finish()


def _timed(work: Any) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _done(running: Served, path: str) -> None:
    job = running.wait(running.add([{"videoPath": path}]), LIMIT_S)[0]
    assert "failedReason" not in job, job["failedReason"]
    assert json.loads(job["returnvalue"])["vlm"]


def _counted(running: Served) -> dict[str, int]:
    time.sleep(1.5)  # Heartbeats come once a second.
    beats = running.heartbeats()
    return {what: sum(int(one[what]) for one in beats) for what in ("hits", "loads")}
