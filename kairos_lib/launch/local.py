"""Runs notebooks on this machine, each in a process of its own, and waits until they end.

Does not know what notebooks do: a job names one, its parameters and the run folder it writes to.
The caller imports no torch; the kernel does.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass

from kairos_lib.errors import no_room
from kairos_lib.launch.job import JOB_FILE, RUNNER_STOPPED, Job, refusal, took_too_long
from kairos_lib.launch.launcher import Watcher
from kairos_lib.launch.processes import TOKEN, kill_marked
from kairos_lib.launch.runner import LOOK_S, NO_ROOM_CODE
from kairos_lib.measure import vram
from kairos_lib.project import Project
from kairos_lib.runs import locks
from kairos_lib.runs.files import read_record, write_record
from kairos_lib.runs.run import utc_now
from kairos_lib.runs.status import Progress, Reason, Status

POLL_S = 0.2


@dataclass(frozen=True)
class LocalLauncher:
    """Runs notebooks on this machine; a `Launcher`."""

    project: Project

    def launch(self, job: Job, watch: Watcher, stopped: threading.Event | None = None) -> Status:
        """Run a notebook and wait for it; see `Launcher`."""
        where = self.project.relative(job.run.folder)
        with locks.take(job.run.folder, locks.RUNNER, LOOK_S, refusal(where)):
            if job.afresh is not None:
                job.run.set_aside()
                job.afresh()
            job.run.create()
            return self._supervise(job, watch, stopped or threading.Event())

    def _supervise(self, job: Job, watch: Watcher, stopped: threading.Event) -> Status:
        written = job.write(self.project)
        token = uuid.uuid4().hex
        vram_before_mib = vram.used_mib(job.gpu)
        started_at, started = utc_now(), time.monotonic()
        reason: Reason = "interrupted"
        message = RUNNER_STOPPED
        command = [sys.executable, "-m", "kairos_lib.launch.runner"]
        with job.run.file("runner.log").open("ab") as log:
            runner = subprocess.Popen(
                [*command, str(written.file(JOB_FILE)), "--attached"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # The runner sets this itself; other processes see what it was started with.
                env={
                    **{n: v for n, v in os.environ.items() if n not in written.withheld},
                    **written.environment,
                    TOKEN: token,
                },
            )
        try:
            while runner.poll() is None:
                progress = read_record(job.run.file("progress.json"), Progress)
                if progress is not None:
                    watch(progress)
                if time.monotonic() - started > job.timeout_s:
                    reason, message = "timeout", took_too_long(job.timeout_s)
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
            # The driver takes a moment to free a process's memory; the next notebook must not find
            # the GPU half full.
            kept_mib = vram.wait_until_back(vram_before_mib, job.gpu)
            status = status.model_copy(update={"vram_kept_mib": kept_mib})
            write_record(job.run.file("status.json"), status)
        return status
