"""What models found in videos, read back and held against what really happens there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kairos_lib.errors import KairosError
from kairos_lib.events.asking import WINDOWS
from kairos_lib.events.average_map import AverageMap, average_map
from kairos_lib.events.ensemble import Agreement, vote
from kairos_lib.events.events_session import EVENTS
from kairos_lib.events.merging import merged, perfect
from kairos_lib.events.planned import PlannedEvents
from kairos_lib.events.records import Event, EventsResult, SpottedEvent, WindowAnswer
from kairos_lib.events.scoring import Scores, score
from kairos_lib.events.truth import read_truth
from kairos_lib.events.windows import Window
from kairos_lib.parameters.spotting import Spotting
from kairos_lib.project import Project
from kairos_lib.results.step_runs import StepRun
from kairos_lib.results.suite import SuiteData
from kairos_lib.runs.files import read_record
from kairos_lib.runs.journal import Journal

RADII = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0)
"""Merge radii in seconds for which the report says what they would come to."""


@dataclass(frozen=True)
class Measures:
    """How right some events are."""

    scores: Scores
    tight: AverageMap
    loose: AverageMap


@dataclass(frozen=True)
class Spotted:
    """One model over one video."""

    run: StepRun
    planned: PlannedEvents
    task: Spotting
    result: EventsResult | None
    """Of a run that is done, and of no other."""
    events: tuple[SpottedEvent, ...]
    truth: tuple[Event, ...] | None
    """None where nobody knows what happens."""
    measures: Measures | None
    """None where the run is not done or the truth is not known."""
    ceiling: Measures | None
    """What a detector without fault would reach with the same windows, likewise."""

    @property
    def windows(self) -> Journal[WindowAnswer]:
        """What was said of each window."""
        return Journal(self.run.folder / WINDOWS, WindowAnswer)

    @property
    def thumbnails(self) -> Path:
        """The folder with the events' pictures."""
        return self.run.folder / "thumbnails"

    def merged_within(self, radius_s: float) -> Measures | None:
        """What the same answers would come to with another merge radius."""
        if self.measures is None or self.truth is None:
            return None
        task = self.task.model_copy(update={"merge_radius_s": radius_s})
        return measured(self.truth, merged(self.windows, task), self.task)


def measured(truth: Sequence[Event], events: Sequence[Event], task: Spotting) -> Measures:
    """Hold events against the truth."""
    labels = list(task.labels)
    return Measures(
        score(truth, events, labels, task.tolerance_s),
        average_map([truth], [events], labels, "tight"),
        average_map([truth], [events], labels, "loose"),
    )


def voted(runs: Sequence[Spotted]) -> list[Agreement]:
    """What several models over one video come to together, by their titles."""
    task = runs[0].task
    return vote(
        {one.planned.model_title: one.events for one in runs},
        task.merge_radius_s,
        {one.planned.model_title: task.model_weights.get(one.planned.model, 1.0) for one in runs},
    )


def spotted(suite: SuiteData) -> list[Spotted]:
    """All of a suite's event spotting, in the order in which it was planned; without `trials`."""
    return [one for one in _all(suite) if not one.planned.trial]


def trials(suite: SuiteData) -> list[Spotted]:
    """The same asked with other temperatures, to see what these do."""
    return [one for one in _all(suite) if one.planned.trial]


def _all(suite: SuiteData) -> list[Spotted]:
    return [
        _read(suite.project, run, PlannedEvents.model_validate(run.planned.model_dump()))
        for run in suite.further
        if run.planned.kind == PlannedEvents.of_kind
    ]


def _read(project: Project, run: StepRun, planned: PlannedEvents) -> Spotted:
    task = Spotting.model_validate_json(planned.task)
    result: EventsResult | None = None
    events: tuple[SpottedEvent, ...] = ()
    truth = read_truth(project, planned.truth)
    if run.outcome.state == "done":
        try:
            result = read_record(run.folder / "result.json", EventsResult)
            events = tuple(Journal(run.folder / EVENTS, SpottedEvent))
        except KairosError:
            result = None  # A run whose files cannot be read has no numbers.
    found = Spotted(run, planned, task, result, events, truth, None, None)
    if result is None or truth is None:
        return found
    windows = [
        Window(answer.window, answer.start_s, answer.end_s, answer.frame_times_s)
        for answer in found.windows
    ]
    # Of a part of a video: nobody was asked about the rest.
    first_s, last_s = min(w.start_s for w in windows), max(w.end_s for w in windows)
    truth = tuple(event for event in truth if first_s <= event.time_s < last_s)
    best = merged(perfect(truth, windows), task)
    return Spotted(
        run, planned, task, result, events, truth,
        measured(truth, events, task), measured(truth, best, task),
    )  # fmt: skip
