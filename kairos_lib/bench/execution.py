"""Carries out a plan: each step after those that it needs, then analysis.

Imports no torch: what is loaded here would stay in memory beside every kernel.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
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
    """One notebook, as it is shown."""

    def update(self, progress: Progress) -> None:
        """It got further."""

    def end(self, status: Status) -> None:
        """It ended."""


class Display(Protocol):
    """Whoever shows a bench its progress."""

    def begin(self, number: int, total: int, label: str) -> Row:
        """A notebook starts."""


def check_weights(project: Project, planned: Plan) -> None:
    """See that every model that has to run has its weights here.

    Raises:
        KairosError: One has not; the line says how to get them.
    """
    for step in planned.steps:
        if step.missing_weights and not step.cached and step.model is not None:
            raise KairosError(f"{step.missing_weights}: {fetching(project, step.model.weights)}")


def check_keys(planned: Plan) -> None:
    """See that every key that something to be run wants is in the environment.

    Raises:
        KairosError: One is not set.
    """
    for step in planned.steps:
        if step.key and not step.cached and not step.tried_without_key:
            raise KairosError(f"{step.key} is not set, and {step.label} wants it: export it first")


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
        display: Shows how far it is.
        slots: Notebooks that run at once, of those that wait for no other.
        launcher: Runs them; on this machine if left out.

    Returns:
        The number of notebooks that failed.

    Raises:
        KairosError: A model's weights or a key are not here, or there are not as many GPUs as
            slots; nothing has been started.
    """
    check_weights(project, planned)
    check_keys(planned)
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
    # What is there, or has been made, is to be there to the end, whoever else starts afresh.
    with ExitStack() as rests:
        for step in planned.steps:
            if step.cached:
                rests.enter_context(locks.kept(step.job.run.folder))
        for wave in planned.waves:
            room.run(
                [partial(run, numbers[id(step)], step) for step in wave if id(step) in numbers]
            )
        write_manifest(project, planned, problems)
        return sum(not step.job.run.done for step in planned.steps)


def write_manifest(project: Project, planned: Plan, problems: dict[Path, str]) -> None:
    """Say which run folders a suite consists of."""
    steps = [
        step.planned.model_copy(update={"problem": problems.get(step.job.run.folder, "")})
        for step in planned.steps
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
    from kairos_lib.report.report_session import analysis_run

    run = analysis_run(project, suite)
    index = project.reports / suite / "index.html"
    if run.done and index.exists() and not fresh:
        return index
    job = Job(
        notebook=project.notebooks / "analysis.ipynb",
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
    export(project, executed, index)  # Last: the index is the sign that the report is whole.
    return index
