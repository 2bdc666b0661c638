"""Carries out a plan: each step after those that it needs, then the analysis.

Imports no torch: whatever is loaded here stays in memory beside every kernel.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from kairos_lib.bench.plan import Plan
from kairos_lib.bench.step import Step
from kairos_lib.errors import KairosError
from kairos_lib.launch.job import Job
from kairos_lib.launch.kernels import OWN
from kairos_lib.launch.launcher import CauseError, Launcher, cause_of
from kairos_lib.launch.local import LocalLauncher
from kairos_lib.launch.slots import Slot, Slots
from kairos_lib.parameters.loading import fetching
from kairos_lib.parameters.suite import Suite
from kairos_lib.project import Project
from kairos_lib.runs import locks
from kairos_lib.runs.files import write_record
from kairos_lib.runs.manifest import Manifest, PlannedBase, PlannedStep
from kairos_lib.runs.run import EXECUTED
from kairos_lib.runs.status import Progress, Status

ANALYSIS_TIMEOUT_S = 1800.0


class Row(Protocol):
    """One notebook in a display."""

    def update(self, progress: Progress) -> None:
        """It got further."""

    def end(self, status: Status) -> None:
        """It ended."""


class Display(Protocol):
    """Shows the progress of a bench."""

    def begin(self, number: int, total: int, label: str) -> Row:
        """A notebook starts."""


def check_weights(project: Project, planned: Plan) -> None:
    """Check that every model that has to run has its weights here.

    Raises:
        KairosError: One has not; the message says how to get them.
    """
    for step in planned.steps:
        if step.missing_weights and not step.cached and step.model is not None:
            raise KairosError(f"{step.missing_weights}: {fetching(project, step.model.weights)}")


def check_keys(steps: Iterable[Step]) -> None:
    """Check that every key needed by a step to run is in the environment.

    Raises:
        KairosError: One is not set.
    """
    for step in steps:
        if step.key and not step.cached and not step.tried_without_key:
            raise KairosError(f"{step.key} is not set, and {step.label} needs it: export it first")


def carry_out(
    project: Project,
    planned: Plan,
    display: Display,
    slots: int = 1,
    launcher: Launcher | None = None,
) -> int:
    """Run all that is not cached, then write the suite's manifest.

    Args:
        project: The checkout.
        planned: What to run.
        display: Shows progress.
        slots: Number of notebooks that run at once, if they do not depend on each other.
        launcher: Runs them; on this machine if left out.

    Returns:
        The number of notebooks that failed.

    Raises:
        KairosError: A model's weights or a key are not here, or there are more slots than GPUs;
            nothing has been started.
    """
    check_weights(project, planned)
    check_keys(planned.steps)
    room = Slots(slots)
    launcher = launcher or LocalLauncher(project)
    todo = [step for step in planned.steps if not step.cached]
    problems: dict[Path, str] = {}
    write_manifest(project, planned, problems)

    def run(number: int, step: Step, slot: Slot, stopped: threading.Event) -> None:
        row = display.begin(number, len(todo), step.label)
        if problem := step.blocked:
            problems[step.job.run.folder] = problem
            row.end(Status(state="failed", reason="error", message=problem))
            return
        environment = {**step.job.environment, **slot.environment}
        job = replace(step.job, environment=environment, slots=slot.of, gpu=slot.gpu)
        if step.fresh:
            job = replace(job, afresh=step.forget)
        row.end(launcher.launch(job, row.update, stopped))
        rests.enter_context(locks.kept(step.job.run.folder))

    numbers = {id(step): number for number, step in enumerate(todo, start=1)}
    # Results must stay in place to the end, even if another bench starts from scratch.
    with ExitStack() as rests:
        for step in planned.steps:
            if step.cached:
                rests.enter_context(locks.kept(step.job.run.folder))
        for wave in planned.waves:
            room.run(
                [partial(run, numbers[id(step)], step) for step in wave if id(step) in numbers]
            )
        write_manifest(project, planned, problems)
        return sum(not planned.done(step) for step in planned.steps)


def write_manifest(project: Project, planned: Plan, problems: dict[Path, str]) -> None:
    """Record which run folders a suite consists of."""
    put_away = [step for step in planned.steps if planned.done(step) and not step.job.run.done]
    steps = [
        step.planned.model_copy(update={"problem": problems.get(step.job.run.folder, "")})
        for step in planned.steps
        if not any(step is other for other in put_away)
    ]
    write_steps(project, planned.suite, [*steps, *left_out(planned)])


def left_out(planned: Plan) -> list[PlannedBase]:
    """What a manifest says of the videos that cannot be used."""
    return [
        PlannedBase(
            video=one.name,
            title=one.title,
            in_words=f"base processing of {one.name}",
            folder="",
            problem=one.why,
        )
        for one in planned.unusable
    ]


def write_steps(project: Project, suite: Suite, steps: Sequence[PlannedStep]) -> None:
    """Write a suite's manifest."""
    manifest = Manifest(
        name=suite.name,
        title=suite.title,
        repeats=suite.repeats,
        steps=tuple(steps),
        price_per_hour=suite.price_per_hour,
        currency=suite.currency,
    )
    write_record(project.runs / "suites" / f"{suite.name}.json", manifest)


def analyse(project: Project, suite: str, display: Display, fresh: bool = False) -> Path:
    """Run the analysis notebook over a suite's runs and export it, unless nothing has changed.

    Returns:
        The report's path.

    Raises:
        KairosError: The notebook failed.
    """
    from kairos_lib.report.executed import analysis_notebook
    from kairos_lib.report.report_session import analysis_run
    from kairos_lib.results.suite import manifest

    run = analysis_run(project, suite)
    index = project.reports / suite / "index.html"
    if run.done and index.exists() and not fresh:
        return index
    job = Job(
        notebook=project.notebooks / analysis_notebook(manifest(project, suite)),
        run=run,
        parameters={"suite": suite},
        kernel=OWN,
        timeout_s=ANALYSIS_TIMEOUT_S,
        afresh=(lambda: None) if fresh else None,
    )
    label = f"analysis · {suite}"
    row = display.begin(1, 1, label)
    status = LocalLauncher(project).launch(job, row.update)
    row.end(status)
    if status.state == "failed":
        raise KairosError(f"the report could not be made: {status.message}") from CauseError(
            cause_of(run)
        )
    from kairos_lib.report.executed import export_notebooks
    from kairos_lib.report.export import export

    executed = run.file(EXECUTED)
    export_notebooks(project, suite, executed, index.parent)
    export(project, executed, index)  # Last: the index shows that the report is complete.
    return index
