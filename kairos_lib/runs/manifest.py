"""What a suite consists of, as the bench writes it down when it plans."""

from __future__ import annotations

from kairos_lib.runs.record import Record


class PlannedBase(Record):
    """A suite's base processing of one video."""

    video: str
    title: str
    folder: str
    """Run folder, relative to the project; empty where the video could not be read."""
    references: str = ""
    """What the video's captions are held against: a file of `runs/references/`, relative to the
    project; empty where there is nothing."""
    problem: str = ""
    """Why it could not be planned, such as a missing file."""


class PlannedVlm(Record):
    """A suite's run of one model over one video, once."""

    model: str
    model_title: str
    video: str
    repeat: int
    folder: str
    """Run folder, relative to the project."""
    variant_of: str = ""
    """The model that it is a variant of, and is compared with; itself, of the first variant."""
    problem: str = ""
    """Why it was not run, such as base processing that failed."""


class Manifest(Record):
    """What a suite consists of: `runs/suites/<name>.json`, written by the bench as it plans."""

    name: str
    title: str
    repeats: int
    bases: tuple[PlannedBase, ...]
    runs: tuple[PlannedVlm, ...]
    """None of a video that could not be planned: models are judged by the others."""
    price_per_hour: float | None = None
    """Of the machine; none where the suite names none."""
    currency: str = "USD"
