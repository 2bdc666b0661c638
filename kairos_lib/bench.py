"""Carries out a plan: base, then model by video by round, then analysis.

Imports no torch: what is loaded here would stay in memory beside every kernel.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from kairos_lib.errors import KairosError
from kairos_lib.kernels import OWN
from kairos_lib.notebooks import Job, run_notebook
from kairos_lib.plan import Plan, Step
from kairos_lib.project import Project
from kairos_lib.records import Manifest, PlannedBase, PlannedVlm, Progress, Status
from kairos_lib.runs import write_record
from kairos_lib.stages.cache import start_afresh

ANALYSIS_TIMEOUT_S = 1800.0


class Display(Protocol):
    """Whoever shows a bench its progress."""

    def begin(self, number: int, total: int, label: str) -> None:
        """A notebook starts."""

    def update(self, progress: Progress) -> None:
        """It got further."""

    def end(self, label: str, status: Status) -> None:
        """It ended."""


def check_weights(planned: Plan) -> None:
    """See that every model that has to run has its weights here.

    Raises:
        KairosError: One has not; the line says how to get them.
    """
    for step in planned.vlms:
        if step.weights != "there" and not step.cached and step.model is not None:
            hint = (
                f"run `make fetch MODEL={step.model.name}`"
                if step.model.weights.source == "hub"
                else "see parameters/models/" + step.model.name + ".yaml"
            )
            raise KairosError(f"{step.weights}: {hint}")


def carry_out(project: Project, planned: Plan, display: Display) -> int:
    """Run all that is not cached, then write the suite's manifest.

    Returns:
        The number of notebooks that failed.

    Raises:
        KairosError: A model's weights are not here; nothing has been started.
    """
    check_weights(planned)
    steps = [*planned.bases, *planned.vlms]
    todo = [step for step in steps if not step.cached]
    problems: dict[Path, str] = {}
    write_manifest(project, planned, problems)
    for number, step in enumerate(todo, start=1):
        problem = _blocked(planned, step)
        if problem:
            problems[step.job.run.folder] = problem
            display.begin(number, len(todo), step.label)
            display.end(step.label, Status(state="failed", reason="error", message=problem))
            continue
        if step.fresh:
            step.job.run.set_aside()
            if step.kind == "base":
                start_afresh(step.job.run.folder)
        display.begin(number, len(todo), step.label)
        display.end(step.label, run_notebook(project, step.job, display.update))
    write_manifest(project, planned, problems)
    return sum(not step.job.run.done for step in steps)


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
            )
            for step in planned.bases
        ),
        runs=tuple(
            PlannedVlm(
                model=step.model.name,
                model_title=step.model.title,
                video=step.video.name,
                repeat=step.repeat,
                folder=project.relative(step.job.run.folder),
                problem=problems.get(step.job.run.folder, ""),
            )
            for step in planned.vlms
            if step.model is not None
        ),
    )
    write_record(project.runs / "suites" / f"{planned.suite.name}.json", manifest)


def analyse(project: Project, suite: str, display: Display, fresh: bool = False) -> Path:
    """Run the analysis notebook over a suite's runs and export it, unless nothing has changed.

    Returns:
        The report's path.

    Raises:
        KairosError: The notebook failed.
    """
    from kairos_lib.report.session import analysis_run

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
    )
    if fresh:
        run.set_aside()
    label = f"analysis · {suite}"
    display.begin(1, 1, label)
    status = run_notebook(project, job, display.update)
    display.end(label, status)
    if status.state == "failed":
        raise KairosError(f"the report could not be made: {status.message}")
    from kairos_lib.report.export import export

    export(project, run.file("notebook.ipynb"), index)
    return index
