"""What event spotting will do: for each model and video its slices, then what they found.

Starts nothing and writes nothing but what it remembers of files. Imports no torch.
"""

from __future__ import annotations

from kairos_lib.bench.plan import (
    NOTEBOOKS_AT_MOST,
    Plan,
    UnusableVideo,
    chosen_models,
    chosen_videos,
    make_plan,
    none_left,
)
from kairos_lib.bench.step import Chosen, Step, reference
from kairos_lib.errors import KairosError, closest
from kairos_lib.events.planned import PlannedEvents, PlannedSlice
from kairos_lib.events.run import NOTEBOOK, events_run, slice_run
from kairos_lib.events.truth import keep
from kairos_lib.events.windows import grid
from kairos_lib.launch.job import Job
from kairos_lib.parameters.loading import load, names
from kairos_lib.parameters.model import Model
from kairos_lib.parameters.settings import Changes
from kairos_lib.parameters.spotting import Share, Spotting
from kairos_lib.parameters.suite import Suite
from kairos_lib.parameters.video import Video
from kairos_lib.pipeline.base_session import video_facts
from kairos_lib.project import Project
from kairos_lib.runs.record import Record
from kairos_lib.runs.run import Run
from kairos_lib.vlm.run import destination, missing_key
from kairos_lib.weights.location import find


class EventsRequest(Record):
    """What a user asks for, beside models and videos."""

    task: str = ""
    """Each model's own where it is left out."""
    changes: Changes | None = None
    """Some of the task's parameters."""
    from_s: float = 0.0
    to_s: float | None = None
    slices: int = 1
    temperatures: tuple[float, ...] = ()
    """To be tried beside the task's own, for the report to compare."""

    def changes_of(self, task: Spotting) -> list[Changes]:
        """What is changed of a task, for itself and for each other temperature."""
        own = self.changes or {}
        others = dict.fromkeys(self.temperatures)
        others.pop(task.sampling.temperature, None)
        return [own, *({**own, "sampling": {"temperature": other}} for other in others)]


def plan_events(project: Project, suite: Suite, asked: EventsRequest, fresh: bool = False) -> Plan:
    """Say what a suite of models by videos will do.

    Raises:
        KairosError: A name is unknown, no video can be read, or there would be more notebooks than
            anybody means to run.
    """
    chosen = chosen_models(project, suite)
    videos, unusable = chosen_videos(project, suite.videos)
    each_time = (asked.slices + 1) * (1 + len(asked.temperatures))
    count = len(chosen) * len(videos) * each_time
    if count > NOTEBOOKS_AT_MOST:
        raise KairosError(f"{count:,} notebooks are asked for; {NOTEBOOKS_AT_MOST:,} is the most")
    steps: list[Step] = []
    for video in videos:
        try:
            # A file that is no video is reported now, not in a notebook.
            duration_s = video_facts(project, video).duration_s
            truth = keep(project, video)
            for each in chosen:
                steps += _steps(project, video, duration_s, truth, each, asked, fresh)
        except (KairosError, OSError) as error:
            unusable.append(UnusableVideo(video.name, video.title, error))
    if not steps:
        raise none_left(unusable)
    return Plan(suite, steps, unusable, asked)


def plan_of(
    project: Project, suite: Suite, asked: EventsRequest | None = None, fresh: bool = False
) -> Plan:
    """The plan of a suite: of captions, or of events where these were asked for.

    Raises:
        KairosError: It cannot be made.
    """
    if asked is not None:
        return plan_events(project, suite, asked, fresh)
    return make_plan(project, suite, fresh)


def set_aside(planned: Plan) -> None:
    """Set aside the runs whose slices are to be done again.

    Raises:
        KairosError: Another process is at work on one.
    """
    for step in planned.steps:
        if step.absorbs:
            step.job.run.set_aside()


def _steps(
    project: Project,
    video: Video,
    duration_s: float,
    truth: str,
    chosen: Chosen,
    asked: EventsRequest,
    fresh: bool,
) -> list[Step]:
    """Of one model over one video, at each temperature."""
    name = asked.task or chosen.model.events
    task = load(project, Spotting, name, asked.changes)
    _check_voters(project, task)
    return [
        step
        for changes in asked.changes_of(task)
        for step in _of_one(project, video, duration_s, truth, chosen, asked, changes, fresh)
    ]


def _check_voters(project: Project, task: Spotting) -> None:
    """A weight of no model is a slip of the pen."""
    known = names(project, Model)
    for name in task.model_weights:
        if name not in known:
            raise KairosError(
                f"task {task.name}: model_weights: unknown model '{name}': {closest(name, known)}"
            )


def _of_one(
    project: Project,
    video: Video,
    duration_s: float,
    truth: str,
    chosen: Chosen,
    asked: EventsRequest,
    changes: Changes,
    fresh: bool,
) -> list[Step]:
    """At one temperature: its slices, if there are any left to do, then the whole."""
    name = asked.task or chosen.model.events
    task = load(project, Spotting, name, changes)
    trial = task.sampling != load(project, Spotting, name, asked.changes).sampling
    whole = Share(from_s=asked.from_s, to_s=asked.to_s, slices=asked.slices)
    if not grid(duration_s, task.windows, whole):
        raise KairosError(
            f"no window begins from {asked.from_s:g} s on: {video.name} is {duration_s:.1f} s long"
        )
    run = events_run(project, video, chosen.model, task, whole)
    label = f"events · {chosen.model.name} · {video.name}"
    who = f"{chosen.model.name} on {video.name}"
    if trial:
        label += f" · temperature {task.sampling.temperature:g}"
        who += f" at temperature {task.sampling.temperature:g}"
    slices = []
    if asked.slices > 1 and (fresh or not run.done):
        for number in range(1, asked.slices + 1):
            part = whole.model_copy(update={"slice": number})
            planned = PlannedSlice(
                video=video.name,
                in_words=f"slice {number} of {asked.slices} of {who}",
                folder=project.relative(slice_run(run, part).folder),
                model=chosen.model.name,
            )
            job = _job(project, slice_run(run, part), video, chosen, name, part, changes)
            slices.append(_step(project, planned, f"{label} · slice {number}", job, video, chosen))
    planned_whole = PlannedEvents(
        video=video.name,
        in_words=f"events of {who}",
        folder=project.relative(run.folder),
        title=video.title,
        model=chosen.model.name,
        model_title=chosen.model.title,
        task=task.model_dump_json(),
        trial=trial,
        truth=truth,
    )
    job = _job(project, run, video, chosen, name, whole, changes)
    last = _step(project, planned_whole, label, job, video, chosen, tuple(slices), fresh)
    return [*slices, last]


def _job(
    project: Project,
    run: Run,
    video: Video,
    chosen: Chosen,
    task: str,
    part: Share,
    changes: Changes,
) -> Job:
    model = chosen.model
    return Job(
        notebook=project.notebooks / NOTEBOOK,
        run=run,
        parameters={
            "model": chosen.name,
            "video": reference(video, project),
            "task": task,
            "part": part.model_dump(),
            "changes": {"model": chosen.changes, "task": changes},
        },
        kernel=model.kernel,
        timeout_s=model.timeout_s,
        environment=model.kernel_environment,
    )


def _step(
    project: Project,
    planned: PlannedSlice | PlannedEvents,
    label: str,
    job: Job,
    video: Video,
    chosen: Chosen,
    slices: tuple[Step, ...] = (),
    fresh: bool = False,
) -> Step:
    return Step(
        planned,
        label,
        job,
        video,
        after=slices,
        absorbs=bool(slices),
        # Slices lie within the whole run's folder, which was set aside before they began.
        fresh=fresh and not slices,
        model=chosen.model,
        missing_weights=find(project, chosen.model.weights).missing,
        key=missing_key(chosen.model),
        sends=destination(chosen.model),
    )
