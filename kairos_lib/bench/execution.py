"""Carries out a plan: base, then model by video by round, then analysis.

Imports no torch: what is loaded here would stay in memory beside every kernel.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from kairos_lib.bench.plan import Plan, Step
from kairos_lib.errors import KairosError
from kairos_lib.launch.job import Job
from kairos_lib.launch.kernels import OWN
from kairos_lib.launch.launcher import CauseError, Launcher, cause_of
from kairos_lib.launch.local import LocalLauncher
from kairos_lib.launch.slots import Slot, Slots
from kairos_lib.parameters.loading import fetching
from kairos_lib.pipeline.base_session import TRANSCRIPTS
from kairos_lib.pipeline.cache import start_afresh
from kairos_lib.project import Project
from kairos_lib.runs import locks
from kairos_lib.runs.files import write_record
from kairos_lib.runs.manifest import Manifest, PlannedBase, PlannedVlm
from kairos_lib.runs.run import EXECUTED
from kairos_lib.runs.status import Progress, Status
from kairos_lib.vlm.run import FITTING_BATCH

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
    for step in planned.vlms:
        if step.weights != "there" and not step.cached and step.model is not None:
            raise KairosError(f"{step.weights}: {fetching(project, step.model.weights)}")


def check_keys(project: Project, planned: Plan) -> None:
    """See that every key that something to be run wants is in the environment.

    Speech that was paid for is had without one, so that base processing may be tried where there
    are transcripts; it says then what is missing.

    Raises:
        KairosError: One is not set.
    """
    paid = any((project.runs / TRANSCRIPTS).glob("*.json"))
    for step in (*planned.bases, *planned.vlms):
        if step.key and not step.cached and not (step.kind == "base" and paid):
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
        slots: Notebooks that run at once; base processing is done before the first model.
        launcher: Runs them; on this machine if left out.

    Returns:
        The number of notebooks that failed.

    Raises:
        KairosError: A model's weights or a key are not here, or there are not as many GPUs as
            slots; nothing has been started.
    """
    check_weights(project, planned)
    check_keys(project, planned)
    room = Slots(slots)
    launcher = launcher or LocalLauncher(project)
    steps = [*planned.bases, *planned.vlms]
    todo = [step for step in steps if not step.cached]
    problems: dict[Path, str] = {}
    write_manifest(project, planned, problems)

    def run(number: int, step: Step, slot: Slot, stopped: threading.Event) -> None:
        problem = _blocked(planned, step)
        row = display.begin(number, len(todo), step.label)
        if problem:
            problems[step.job.run.folder] = problem
            row.end(Status(state="failed", reason="error", message=problem))
            return
        environment = {**step.job.environment, **slot.environment}
        job = replace(step.job, environment=environment, slots=slot.of, gpu=slot.gpu)
        if step.fresh:
            job = replace(job, afresh=partial(_begin_afresh, step))
        row.end(launcher.launch(job, row.update, stopped))
        rests.enter_context(locks.kept(step.job.run.folder))

    numbered = list(enumerate(todo, start=1))
    # What is there, or has been made, is to be there to the end, whoever else starts afresh.
    with ExitStack() as rests:
        for step in steps:
            if step.cached:
                rests.enter_context(locks.kept(step.job.run.folder))
        for kind in ("base", "vlm"):
            of_kind = [(number, step) for number, step in numbered if step.kind == kind]
            room.run([partial(run, number, step) for number, step in of_kind])
        write_manifest(project, planned, problems)
        return sum(not step.job.run.done for step in steps)


def _begin_afresh(step: Step) -> None:
    """Forget what was found out beside the results that were set aside."""
    if step.kind == "base":
        start_afresh(step.job.run.folder)
    elif step.repeat == 1:
        (step.job.run.folder.parent / FITTING_BATCH).unlink(missing_ok=True)


def _blocked(planned: Plan, step: Step) -> str:
    if step.kind == "base":
        return ""
    base = next(base for base in planned.bases if base.video == step.video)
    return "" if base.job.run.done else f"base processing of {step.video.name} failed"


def write_manifest(project: Project, planned: Plan, problems: dict[Path, str]) -> None:
    """Say which run folders a suite consists of."""
    manifest = Manifest(
        name=planned.suite.name,
        title=planned.suite.title,
        repeats=planned.suite.repeats,
        bases=tuple(
            PlannedBase(
                video=step.video.name,
                title=step.video.title,
                folder=project.relative(step.job.run.folder),
                references=step.references,
            )
            for step in planned.bases
        )
        + tuple(
            PlannedBase(video=one.name, title=one.title, folder="", problem=one.why)
            for one in planned.unusable
        ),
        runs=tuple(
            PlannedVlm(
                model=step.model.name,
                model_title=step.model.title,
                video=step.video.name,
                repeat=step.repeat,
                folder=project.relative(step.job.run.folder),
                variant_of=step.variant_of,
                problem=problems.get(step.job.run.folder, ""),
            )
            for step in planned.vlms
            if step.model is not None
        ),
        price_per_hour=planned.suite.price_per_hour,
        currency=planned.suite.currency,
    )
    write_record(project.runs / "suites" / f"{planned.suite.name}.json", manifest)


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
