"""One model that looks for events in one video: what `events.ipynb` calls."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kairos_lib.errors import KairosError
from kairos_lib.events import windows as grids
from kairos_lib.events.asking import WINDOWS, Asking
from kairos_lib.events.merging import merged
from kairos_lib.events.records import EventsResult, SpottedEvent, WindowAnswer
from kairos_lib.events.run import (
    SLICES,
    answers_of,
    events_run,
    fixed_batch_size,
    same_answers,
    slice_run,
)
from kairos_lib.events.tables import events_table, outcomes_table, overview_table
from kairos_lib.events.thumbnails import THUMBNAILS, pictured
from kairos_lib.events.totals import Totals
from kairos_lib.measure import threads
from kairos_lib.measure.provenance import provenance
from kairos_lib.measure.resources import Sampler
from kairos_lib.parameters.loading import load
from kairos_lib.parameters.loading import video as find_video
from kairos_lib.parameters.model import Generation, Model, Prompt
from kairos_lib.parameters.settings import Changes
from kairos_lib.parameters.spotting import Share, Spotting, share_of
from kairos_lib.parameters.video import Video
from kairos_lib.pipeline.base_session import video_facts
from kairos_lib.project import Project
from kairos_lib.runs.files import write_json, write_record
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.run import as_planned
from kairos_lib.vlm.adapter import Adapter
from kairos_lib.vlm.opening import loaded, weights_here
from kairos_lib.vlm.run import device_of, given
from kairos_lib.weights.location import find

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

EVENTS = "events.jsonl"


class EventsSession:
    """One session of a model over a video, over one slice of it, or over what slices left.

    Args:
        project: The checkout.
        video: Where events are looked for.
        model: What looks.
        spotting: For what.
        part: Of the video, and of the work on it.
    """

    def __init__(
        self,
        project: Project,
        video: Video,
        model: Model,
        spotting: Spotting,
        part: Share = grids.WHOLE,
    ) -> None:
        self.project = project
        self.video = video
        self.model = model
        self.spotting = spotting
        self.part = part
        self.facts = video_facts(project, video)
        whole = events_run(project, video, model, spotting, part)
        self.run = as_planned(slice_run(whole, part))
        self.lock = self.run.lock()
        self._size = fixed_batch_size(whole, spotting.batch_size)
        windows = grids.grid(self.facts.duration_s, spotting.windows, part)
        if not windows:
            raise KairosError(
                f"no window begins between {part.from_s} s and {part.to_s} s of {video.name}, "
                f"which is {self.facts.duration_s:.1f} s long"
            )
        mine = grids.share(grids.batches(windows, self._size), part)
        self.asking = Asking(self.run, spotting, mine)
        self._weights = find(project, model.weights)
        self._sampler = Sampler(self.run.file("resources.jsonl"))
        self._load_s = 0.0
        self._taken_over = False

    @classmethod
    def open(
        cls,
        model: str,
        video: str,
        task: str,
        part: Mapping[str, Any] | None = None,
        changes: Mapping[str, Changes] | None = None,
    ) -> EventsSession:
        """Open by the names that a notebook's parameters give.

        Args:
            model: A file of `parameters/models`.
            video: A file of `parameters/videos`, or the path of any video.
            task: A file of `parameters/events`.
            part: What a `Share` says.
            changes: Some of the parameters of the `model` and of the `task`, in place of their own.
        """
        threads.settle()  # A kernel that somebody opened by hand has nothing set.
        project = Project.find()
        changes = changes or {}
        return cls(
            project,
            find_video(project, video),
            load(project, Model, model, changes.get("model")),
            load(project, Spotting, task, changes.get("task")),
            share_of(part or {}),
        )

    @property
    def result(self) -> EventsResult | None:
        """What this run came to, once it is complete."""
        return self.run.result(EventsResult)

    def overview(self) -> pd.DataFrame:
        """What is about to be worked on."""
        return overview_table(
            self.model,
            self.spotting,
            self.video,
            self.facts.duration_s,
            f"{len(self.asking.windows):,}, {len(self.asking.done):,} of them answered already",
            self.project.relative(self.run.folder),
        )

    def gather(self) -> None:
        """Take what is there already: from slices, or from a run that merges otherwise."""
        if self.part.slice or self.asking.complete:
            return
        if other := same_answers(self.run):
            Journal(self.run.file(WINDOWS), WindowAnswer).write_all(
                iter(Journal(other, WindowAnswer))
            )
            self._taken_over = True
            return
        if found := answers_of(self.run.folder):
            self.asking.answers.write_all(iter(found))

    def load(self, adapter: Adapter | None = None) -> str:
        """Load the model and warm it up; where all windows are answered, none is needed.

        Args:
            adapter: One that is loaded already, of a worker that keeps it.

        Raises:
            KairosError: Its weights are not here, or cannot be loaded.
        """
        if self.result is None:
            self.gather()
        if self.result is not None or self.asking.complete:
            return "All windows are answered: there is nothing to load."
        weights = weights_here(self.project, self.model, self._weights)
        self._sampler.start()
        self.run.progress("load", 0, 1)
        if adapter is None:
            adapter, self._load_s = loaded(self._as_asked(), weights)
        self.asking.use(adapter, self.video.path, self.facts.joints)
        return f"Loaded in {self._load_s:.1f} s and warmed up; batches of {self._size}."

    def ask(self) -> pd.DataFrame:
        """Ask about all windows that are not answered yet."""
        if self.result is None and not self.asking.complete:
            self.asking.ask()
        return outcomes_table(Totals.of(self.asking.answers).outcomes)

    def merge(self) -> Styler:
        """Put what windows say together into events."""
        if self.result is None and not self.part.slice:
            found = merged(self.asking.answers, self.spotting)
            shown = pictured(found, self.video.path, self.run.file(THUMBNAILS), self.facts.joints)
            Journal(self.run.file(EVENTS), SpottedEvent).write_all(iter(shown))
        return events_table(self.events)

    @property
    def events(self) -> list[SpottedEvent]:
        """What was found; nothing in a slice, whose windows are merged with all others'."""
        return list(Journal(self.run.file(EVENTS), SpottedEvent))

    def finish(self) -> str:
        """Sum up and write the result: the last act. Slices are put away: all of theirs is here."""
        if self.result is None:
            if not self.asking.complete:
                raise KairosError("not all windows are answered: run the cells above first")
            sampled = self._sampler.stop()
            write_json(
                self.run.file("provenance.json"),
                {**provenance(self.project), "given": given(self.model)},
            )
            write_record(self.run.file("result.json"), self._summed_up(sampled))
            if not self.part.slice:
                shutil.rmtree(self.run.file(SLICES), ignore_errors=True)
        self.lock.release()
        assert self.result is not None
        done = self.result
        return f"{done.events} events in {done.windows} windows; {done.time_s:.1f} s of work."

    def _summed_up(self, resources: Any) -> EventsResult:
        totals = Totals.of(self.asking.answers)
        weights = self.model.weights
        return EventsResult(
            key=self.run.key,
            model=self.model.name,
            model_title=self.model.title,
            task=self.spotting.name,
            task_title=self.spotting.title,
            video=self.video.name,
            title=self.video.title,
            duration_s=self.facts.duration_s,
            asked_s=self._asked_s(),
            windows=totals.windows,
            outcomes=dict(totals.outcomes),
            events=len(self.events),
            load_s=self._load_s,
            time_s=totals.time_s,
            timing=totals.as_timing,
            new_tokens=totals.new_tokens,
            batch_size=totals.batch_size,
            parts=totals.parts,
            slices=self.part.slices,
            taken_over=self._taken_over,
            resources=resources,
            weights_source="hub" if weights.source == "url" else weights.source,
            weights=self._weights.identity,
            device=device_of(self.model),
            synthetic_video=self.video.drawn,
        )

    def _asked_s(self) -> float:
        """Length of the part that is asked about; of more slices than batches, some have none."""
        windows = self.asking.windows.values()
        first_s = min((window.start_s for window in windows), default=0.0)
        return max((window.end_s for window in windows), default=0.0) - first_s

    def _as_asked(self) -> Model:
        """The model with what the task says of its answers."""
        tokens = self.spotting.sampling.max_new_tokens
        return self.model.model_copy(
            update={
                "generation": Generation(max_new_tokens=tokens),
                "prompt": Prompt(instruction=self.spotting.prompt, context=()),
            }
        )
