"""One notebook to run, and `job.json` in its run's folder, which describes it to a runner.

The file holds all that the notebook needs, so that its runner can be started by anyone, with almost
no environment, on any machine that sees the folder. It contains no secrets: a runner takes those
from its own environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kairos_lib.errors import KairosError
from kairos_lib.launch.kernels import OWN_PYTHON, own_python
from kairos_lib.measure import threads
from kairos_lib.project import ANALYZERS, Project
from kairos_lib.runs.files import read_record, write_record
from kairos_lib.runs.record import Record
from kairos_lib.runs.run import NOTEBOOK_FOLDER, Run

JOB_FILE = "job.json"
# A measurement must not wait for a network that happens to exist.
KERNEL_ENVIRONMENT = {
    # Number GPUs as NVML does; CUDA's own order is by speed.
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
RUNNER_STOPPED = "its runner was stopped: run the same command to go on where it stopped"


def took_too_long(timeout_s: float) -> str:
    """The message about a notebook that was ended for taking too long."""
    return f"it took longer than {timeout_s:.0f} s: raise its timeout_s"


def refusal(where: Path | str) -> str:
    """The message for a process that finds another one working on a run's folder."""
    return f"another bench is working on {where}: wait for it to end"


class JobFile(Record):
    """A job as read by its runner: `job.json`."""

    notebook: Path
    parameters: dict[str, Any]
    kernel: str
    timeout_s: float
    slots: int
    gpu: str | None
    folder: Path
    """The run's."""
    key: str
    """The run's."""
    environment: dict[str, str]
    """Environment variables that the kernel must have, whatever the runner's environment."""
    withheld: tuple[str, ...]
    """Environment variables that it must not have."""

    def settle(self) -> None:
        """Apply the job's environment to this process and to what it starts."""
        for name in self.withheld:
            os.environ.pop(name, None)
        os.environ.update(self.environment)

    def file(self, name: str) -> Path:
        """Path of a file in the run's folder."""
        return self.folder / name

    def clear(self) -> None:
        """Delete the last attempt's progress and status."""
        for name in ("status.json", "progress.json"):
            self.file(name).unlink(missing_ok=True)


@dataclass(frozen=True)
class Job:
    """One notebook to run."""

    notebook: Path
    run: Run
    parameters: dict[str, Any]
    kernel: str
    timeout_s: float
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables for the kernel in addition to those that all get."""
    withheld: frozenset[str] = frozenset()
    """Variables of a runner's environment that it must not get."""
    slots: int = 1
    """Notebooks that run at once."""
    gpu: str | None = None
    """The only GPU that it sees, unless it sees all."""
    afresh: Callable[[], None] | None = None
    """If existing results must be set aside first: a callback to run right after that."""

    thread_variables: Mapping[str, str] = field(default_factory=threads.chosen)
    """How many threads compute and how they wait: as it was where the job was planned."""

    def write(self, project: Project) -> JobFile:
        """Create the run's folder and write its job file, which begins an attempt.

        The status of the last attempt is deleted.
        """
        self.run.create()
        folder = self.run.folder.resolve()
        environment = {
            **KERNEL_ENVIRONMENT,
            **self.thread_variables,
            **self.environment,
            NOTEBOOK_FOLDER: str(folder),
            "KAIROS_ROOT": str(project.root),
            OWN_PYTHON: own_python(),
        }
        if folders := os.environ.get(ANALYZERS):
            environment[ANALYZERS] = folders
        # Threads are part of a key: other settings where the job runs must not interfere.
        foreign = self.withheld | (set(threads.NAMES) - set(environment))
        written = JobFile(
            notebook=self.notebook.absolute(),
            parameters=self.parameters,
            kernel=self.kernel,
            timeout_s=self.timeout_s,
            slots=self.slots,
            gpu=self.gpu,
            folder=folder,
            key=self.run.key,
            environment=environment,
            withheld=tuple(sorted(foreign)),
        )
        written.clear()
        write_record(folder / JOB_FILE, written)
        return written


def read_job(path: Path) -> JobFile:
    """Read the job for a runner.

    Raises:
        KairosError: There is no such file, or it is not a job.
    """
    found = read_record(path, JobFile)
    if found is None:
        raise KairosError(f"there is no job at {path}: `make bench` writes one for each notebook")
    return found
