"""Steps of further kinds: planned, run and shown without a word of theirs in bench or report."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from kairos_lib.bench import execution
from kairos_lib.bench.display import plan_lines
from kairos_lib.bench.plan import Plan, make_plan
from kairos_lib.bench.request import BenchRequest, suite_of
from kairos_lib.bench.step import Step
from kairos_lib.launch.job import Job
from kairos_lib.launch.launcher import Watcher
from kairos_lib.project import Project
from kairos_lib.report import executed
from kairos_lib.report.report_session import analysis_run
from kairos_lib.report.sections import tables
from kairos_lib.results import suite
from kairos_lib.results.badges import FAILED, OTHER_MACHINE, of_step
from kairos_lib.runs.files import write_record
from kairos_lib.runs.manifest import Manifest, PlannedStep
from kairos_lib.runs.run import EXECUTED, Run
from kairos_lib.runs.status import Status


class PlannedDigest(PlannedStep):
    """What a kind that Kairos has never heard of says of itself."""

    of_kind = "digest"

    words: int


@dataclass
class Launcher:
    """Ends every notebook at once, as it is told to."""

    failing: str = ""
    order: list[str] = field(default_factory=list)

    def launch(self, job: Job, watch: Watcher, stopped: threading.Event | None = None) -> Status:
        kind = job.run.folder.parts[-4] if "vlm" in str(job.run.folder) else job.notebook.stem
        self.order.append(kind)
        state = Status(state="done")
        if kind == self.failing:
            state = Status(state="failed", reason="error", message="no words for it")
        job.run.create()
        write_record(job.run.file("status.json"), state)
        job.run.file("result.json").write_text("{}")
        job.run.file(EXECUTED).write_text('{"cells": [], "nbformat": 4, "metadata": {}}')
        return state


class Row:
    """A row that nobody looks at."""

    def begin(self, number: int, total: int, label: str) -> Row:
        return self

    def update(self, progress: object) -> None:
        pass

    def end(self, status: object) -> None:
        pass


@pytest.fixture
def planned(unloaded: Project) -> Plan:
    """A suite's plan with a digest of each model's run after it."""
    plan = make_plan(unloaded, suite_of(unloaded, BenchRequest(suite="one", repeats=2)))
    return replace(plan, steps=[*plan.steps, *(digest(unloaded, step) for step in plan.vlms)])


def digest(project: Project, of: Step) -> Step:
    """A digest of a model's run."""
    folder = project.runs / "digest" / of.job.run.folder.name
    made = PlannedDigest(
        video=of.video.name,
        in_words=f"digest of {of.planned.in_words}",
        folder=project.relative(folder),
        words=7,
    )
    job = replace(of.job, notebook=Path("digest.ipynb"), run=Run(folder, {"of": of.job.run.key}))
    return Step(made, f"digest · {of.label}", job, of.video, after=(of,))


def test_each_step_begins_after_those_that_it_needs(project: Project, planned: Plan) -> None:
    launcher = Launcher()
    assert execution.carry_out(project, planned, Row(), 4, launcher) == 0
    assert launcher.order == ["base", "tiny", "tiny", "digest", "digest"]
    kinds = [[step.planned.kind for step in wave] for wave in planned.waves]
    assert kinds == [["base"], ["vlm", "vlm"], ["digest", "digest"]]


def test_it_is_listed_in_the_plan(project: Project, planned: Plan) -> None:
    told = "\n".join(plan_lines(project, planned))
    assert "digest · tiny · twelve · round 2" in told
    assert "5 to run, 0 cached" in told


@pytest.mark.parametrize(
    ("failing", "begun", "failed"), [("base", 1, 5), ("tiny", 3, 4), ("digest", 5, 2)]
)
def test_nothing_begins_whose_needs_failed(
    project: Project, planned: Plan, failing: str, begun: int, failed: int
) -> None:
    launcher = Launcher(failing)
    assert execution.carry_out(project, planned, Row(), launcher=launcher) == failed
    assert len(launcher.order) == begun


def test_the_manifest_keeps_what_a_kind_says_of_itself(project: Project, planned: Plan) -> None:
    execution.carry_out(project, planned, Row(), launcher=Launcher())
    found = suite.manifest(project, "one")
    assert [one.words for one in found.of(PlannedDigest)] == [7, 7]
    assert [step.kind for step in found.further] == ["digest", "digest"]
    again = Manifest.read(found.written())
    assert again.of(PlannedDigest) == found.of(PlannedDigest)


def test_the_report_shows_its_failure_and_its_notebook(project: Project, planned: Plan) -> None:
    execution.carry_out(project, planned, Row(), launcher=Launcher("digest"))
    before = analysis_run(project, "one").key
    data = suite.read(project, "one")
    assert [FAILED in of_step(step, data) for step in data.further] == [True, True]
    failures = str(tables.failures(data)._repr_html_())  # type: ignore[union-attr]
    assert failures.count("digest of tiny on twelve") == 2
    assert failures.count("no words for it") == 2
    listed = str(executed.notebooks_list(data)._repr_html_())  # type: ignore[union-attr]
    assert "notebooks/digest--twelve.html" in listed
    assert "notebooks/digest--twelve--2.html" in listed
    step = data.further[0]
    write_record(step.folder / "status.json", Status(state="done"))
    assert analysis_run(project, "one").key != before
    done = suite.read(project, "one").further[0]
    assert of_step(done, data) <= {OTHER_MACHINE}
