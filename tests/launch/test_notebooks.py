"""Notebooks under the runner: every way to end has its own status, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from helpers.notebooks import FINISH, job, marked_processes

from kairos_lib.errors import KairosError
from kairos_lib.launch.job import Job
from kairos_lib.launch.local import LocalLauncher
from kairos_lib.project import Project
from kairos_lib.runs.status import Progress, Status


def execute(project: Project, given: Job) -> Status:
    return LocalLauncher(project).launch(given, lambda progress: None)


def test_a_notebook_that_ends_well_is_done(project: Project) -> None:
    given = job(project, "(run / 'seen').write_text(str(answer))", FINISH, answer=42)
    status = execute(project, given)
    assert (status.state, status.reason) == ("done", None)
    assert given.run.done
    assert given.run.file("seen").read_text() == "42"
    executed = nbformat.read(given.run.file("notebook.ipynb"), as_version=4)
    assert all(c.execution_count for c in executed.cells if c.cell_type == "code")


def test_the_kernel_is_the_one_of_this_environment(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the user has another kernel under the same name."""
    spec = tmp_path / "share" / "kernels" / "python3"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(
        '{"argv": ["/bin/false", "{connection_file}"], "display_name": "x", "language": "python"}'
    )
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "share"))
    seen = "import os, sys; (run / 'python').write_text(sys.executable)"
    waiting = "(run / 'waiting').write_text(os.environ['OMP_WAIT_POLICY'])"
    monkeypatch.delenv("OMP_WAIT_POLICY")
    given = job(project, f"{seen}; {waiting}", FINISH)
    status = execute(project, given)
    assert status.state == "done"
    assert given.run.file("waiting").read_text() == "PASSIVE"
    assert given.run.file("python").read_text() == status.python


def test_an_error_is_told_in_one_line_with_its_cell(project: Project) -> None:
    status = execute(project, job(project, "1 / 0"))
    assert (status.state, status.reason) == ("failed", "error")
    assert status.message.startswith("ZeroDivisionError: division by zero (cell ")
    assert "\n" not in status.message


def test_an_error_that_a_user_can_put_right_is_told_in_its_own_words(project: Project) -> None:
    cell = "from kairos_lib.errors import KairosError\nraise KairosError('put the file there')"
    status = execute(project, job(project, cell))
    assert (status.reason, status.message) == ("error", "put the file there")


def test_running_out_of_memory_is_told_apart(project: Project) -> None:
    status = execute(project, job(project, "raise MemoryError('out of memory')"))
    assert status.reason == "oom"


def test_a_kernel_that_dies_is_not_taken_for_done(project: Project) -> None:
    status = execute(project, job(project, FINISH, "os.kill(os.getpid(), 9)", "x = 1"))
    assert (status.state, status.reason) == ("failed", "kernel_died")


def test_a_notebook_without_a_result_is_not_done(project: Project) -> None:
    status = execute(project, job(project, "x = 1"))
    assert (status.state, status.reason) == ("failed", "error")
    assert "wrote no result.json" in status.message


def test_a_notebook_that_takes_too_long_is_stopped(project: Project) -> None:
    given = job(project, "import time; time.sleep(300)", timeout_s=5.0)
    status = execute(project, given)
    assert (status.state, status.reason) == ("failed", "timeout")
    assert "raise its timeout_s" in status.message


def test_nothing_that_a_notebook_started_outlives_it(project: Project) -> None:
    """Not even a child in a session of its own that ignores polite signals."""
    child = (
        "import subprocess, sys\n"
        "code = 'import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)'\n"
        "child = subprocess.Popen([sys.executable, '-c', code], start_new_session=True)\n"
        "(run / 'child').write_text(str(child.pid))"
    )
    given = job(project, child, FINISH)
    assert execute(project, given).state == "done"
    child_pid = int(given.run.file("child").read_text())
    # A killed process stays in the table until its new parent has asked after it.
    assert not psutil.pid_exists(child_pid) or psutil.Process(child_pid).status() == "zombie"
    assert not marked_processes(given.run.folder)


def test_stopping_the_bench_stops_the_notebook_and_says_so(project: Project) -> None:
    # A shell that runs the tests in its background makes them ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    given = job(project, "(run / 'started').touch(); import time; time.sleep(300)")

    def stop() -> None:
        while not given.run.file("started").exists():
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=stop, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        execute(project, given)
    status = given.run.status()
    assert status is not None
    assert (status.state, status.reason) == ("failed", "interrupted")
    assert not marked_processes(given.run.folder)


def test_a_killed_runner_takes_its_kernel_along(project: Project) -> None:
    given = job(project, "(run / 'started').touch(); import time; time.sleep(300)")

    def kill() -> None:
        while not given.run.file("started").exists():
            time.sleep(0.1)
        for process in marked_processes(given.run.folder):
            if "kairos_lib.launch.runner" in process.cmdline():
                process.kill()

    threading.Thread(target=kill, daemon=True).start()
    status = execute(project, given)
    assert (status.state, status.reason) == ("failed", "interrupted")
    assert not marked_processes(given.run.folder)


def test_how_far_a_notebook_is_reaches_whoever_watches(project: Project) -> None:
    cell = (
        "import json, time\n"
        "progress = {'step': 'offline', 'done': 3, 'total': 12}\n"
        "(run / 'progress.json').write_text(json.dumps(progress)); time.sleep(1)"
    )
    seen: list[Progress] = []
    LocalLauncher(project).launch(job(project, cell, FINISH), seen.append)
    assert Progress(step="offline", done=3, total=12) in seen


def test_a_notebook_that_finds_the_disk_full_says_so(project: Project) -> None:
    """Whatever it was that could not be written, and whoever wanted to."""
    full = "import errno, os\nraise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), '/data/x')"
    status = execute(project, job(project, full))
    assert (status.state, status.reason) == ("failed", "error")
    assert status.message.startswith("the disk is full: there is no room")


def test_a_runner_without_room_for_its_status_is_no_runner_that_was_stopped(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = job(project, FINISH)
    given.run.create()
    runner = tmp_path / "runner"
    runner.write_text(f"#!/bin/sh\nexec {sys.executable} {tmp_path / 'runner.py'} \n")
    runner.chmod(0o755)
    (tmp_path / "runner.py").write_text(
        "import os, sys\n"
        "from pathlib import Path\n"
        "from kairos_lib.launch import runner\n"
        "from kairos_lib.errors import room_for\n"
        "runner._execute = lambda job: (None, '')\n"
        "def write_record(path, record):\n"
        "    with room_for(path): raise OSError(28, os.strerror(28))\n"
        "runner.write_record = write_record\n"
        "sys.exit(runner.main(Path(os.environ['KAIROS_NOTEBOOK_FOLDER']) / 'job.json', True))\n"
    )
    monkeypatch.setattr(sys, "executable", str(runner))
    status = execute(project, given)
    assert (status.state, status.reason) == ("failed", "error")
    assert status.message.startswith("the disk is full: there is no room to write ")


def test_two_benches_do_not_run_the_same_notebook_at_once(project: Project) -> None:
    waits = "import time\nwhile not (run / 'refused').exists(): time.sleep(0.1)"
    given = job(project, "(run / 'started').touch()", waits, FINISH)
    first: list[Status] = []
    thread = threading.Thread(target=lambda: first.append(execute(project, given)))
    thread.start()
    while not given.run.file("started").exists():
        time.sleep(0.1)
    with pytest.raises(KairosError, match="another bench is working on"):
        execute(project, given)
    given.run.file("refused").touch()
    thread.join()
    assert first[0].state == "done"


def test_reading_notebooks_builds_no_grammar_of_addresses() -> None:
    """It takes longer than all else that the runner imports."""
    code = (
        "import sys; from kairos_lib.lean_imports import without_iri_grammar\n"
        "without_iri_grammar()\n"
        "import papermill, nbconvert\n"
        "print(sys.modules.get('rfc3987_syntax'))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout == "None\n", answer.stderr
