"""What a suite's manifest says of event spotting."""

from __future__ import annotations

from typing import ClassVar

from kairos_lib.runs.manifest import PlannedStep


class PlannedSlice(PlannedStep):
    """One slice of the windows of a model over a video."""

    of_kind: ClassVar[str] = "slice"

    model: str


class PlannedEvents(PlannedStep):
    """A model that looks for events in a video."""

    of_kind: ClassVar[str] = "events"

    title: str
    """The video's."""
    model: str
    model_title: str
    task: str
    """As it was asked, its own changes included: what was found is scored by its labels."""
    trial: bool = False
    """Whether it was asked beside the task's own temperature, to see what another does."""
    truth: str = ""
    """What really happens in the video: a file of `runs/truth/`, relative to the project; empty
    where that is not known."""
