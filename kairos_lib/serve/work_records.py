"""What a process with models is told and what it answers, pickled on its way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kairos_lib.errors import KairosError
from kairos_lib.parameters.service import Service
from kairos_lib.serve.contract import AnalyzerProgress, Answer


@dataclass(frozen=True)
class Setup:
    """What a process needs to begin."""

    root: Path
    service: Service
    group: str
    ear: str
    """Path of the datagram socket that listens to it."""


@dataclass(frozen=True)
class Stats:
    """What a process has done so far, and what it takes."""

    pid: int
    hits: int
    loads: int
    evictions: int
    rss_mib: float
    vram_mib: float


@dataclass(frozen=True)
class Done:
    """What became of one group's work on one video."""

    folder: str
    """Of the run, relative to the project."""
    key: str
    analyzers: dict[str, AnalyzerProgress]
    times_s: dict[str, float]
    """Of the analyzers that were run now, not before."""
    failed: str = ""
    """Why not all of it is done; trying again may help."""
    stats: Stats | None = None
    answer: Answer | None = None
    """To a question, which leaves no run."""


class UnusableError(KairosError):
    """The job can never succeed, however often it is tried."""


class WorkError(Exception):
    """Something went wrong that a user may not be able to fix."""
