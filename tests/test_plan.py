"""What a plan says, through the public door and in this process: nothing is started."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock
from helpers.projects import fill

from kairos_lib.asked import Asked, suite_of
from kairos_lib.display import plan_lines
from kairos_lib.plan import make_plan
from kairos_lib.project import Project
from kairos_lib.runs import RUNNER_LOCK, WRITER_LOCK


@pytest.fixture
def ready(project: Project, clip: Path, tmp_path: Path) -> Project:
    """A project with one video and one model whose weights nobody will load."""
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"weights")
    fill(project, clip, weights)
    return project


def test_a_run_that_somebody_is_at_work_on_is_said_to_be(ready: Project) -> None:
    planned = make_plan(ready, suite_of(ready, Asked(suite="one")))
    (step,) = planned.vlms
    step.job.run.create()
    assert step.why == "was cut short: goes on"
    for name, said in ((RUNNER_LOCK, "another bench"), (WRITER_LOCK, "a notebook")):
        with FileLock(step.job.run.file(name)):
            assert step.why == f"{said} is working on it"
            told = plan_lines(ready, planned)
            assert f"[bold]run[/]     tiny · twelve: {said} is working on it" in told[2]
    assert step.why == "was cut short: goes on"
