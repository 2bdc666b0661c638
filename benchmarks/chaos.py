"""Kills the processes of a service while it works, and counts what becomes of its jobs."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av

from benchmarks import standins
from benchmarks.served import Served, results
from kairos_lib.errors import KairosError
from kairos_lib.project import Project

EVERY_S = 10.0
CLIP_S = 8.0
LIMIT_S = 3000.0


@dataclass
class Outcome:
    """What became of the jobs."""

    jobs: int
    done: int
    failed: dict[str, int]
    """How many by their reason."""
    files: int
    contents: int
    """Different contents among the result files."""
    salvaged: int
    """Jobs whose last attempt found all of its work done by earlier ones, which were killed."""
    unrun: int | None
    """Analyzers that never ran for a content: a cache answered, which must not be."""
    redone: int | None
    """Analyzers that had ended and were run again, since a kill came before that was recorded."""
    time_s: float
    killed: Counter[str] = field(default_factory=Counter)

    def check(self) -> None:
        """See that every job has ended once.

        Raises:
            KairosError: One has not.
        """
        if (self.done, self.files, self.contents) != (self.jobs,) * 3 or self.failed:
            raise KairosError(f"jobs were lost or done twice: {self}")
        if self.unrun:
            raise KairosError(f"{self.unrun} analyzers were answered from a cache: {self}")


def waiting(root: Path, jobs: int, seconds: float) -> Outcome:
    """Jobs of analyzers that only wait, on two workers a group."""
    project = standins.make_project(root / "project", seconds)
    videos = standins.make_videos(project, jobs)
    served = Served(
        project, "waiting", ("look", "look", "listen", "listen"),
        standins.environment(project), root / "logs",
    )  # fmt: skip
    notes = project.root / standins.NOTES

    def counted() -> tuple[int, int]:
        lines = Counter(notes.read_text(encoding="utf-8").splitlines())
        return lines.total() - len(lines), len(standins.NAMES) * jobs - len(lines)

    return _harassed(served, videos, counted)


def nano(root: Path, jobs: int) -> Outcome:
    """Jobs of the models that ship, on two workers a group."""
    project = nano_project(root / "project")
    videos = nano_videos(project, jobs)
    served = Served(project, "nano", ("cpu", "cpu", "vlm", "vlm"), {}, root / "logs")
    return _harassed(served, videos, lambda: (None, _taken_over(project)))


def nano_project(root: Path) -> Project:
    """A project with the checkout's parameters and none of its runs."""
    (root / "videos").mkdir(parents=True)
    for name in ("parameters", "notebooks", "kairos_lib"):
        (root / name).symlink_to(standins.CHECKOUT / name)
    return Project(root)


def nano_videos(project: Project, count: int, clip_s: float = CLIP_S) -> list[str]:
    """Videos of different content: the beginning of a clip that the nano models know."""
    whole = standins.CHECKOUT / "kairos_lib" / "nano" / "clips" / "demo-speech.mp4"
    first = _beginning(whole, project.root / "beginning.mp4", clip_s)
    return standins.copies(project, first, count, f"clip{clip_s:.0f}")


def _beginning(source: Path, target: Path, seconds: float) -> bytes:
    with av.open(f"file:{source}") as read, av.open(f"file:{target}", "w", format="mp4") as write:
        streams = {stream.index: write.add_stream_from_template(stream) for stream in read.streams}
        for packet in read.demux():
            if packet.dts is None or float(packet.pts * packet.time_base) >= seconds:
                continue
            packet.stream = streams[packet.stream.index]
            write.mux(packet)
    return target.read_bytes()


def _harassed(
    served: Served, videos: Sequence[str], counted: Callable[[], tuple[int | None, int | None]]
) -> Outcome:
    """Add a job for each video, and kill one process after another until all have ended."""
    killed: Counter[str] = Counter()
    with served.running() as running:
        began = time.monotonic()
        names = running.add([{"videoPath": path} for path in videos])
        turn = 0
        next_s = began + EVERY_S
        while sum(running.ended_or_unknown()) < len(names):
            if time.monotonic() - began > LIMIT_S:
                break
            if time.monotonic() > next_s:
                next_s += EVERY_S
                killed[_kill(running, turn)] += 1
                turn += 1
            time.sleep(0.2)
        took_s = time.monotonic() - began
        jobs = running.wait(names, 30)
    found = [whole["result"]["video_sha256"] for whole in results(served.project)]
    redone, unrun = counted()
    return Outcome(
        jobs=len(names),
        done=sum("failedReason" not in job for job in jobs),
        failed=dict(Counter(job["failedReason"] for job in jobs if "failedReason" in job)),
        files=len(found),
        contents=len(set(found)),
        salvaged=sum(map(_salvaged, jobs)),
        redone=redone,
        unrun=unrun,
        time_s=took_s,
        killed=killed,
    )


def _taken_over(project: Project) -> int:
    """Stages that another run's results stand for; each video has one base run, and none has."""
    stages = [stage for whole in results(project) for stage in whole["analysis"]["stages"]]
    return sum(bool(stage["reused"]) for stage in stages)


def _kill(running: Served, turn: int) -> str:
    """Kill one process; what it was."""
    if turn == 2:
        running.redis.kill()
        return "Redis"
    worker = running.workers[turn % len(running.workers)]
    if turn % 3 == 0 and running.kill_resident(worker):
        return "a process with models"
    if turn % 3 == 1:
        running.coordinator.kill()
        return "the coordinator"
    worker.kill()
    return "a worker"


def _salvaged(job: Mapping[str, Any]) -> bool:
    """Whether nothing was left to do for those who reported on a job."""
    told = json.loads(job["progress"])["analyzers"].values()
    return all(one["state"] == "reused" for one in told)


def table(outcome: Outcome) -> list[tuple[str, str]]:
    """The counts, for a page."""
    kills = ", ".join(f"{name} {count}×" for name, count in sorted(outcome.killed.items()))
    rows = [
        ("jobs, each of another content", outcome.jobs),
        ("done", outcome.done),
        ("failed", sum(outcome.failed.values())),
        ("result files", outcome.files),
        ("different contents among them", outcome.contents),
        ("analyzers answered from a cache", outcome.unrun),
        ("analyzers run again after a kill", outcome.redone),
        ("jobs of which a killed attempt had done everything", outcome.salvaged),
        ("killed with SIGKILL", f"{outcome.killed.total()}: {kills}"),
        ("seconds", f"{outcome.time_s:.0f}"),
    ]
    return [(name, str(value)) for name, value in rows if value is not None]
