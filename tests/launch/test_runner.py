"""A runner that is left alone with its job file, as a scheduler of a cluster would start it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from helpers.notebooks import FINISH, job, marked_processes
from helpers.projects import CHECKOUT

from kairos_lib.launch.job import JOB_FILE, Job
from kairos_lib.project import Project
from kairos_lib.runs import locks
from kairos_lib.runs.files import write_record
from kairos_lib.runs.status import Status

WAITS = "(run / 'started').touch(); import time; time.sleep(300)"


def start(project: Project, given: Job, **more: str) -> subprocess.Popen[str]:
    """Start a runner with next to nothing around it."""
    given.write(project)
    command = [sys.executable, "-m", "kairos_lib.launch.runner", given.run.file(JOB_FILE)]
    bare = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": str(CHECKOUT)}
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        start_new_session=True,
        env={**bare, **more},
    )


def run_to_its_end(project: Project, given: Job, **more: str) -> Status:
    output, _ = start(project, given, **more).communicate(timeout=120)
    status = given.run.status()
    assert status is not None, output
    return status


def test_a_runner_that_is_left_alone_runs_its_notebook(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the variables of its job, not of its surroundings, and none of whoever planned it."""
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("SOME_API_KEY", "hidden")
    seen = (
        "names = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'EXTRA', 'HF_HUB_OFFLINE', 'KAIROS_ROOT')\n"
        "(run / 'seen').write_text(repr([answer, *map(os.environ.get, names)]))"
    )
    given = replace(job(project, seen, FINISH, answer=42), environment={"EXTRA": "more"})
    write_record(given.run.file("status.json"), Status(state="failed", message="before"))
    status = run_to_its_end(project, given, MKL_NUM_THREADS="7", OMP_NUM_THREADS="5")
    assert (status.state, status.reason, status.message) == ("done", None, "")
    assert given.run.file("result.json").exists()
    assert given.run.file("seen").read_text() == repr(
        [42, "3", None, "more", "1", str(project.root)]
    )
    assert "hidden" not in given.run.file(JOB_FILE).read_text()
    assert not marked_processes(given.run.folder)


def test_a_notebook_that_fails_says_so(project: Project) -> None:
    status = run_to_its_end(project, job(project, "1 / 0"))
    assert (status.state, status.reason) == ("failed", "error")
    assert status.message.startswith("ZeroDivisionError: division by zero (cell ")


def test_a_kernel_that_is_not_there_is_one_line(project: Project) -> None:
    status = run_to_its_end(project, replace(job(project, FINISH), kernel="nowhere"))
    assert (status.state, status.reason) == ("failed", "error")
    assert status.message.startswith("there is no Jupyter kernel 'nowhere': ")


def test_a_runner_keeps_the_time_and_leaves_nothing_behind(project: Project) -> None:
    child = (
        "import subprocess, sys\n"
        "code = 'import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)'\n"
        "child = subprocess.Popen([sys.executable, '-c', code], start_new_session=True)\n"
        "(run / 'pids').write_text(f'{os.getpid()} {child.pid}')"
    )
    given = job(project, child, WAITS, timeout_s=6.0)
    status = run_to_its_end(project, given)
    assert (status.state, status.reason) == ("failed", "timeout")
    assert status.message == "it took longer than 6 s: raise its timeout_s"
    for pid in map(int, given.run.file("pids").read_text().split()):
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"


def test_a_runner_that_is_told_to_end_says_that_it_was_interrupted(project: Project) -> None:
    given = job(project, "(run / 'pid').write_text(str(os.getpid()))", WAITS)
    waiting = start(project, given)
    wait_for(given.run.file("started"))
    assert given.run.worked_on() == "another bench"
    waiting.terminate()
    output, _ = waiting.communicate(timeout=60)
    status = given.run.status()
    assert status is not None, output
    assert (status.state, status.reason) == ("failed", "interrupted")
    assert status.message.endswith("run the same command to go on where it stopped")
    pid = int(given.run.file("pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"
    assert not given.run.worked_on()


def test_a_runner_leaves_alone_what_another_is_at_work_on(project: Project) -> None:
    given = job(project, FINISH)
    with locks.take(given.run.folder, locks.RUNNER, 0, ""):
        refused = start(project, given)
        output, _ = refused.communicate(timeout=60)
    assert refused.returncode == 2
    (line,) = output.splitlines()
    assert line.startswith("kairos: another bench is working on ")
    assert given.run.status() is None


def test_a_job_in_the_folder_of_another_run_is_refused(project: Project) -> None:
    given = job(project, FINISH)
    given.run.create()
    given.run.file("key.json").write_text('{"cells": "others"}')
    refused = start(project, given)
    output, _ = refused.communicate(timeout=60)
    assert refused.returncode == 2
    assert output.splitlines()[-1].endswith("is not the run of its job: plan it again")


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
