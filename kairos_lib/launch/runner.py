"""The process that runs one notebook: `python -m kairos_lib.launch.runner JOB.json`.

It starts the kernel, waits for it, records in `status.json` how it ended, and leaves no process
behind. All that it needs is in the job file, so that it can be started by anyone, here or on
another machine, and left alone: it enforces the job's time limit, and SIGTERM ends it.

With `--attached` it ends together with its parent instead: its standard input is a pipe from the
parent, and the end of that pipe means that nothing is waiting for it.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
import uuid
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from kairos_lib.errors import KairosError, no_room
from kairos_lib.launch.job import RUNNER_STOPPED, JobFile, read_job, refusal, took_too_long
from kairos_lib.launch.kernels import OWN, python_of
from kairos_lib.launch.processes import TOKEN, kill_marked
from kairos_lib.lean_imports import without_iri_grammar
from kairos_lib.runs import locks
from kairos_lib.runs.files import write_json, write_record
from kairos_lib.runs.key_difference import key_inputs
from kairos_lib.runs.run import EXECUTED, key_of, utc_now
from kairos_lib.runs.status import Reason, Status

KERNEL_START_S = 120
# By default papermill gives up on an output channel that is silent for 4 s; a loading model is.
OUTPUT_WAIT_S = 60
NO_ROOM_CODE = 74
"""Exit code if there was no disk space to record how the notebook ended: EX_IOERR of sysexits.h."""
REFUSED_CODE = 2
"""Exit code if nothing was run, and nothing recorded in the run's folder."""
STDIN = 0
LOOK_S = 1.0
"""A plan that checks who works on a run holds its lock no longer than this."""
OUT_OF_MEMORY_NAMES = {"OutOfMemoryError", "MemoryError", "AcceleratorError"}
End = tuple[Reason | None, str]
"""Why a notebook failed and one line about it; empty if it did not."""


def main(job_file: Path, attached: bool = False) -> int:
    """Run the notebook that a job file describes.

    Args:
        job_file: Written by `Job.write`.
        attached: Whether to end with the parent, which holds the run's lock and enforces its time.

    Returns:
        The exit code.

    Raises:
        KairosError: There is no such job, its folder does not belong to its run, or another process
        is
            working on it.
    """
    logging.basicConfig(level=logging.WARNING)
    job = read_job(job_file)
    job.settle()
    if attached:
        token = os.environ[TOKEN]
        threading.Thread(target=_end_with_parent, args=(token,), daemon=True).start()
        return _run(job, token, SimpleQueue(), None)
    return _run_detached(job)


def _run_detached(job: JobFile) -> int:
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), STDIN)
    if key_of(key_inputs(job.folder)) != job.key:
        raise KairosError(f"{job.folder} is not the run of its job: plan it again")
    ends: SimpleQueue[End] = SimpleQueue()
    with locks.take(job.folder, locks.RUNNER, LOOK_S, refusal(job.folder)):
        # No other process ends what it starts.
        token = os.environ[TOKEN] = uuid.uuid4().hex
        # Putting into this kind of queue is safe even in a signal handler.
        signal.signal(signal.SIGTERM, lambda *_: ends.put(("interrupted", RUNNER_STOPPED)))
        job.clear()
        return _run(job, token, ends, job.timeout_s)


def _run(job: JobFile, token: str, ends: SimpleQueue[End], timeout_s: float | None) -> int:
    """Run the notebook until the first reported end, or until its time is up."""
    os.chdir(job.folder)
    started_at, started = utc_now(), time.perf_counter()
    # Not in this thread: signals arrive here, and nbclient would handle them differently.
    threading.Thread(target=lambda: ends.put(_end_of(job)), daemon=True).start()
    try:
        reason, message = ends.get(timeout=timeout_s)
    except Empty:
        reason, message = "timeout", took_too_long(job.timeout_s)
    finally:
        kill_marked(token)
    if reason is None and not job.file("result.json").exists():
        reason, message = (
            "error",
            f"the notebook ran to its end but wrote no result.json: see {job.file(EXECUTED)}",
        )
    status = Status(
        state="done" if reason is None else "failed",
        reason=reason,
        message=message,
        started_at=started_at,
        ended_at=utc_now(),
        time_s=time.perf_counter() - started,
        python=_python(job),
        slots=job.slots,
    )
    try:
        write_record(job.file("status.json"), status)
    except KairosError as error:  # An attached runner's parent tries again with the space left.
        logging.getLogger(__name__).error("%s", error)
        return NO_ROOM_CODE
    return 0 if reason is None else 1


def _python(job: JobFile) -> str:
    try:
        return python_of(job.kernel)
    except KairosError:
        return ""  # Then that is the reason for the failure.


def _end_of(job: JobFile) -> End:
    """Run all cells and report how that ended, whatever happens: the parent waits for it."""
    try:
        python_of(job.kernel)  # Raises an error that lists the known kernels.
        return _execute(job)
    except KairosError as error:
        return "error", str(error)
    except BaseException as error:
        logging.getLogger(__name__).exception("the notebook could not be run")
        return "error", " ".join(f"{type(error).__name__}: {error}".split())


def _end_with_parent(token: str) -> None:
    while os.read(STDIN, 4096):
        pass
    kill_marked(token)
    os._exit(1)


def _execute(job: JobFile) -> End:
    """Run all cells."""
    without_iri_grammar()
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    if job.kernel == OWN:
        _pin_own_kernel(job.folder)
    killed_before = _out_of_memory_kills()
    try:
        papermill.execute_notebook(
            # Read here and written by its bare name: papermill treats braces in a path as a format.
            _read(job.notebook),
            EXECUTED,
            parameters=job.parameters,
            kernel_name=job.kernel,
            language="python",
            cwd=str(job.notebook.parent),
            progress_bar=False,
            start_timeout=KERNEL_START_S,
            iopub_timeout=OUTPUT_WAIT_S,
        )
    except PapermillExecutionError as error:
        first_line = str(error.evalue).strip().splitlines()[0] if error.evalue else ""
        if error.ename == "KairosError":
            return "error", first_line
        if full := no_room(first_line):
            return "error", full
        memory = error.ename in OUT_OF_MEMORY_NAMES or "out of memory" in first_line
        return (
            "oom" if memory else "error",
            f"{error.ename}: {first_line} (cell {error.exec_count} of {job.file(EXECUTED)})",
        )
    except Exception as error:
        # jupyter_client raises a bare RuntimeError for a kernel that dies while it starts.
        if full := no_room(error):
            return "error", full
        if not isinstance(error, DeadKernelError) and "Kernel died" not in str(error):
            logging.getLogger(__name__).exception("the notebook could not be run")
            return "error", f"{type(error).__name__}: {error}".splitlines()[0]
        if _out_of_memory_kills() > killed_before:
            return "oom", "the system ran out of memory and killed the kernel: free some memory"
        return "kernel_died", "the kernel died: run the same command to go on where it stopped"
    return None, ""


def _read(notebook: Path) -> Any:
    import nbformat

    read: Any = nbformat.reads
    return read(notebook.read_text(encoding="utf-8"), as_version=4)


def _pin_own_kernel(folder: Path) -> None:
    """Make `python3` mean this environment, whatever a user has installed under that name."""
    specs = folder / ".jupyter"
    write_json(
        specs / "kernels" / OWN / "kernel.json",
        {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": "Kairos",
            "language": "python",
        },
    )
    os.environ["JUPYTER_PATH"] = os.pathsep.join(
        [str(specs), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    )


def _out_of_memory_kills() -> int:
    """How many processes Linux has killed for memory since boot."""
    try:
        for line in Path("/proc/vmstat").read_text(encoding="utf-8").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except OSError:
        pass  # Not Linux: such a death is reported as a dead kernel.
    return 0


def _command() -> int:
    parser = argparse.ArgumentParser(prog="python -m kairos_lib.launch.runner")
    parser.add_argument("job", type=Path, help="The job file that a bench wrote.")
    parser.add_argument("--attached", action="store_true", help="End with the parent process.")
    asked = parser.parse_args()
    try:
        return main(asked.job, asked.attached)
    except KairosError as error:
        sys.stderr.write(f"kairos: {error}\n")
        return REFUSED_CODE


if __name__ == "__main__":
    code = _command()
    logging.shutdown()
    sys.stderr.flush()
    # Not `sys.exit`: a thread may still be waiting for a kernel that was killed.
    os._exit(code)
