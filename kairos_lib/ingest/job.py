"""What the guarded process is told and what it answers: one line of JSON each."""

from __future__ import annotations

from pathlib import Path

from kairos_lib.parameters.ingest import IngestLimits
from kairos_lib.parameters.settings import Settings


class Job(Settings):
    """One video to fetch."""

    url: str
    folder: Path
    """Absolute; all that may be written to."""
    limits: IngestLimits
    reachable: tuple[str, ...] = ()
    """See `fetching.fetched`."""
    parent: int
    """Process that waits for the answer; without it there is no point in going on."""


class Answer(Settings):
    """How it went."""

    file: str = ""
    """Name of the video in the job's folder."""
    title: str = ""
    duration_s: float = 0.0
    error: str = ""
    """Why there is no video and what to do, as part of a line; empty if there is one."""
