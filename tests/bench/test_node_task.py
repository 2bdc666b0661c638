"""A task as a node runs it: planned again, run, and told of; without SLURM."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from helpers.projects import write_parameters
from helpers.submissions import Launcher, Row, planned, real_submission

from kairos_lib.bench.node_task import run_task, settle_threads
from kairos_lib.bench.submission import IN_WORDS, Place
from kairos_lib.project import Project
from kairos_lib.runs.files import read_record, write_record
from kairos_lib.runs.status import Status


@pytest.fixture
def handed(project: Project, clip: Path, tmp_path: Path) -> tuple[Project, Place]:
    """A real plan of a video, and of a model here and one on a GPU that is not."""
    return project, real_submission(project, clip, tmp_path / "weights")


def test_a_plan_is_made_where_its_gpus_are_not(handed: tuple[Project, Place]) -> None:
    tasks = handed[1].submission().tasks
    assert [(t.label, t.wave, t.after) for t in tasks] == [
        ("base · twelve", 0, ()), ("tiny · twelve", 1, (0,)), ("far · twelve", 1, (0,)),
    ]  # fmt: skip
    assert not any(t.planned.folder for t in tasks)


def test_a_node_plans_again_and_says_which_folder_it_is(handed: tuple[Project, Place]) -> None:
    project, place = handed
    launcher = Launcher()
    for number in (0, 1):
        record = run_task(project, place, number, 1, Row(), launcher=launcher)
        assert record.fate == "done"
        assert record.planned is not None
        assert (project.root / record.planned.folder / "status.json").exists()
    # Two may run beside one another, on nodes that they may share.
    assert [job.slots for job in launcher.jobs] == [1, 2]
    again = run_task(project, place, 1, 0, Row(), launcher=launcher)
    assert (again.was_there, len(launcher.jobs)) == (True, 2)
    assert list(place.attempts(1)) == [1, 2]


def test_a_model_that_a_node_cannot_run_fails_alone(handed: tuple[Project, Place]) -> None:
    project, place = handed
    run_task(project, place, 0, 1, Row(), launcher=Launcher())
    record = run_task(project, place, 2, 1, Row(), launcher=Launcher())
    assert record.fate == "refused"
    assert "model far: device: cuda:7 is not here" in record.message


def test_nothing_runs_whose_needs_are_not_done(handed: tuple[Project, Place]) -> None:
    project, place = handed
    run_task(project, place, 0, 1, Row(), launcher=Launcher("error"))
    launcher = Launcher()
    record = run_task(project, place, 1, 1, Row(), launcher=launcher)
    assert (record.fate, record.message) == ("refused", "base processing of twelve failed")
    assert not launcher.jobs


def test_needs_that_would_be_others_here_are_told(handed: tuple[Project, Place]) -> None:
    project, place = handed
    run_task(project, place, 0, 1, Row(), launcher=Launcher())
    base = {"title": "Plain", "stages": ["scenes"], "scenes": {"thumbnail_px": 97}}
    write_parameters(project, "base", "plain", base)
    record = run_task(project, place, 1, 1, Row(), launcher=Launcher())
    assert record.fate == "refused"
    assert "parameters or packages are not the same" in record.message


@pytest.mark.parametrize(
    ("told", "expected"),
    [(signal.SIGUSR2, "limit"), (signal.SIGTERM, "cancelled"), (signal.SIGINT, "interrupted")],
)
def test_a_task_that_is_told_to_stop_says_why(
    handed: tuple[Project, Place], told: signal.Signals, expected: str
) -> None:
    project, place = handed
    before = signal.getsignal(told)
    record = run_task(project, place, 0, 1, Row(), launcher=Launcher(told=told))
    assert record.fate == expected
    assert place.attempts(0)[1].fate == expected
    assert record.planned is not None
    status = read_record(project.root / record.planned.folder / "status.json", Status)
    assert status is not None
    assert (status.reason, status.message) == (
        "interrupted",
        f"it {IN_WORDS[record.fate]}: run the same command to go on where it stopped",
    )
    assert signal.getsignal(told) == before


def test_what_is_made_afresh_is_set_aside_once(handed: tuple[Project, Place]) -> None:
    project, place = handed
    run_task(project, place, 0, 1, Row(), launcher=Launcher())
    write_record(place.plan, planned(project, fresh=True))
    (place.folder / "tasks" / "00000" / "1.json").unlink()
    launcher = Launcher("interrupted")
    for attempt in (1, 2):
        run_task(project, place, 0, attempt, Row(), launcher=launcher)
    assert [job.afresh is not None for job in launcher.jobs] == [True, False]


def test_a_task_computes_with_the_processors_that_it_was_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    settle_threads()
    assert os.environ["OMP_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    settle_threads()
    assert os.environ["OMP_NUM_THREADS"] == "7"
