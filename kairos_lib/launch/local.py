"""Runs one notebook in a process of its own, and sees it to its end.

Knows nothing of what notebooks do: a job names one, its parameters and the run folder it writes
to. The caller imports no torch; the kernel does.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kairos_lib.errors import no_room
from kairos_lib.launch.kernels import OWN_PYTHON, own_python
from kairos_lib.launch.processes import TOKEN, kill_marked
from kairos_lib.launch.runner import NO_ROOM_CODE
from kairos_lib.measure import threads, vram
from kairos_lib.project import Project
from kairos_lib.runs import locks
from kairos_lib.runs.files import read_record, write_json, write_record
from kairos_lib.runs.key_difference import read_mapping
from kairos_lib.runs.run import EXECUTED, Run, utc_now
from kairos_lib.runs.status import Progress, Reason, Status

ANSI = re.compile(r"\x1b\[[0-9;]*m")
"""Colours of a terminal."""
POLL_S = 0.2
LOOK_S = 1.0
FOLDER = "KAIROS_NOTEBOOK_FOLDER"
"""Environment variable that tells a notebook where its executed copy will lie."""
# A measurement must not wait for a network that happens to be there.
KERNEL_ENVIRONMENT = {
    # As NVML counts GPUs; CUDA's own order is by speed.
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
Watcher = Callable[[Progress], None]


@dataclass(frozen=True)
class Job:
    """One notebook to be run."""

    notebook: Path
    run: Run
    parameters: dict[str, Any]
    kernel: str
    timeout_s: float
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that the kernel is to have."""
    withheld: frozenset[str] = frozenset()
    """Variables of this process that it is not to have."""
    slots: int = 1
    """Notebooks that run at once."""
    gpu: str | None = None
    """The only one that it sees, where it does not see all."""
    afresh: Callable[[], None] | None = None
    """Where the results there are must be set aside first: what is to be done right after."""


def run_notebook(
    project: Project, job: Job, watch: Watcher, stopped: threading.Event | None = None
) -> Status:
    """Run a notebook and wait for it.

    Args:
        project: The checkout.
        job: What to run.
        watch: Told how far the notebook is, a few times a second.
        stopped: Set by whoever wants it to end at once.

    Returns:
        How it ended, as `status.json` in the run's folder says.

    Raises:
        KairosError: Another process is running the same job, or, where it is to start afresh,
            rests on its results.
        KeyboardInterrupt: The user stopped it; its status says so.
    """
    where = project.relative(job.run.folder)
    refusal = f"another bench is working on {where}: wait for it to end"
    # A plan that looks who holds it does so for no longer than this.
    with locks.take(job.run.folder, locks.RUNNER, LOOK_S, refusal):
        if job.afresh is not None:
            job.run.set_aside()
            job.afresh()
        job.run.create()
        return _supervise(project, job, watch, stopped or threading.Event())


class CauseError(Exception):
    """What went wrong in a kernel: its own traceback, as text."""


def cause_of(run: Run) -> str:
    """The tracebacks that a run's notebook ended with or printed; empty where there are none."""
    cells = read_mapping(run.file(EXECUTED)).get("cells", [])
    told = []
    for output in (one for cell in cells for one in cell.get("outputs", [])):
        if output["output_type"] == "error":
            told.append("\n".join(output["traceback"]))
        elif output["output_type"] == "stream" and "Traceback" in "".join(output["text"]):
            told.append("".join(output["text"]))
    return ANSI.sub("", "\n".join(told))


def _supervise(project: Project, job: Job, watch: Watcher, stopped: threading.Event) -> Status:
    for name in ("status.json", "progress.json"):
        job.run.file(name).unlink(missing_ok=True)
    write_json(
        job.run.file("job.json"),
        {
            "notebook": str(job.notebook),
            "parameters": job.parameters,
            "kernel": job.kernel,
            "slots": job.slots,
        },
    )
    token = uuid.uuid4().hex
    vram_before_mib = vram.used_mib(job.gpu)
    started_at, started = utc_now(), time.monotonic()
    reason: Reason = "interrupted"
    message = "its runner was stopped: run the same command to go on where it stopped"
    with job.run.file("runner.log").open("ab") as log:
        runner = subprocess.Popen(
            [sys.executable, "-m", "kairos_lib.launch.runner", str(job.run.file("job.json"))],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={
                **{n: v for n, v in os.environ.items() if n not in job.withheld},
                **KERNEL_ENVIRONMENT,
                **threads.missing(),
                **job.environment,
                TOKEN: token,
                FOLDER: str(job.run.folder.resolve()),
                "KAIROS_ROOT": str(project.root),
                OWN_PYTHON: own_python(),
            },
        )
    try:
        while runner.poll() is None:
            progress = read_record(job.run.file("progress.json"), Progress)
            if progress is not None:
                watch(progress)
            if time.monotonic() - started > job.timeout_s:
                reason = "timeout"
                message = f"it took longer than {job.timeout_s:.0f} s: raise its timeout_s"
                break
            if stopped.wait(POLL_S):
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        message = "stopped by the user: run the same command to go on where it stopped"
        raise
    finally:
        kill_marked(token)
        runner.wait()
        assert runner.stdin is not None
        runner.stdin.close()
        status = job.run.status()
        if runner.returncode == NO_ROOM_CODE:
            reason, message = "error", no_room(OSError(errno.ENOSPC, ""), job.run.folder)
        if status is None:
            status = Status(
                state="failed",
                reason=reason,
                message=message,
                started_at=started_at,
                ended_at=utc_now(),
                time_s=time.monotonic() - started,
                slots=job.slots,
            )
            write_record(job.run.file("status.json"), status)
    if vram_before_mib:
        # The driver takes a moment to give back what a process held; the next one must not find
        # the GPU half full.
        kept_mib = vram.wait_until_back(vram_before_mib, job.gpu)
        status = status.model_copy(update={"vram_kept_mib": kept_mib})
        write_record(job.run.file("status.json"), status)
    return status
