"""The process that runs one notebook: `python -m kairos_lib.launch.runner JOB.json`.

It starts the kernel, waits for it, says in `status.json` how it ended, and leaves no process
behind. It ends with whoever started it: its standard input is a pipe from there, and the end of
that pipe means that nobody is waiting any more.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from kairos_lib.errors import KairosError, no_room
from kairos_lib.launch.kernels import OWN, python_of
from kairos_lib.launch.processes import TOKEN, kill_marked
from kairos_lib.lean_imports import without_iri_grammar
from kairos_lib.runs.files import write_json, write_record
from kairos_lib.runs.run import EXECUTED, utc_now
from kairos_lib.runs.status import Reason, Status

KERNEL_START_S = 120
# Papermill gives up on a silent output channel after 4 s by default; a loading model is silent.
OUTPUT_WAIT_S = 60
NO_ROOM_CODE = 74
"""Exit code where there was no room to say how the notebook ended: EX_IOERR of sysexits.h."""
OUT_OF_MEMORY_NAMES = {"OutOfMemoryError", "MemoryError", "AcceleratorError"}


def main(job_file: Path) -> int:
    """Run the notebook that a job file describes, in the folder that the file lies in."""
    logging.basicConfig(level=logging.WARNING)
    job = json.loads(job_file.read_text(encoding="utf-8"))
    folder = job_file.parent.resolve()
    token = os.environ[TOKEN]
    threading.Thread(target=_end_with_parent, args=(token,), daemon=True).start()
    os.chdir(folder)
    started_at, started = utc_now(), time.perf_counter()
    reason, message = _execute(job, folder)
    kill_marked(token)
    if reason is None and not (folder / "result.json").exists():
        reason, message = (
            "error",
            (f"the notebook ran to its end but wrote no result.json: see {folder / EXECUTED}"),
        )
    status = Status(
        state="done" if reason is None else "failed",
        reason=reason,
        message=message,
        started_at=started_at,
        ended_at=utc_now(),
        time_s=time.perf_counter() - started,
        python=python_of(job["kernel"]),
        slots=job["slots"],
    )
    try:
        write_record(folder / "status.json", status)
    except KairosError:  # Whoever started it tries again, with the room that is left by then.
        return NO_ROOM_CODE
    return 0 if reason is None else 1


def _end_with_parent(token: str) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    kill_marked(token)
    os._exit(1)


def _execute(job: dict[str, Any], folder: Path) -> tuple[Reason | None, str]:
    """Run all cells.

    Returns:
        Why it failed and one line about it; nothing where it did not.
    """
    without_iri_grammar()
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    if job["kernel"] == OWN:
        _pin_own_kernel(folder)
    killed_before = _out_of_memory_kills()
    source = Path(job["notebook"])
    try:
        papermill.execute_notebook(
            # Read here and written by a bare name: papermill takes braces in a path for a format.
            _read(source),
            EXECUTED,
            parameters=job["parameters"],
            kernel_name=job["kernel"],
            language="python",
            cwd=str(source.parent),
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
            f"{error.ename}: {first_line} (cell {error.exec_count} of {folder / EXECUTED})",
        )
    except Exception as error:
        # jupyter_client tells of a kernel that dies while it starts by a bare RuntimeError.
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
    """Let `python3` mean this environment, whatever a user has installed under that name."""
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
    """How many processes Linux has killed for memory since it was started."""
    try:
        for line in Path("/proc/vmstat").read_text(encoding="utf-8").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except OSError:
        pass  # Not Linux: such a death is reported as a dead kernel.
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
