"""What a file of `parameters/slurm` may say: how tasks are handed to a SLURM cluster."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, model_validator

from kairos_lib.names import showable
from kairos_lib.parameters.settings import ParameterFile, Settings

LINES_AT_MOST = 50
OURS = (
    "array", "dependency", "output", "error", "signal", "time", "job-name", "chdir", "requeue",
    "no-requeue", "parsable", "wrap", "wait", "export", "kill-on-invalid-dep", "partition",
    "account", "cpus-per-task", "mem", "exclusive",
)  # fmt: skip
"""Options of sbatch that Kairos gives by itself: a line of one's own must not take their place."""
OURS_SHORT = ("a", "d", "o", "e", "t", "J", "D", "W", "p", "A", "c")
"""The same by their letters."""


def _one_line(text: str) -> str:
    if not text.strip() or not showable(text) or re.search(r"[\n\r\t\v\f\x85\u2028\u2029]", text):
        raise ValueError("must be one line, with nothing in it that cannot be shown")
    return text


def _directive(text: str) -> str:
    """A line that sbatch reads by itself: only an option can stand there."""
    long = re.match(r"--([a-z][a-z0-9-]*)(=|$)", text)
    short = re.match(r"-([A-Za-z])( |$)", text)
    if not (long or short):
        raise ValueError(f"must be options of sbatch such as --constraint=a100, not {text!r}")
    if (long and long[1] in OURS) or (short and short[1] in OURS_SHORT):
        raise ValueError(f"{text!r} is what Kairos says itself: leave it out")
    return text


Line = Annotated[str, Field(max_length=1000), AfterValidator(_one_line)]
Directive = Annotated[Line, AfterValidator(_directive)]
Lines = Annotated[tuple[Directive, ...], Field(max_length=LINES_AT_MOST)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9@._,+-]*$", max_length=200)]
"""A name that SLURM knows; of partitions, several with commas."""


class Collector(Settings):
    """The small job after each array, which needs no GPU: it looks, goes on and reports."""

    partition: Word | None = None
    """Where it is not that of the tasks, which may be for GPUs alone."""
    cpus: int = Field(2, ge=1, le=1024)
    memory_mib: int = Field(8000, ge=100)
    limit_minutes: int = Field(60, ge=1)
    lines: Lines = ()
    """Further options of sbatch for it, such as a quality of service of its own."""


class Cluster(ParameterFile):
    """How tasks are handed to a SLURM cluster; each task is one notebook."""

    folder: ClassVar[str] = "slurm"
    title: str = ""
    partition: Word | None = None
    account: Word | None = None
    gpus: int = Field(1, ge=0, le=1024)
    """Of each task. With 0 none are asked for, but by `lines` (`--gres=gpu:a100:1`)."""
    cpus: int = Field(4, ge=1, le=1024)
    memory_mib: int = Field(32_000, ge=100)
    limit_minutes: int = Field(240, ge=1)
    """SLURM ends a task after this."""
    grace_s: int = Field(120, ge=10)
    """How long before its limit a task is told to stop, so that the next attempt goes on there.
    SLURM looks about once a minute, and may tell it a minute earlier."""
    exclusive: bool = False
    """Whether a task has a node to itself. Otherwise others may run beside it, and its times carry
    the badge of notebooks that ran at once."""
    throttle: int | None = Field(None, ge=1)
    """Tasks that run at once, at most."""
    max_array_size: int = Field(1001, ge=2)
    """The cluster's `MaxArraySize`, one more than the largest index of an array."""
    attempts: int = Field(3, ge=1, le=100)
    """How often a task is submitted, in all."""
    lines: Lines = ()
    """Further options of sbatch for tasks, one a line: they become `#SBATCH` lines as they are."""
    setup: Annotated[tuple[Line, ...], Field(max_length=LINES_AT_MOST)] = ()
    """Lines of bash that are run first, in tasks and collectors: `module load cuda`."""
    collector: Collector = Collector()

    @model_validator(mode="after")
    def _stops_within_its_limit(self) -> Cluster:
        if self.grace_s >= self.limit_minutes * 60:
            raise ValueError("grace_s must be shorter than limit_minutes")
        return self
