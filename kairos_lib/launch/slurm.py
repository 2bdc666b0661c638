"""SLURM as it is spoken to: scripts, `sbatch`, `squeue` and `scancel`.

Knows nothing of plans: a script runs one command for each index of an array. `sacct` is not asked,
since many clusters keep no accounts.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kairos_lib.errors import KairosError
from kairos_lib.measure.vram import VISIBLE
from kairos_lib.options import PREFIX
from kairos_lib.parameters.cluster import Cluster

SUBMIT_S = 180.0
"""A busy controller keeps sbatch waiting; sbatch itself asks again for some time."""
ASK_S = 30.0
INDEX = "SLURM_ARRAY_TASK_ID"
KEPT = frozenset({"SLURM_CONF", "SLURM_CLUSTERS"})
"""Variables of SLURM's own that say which cluster is meant, not which job one is in."""
LOGS = "logs"
"""Folder of what jobs print, within the one that they are submitted from."""
OF_ARRAYS = f"{LOGS}/%A_%a.txt"
OF_JOBS = f"{LOGS}/%j.txt"
ENDINGS = (
    ("DUE TO TIME LIMIT", "limit"),
    ("oom-kill", "oom"),
    ("Out Of Memory", "oom"),
    ("NODE FAILURE", "node"),
    ("CANCELLED AT", "cancelled"),
)
"""What SLURM itself writes at the end of a job's log, and what it means."""
LOG_TAIL_BYTES = 8192


@dataclass(frozen=True)
class Chunk:
    """Some tasks of one array: an array's indices begin at 0 and have an end."""

    offset: int
    """What is added to an index, to make the task's number."""
    tasks: tuple[int, ...]

    @property
    def indices(self) -> str:
        """As `--array` has them: `0-3,7`."""
        return spans([number - self.offset for number in self.tasks])


def chunks(tasks: Iterable[int], max_array_size: int) -> list[Chunk]:
    """Divide tasks among arrays, none of which has an index that is too large."""
    found: dict[int, list[int]] = defaultdict(list)
    for number in sorted(tasks):
        found[number // max_array_size].append(number)
    return [Chunk(group * max_array_size, tuple(found[group])) for group in sorted(found)]


def spans(numbers: Sequence[int]) -> str:
    """Numbers in rising order, with each row of them as its first and last: `0-3,7`."""
    rows: list[list[int]] = []
    for number in numbers:
        if rows and number == rows[-1][-1] + 1:
            rows[-1].append(number)
        else:
            rows.append([number])
    return ",".join(f"{row[0]}-{row[-1]}" if len(row) > 1 else f"{row[0]}" for row in rows)


@dataclass(frozen=True)
class Surroundings:
    """Where the commands of scripts run."""

    folder: Path
    """The working directory."""
    variables: Mapping[str, str]
    """On top of the environment that sbatch hands over."""


def array_script(
    cluster: Cluster,
    name: str,
    chunk: Chunk,
    command: Sequence[str],
    around: Surroundings,
    after: str = "",
) -> str:
    """The script of an array; `{}` in its command stands for the number of a task."""
    throttle = f"%{cluster.throttle}" if cluster.throttle else ""
    options = [
        f"--job-name={name}",
        f"--array={chunk.indices}{throttle}",
        f"--output={OF_ARRAYS}",
        f"--time={cluster.limit_minutes}",
        # Of the batch shell alone, which becomes the command. Not USR1, which NCCL uses.
        f"--signal=B:USR2@{cluster.grace_s}",
        *_asked(cluster, cluster.partition, cluster.cpus, cluster.memory_mib, after),
        *([f"--gres=gpu:{cluster.gpus}"] if cluster.gpus else []),
        *(["--exclusive"] if cluster.exclusive else []),
        *cluster.lines,
    ]
    number = f'"$(({INDEX} + {chunk.offset}))"'
    words = [number if word == "{}" else shlex.quote(word) for word in command]
    return _script(options, cluster, around, " ".join(words))


def job_script(
    cluster: Cluster, name: str, command: Sequence[str], around: Surroundings, after: str
) -> str:
    """The script of one small job after others."""
    own = cluster.collector
    options = [
        f"--job-name={name}",
        f"--output={OF_JOBS}",
        f"--time={own.limit_minutes}",
        *_asked(cluster, own.partition or cluster.partition, own.cpus, own.memory_mib, after),
        *own.lines,
    ]
    return _script(options, cluster, around, shlex.join(command))


def _asked(
    cluster: Cluster, partition: str | None, cpus: int, memory_mib: int, after: str
) -> list[str]:
    options = [f"--cpus-per-task={cpus}", f"--mem={memory_mib}M", "--no-requeue"]
    if partition:
        options.append(f"--partition={partition}")
    if cluster.account:
        options.append(f"--account={cluster.account}")
    if after:
        # Not afterok: after a failure that waits for ever.
        options += [f"--dependency=afterany:{after}", "--kill-on-invalid-dep=yes"]
    return options


def _script(options: list[str], cluster: Cluster, around: Surroundings, command: str) -> str:
    exports = [f"export {name}={shlex.quote(value)}" for name, value in around.variables.items()]
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {option}" for option in options),
        "# Until the command listens to it, the signal must not end the job.",
        "trap '' USR2",
        *cluster.setup,
        "set -u",
        f"cd -- {shlex.quote(str(around.folder))} || exit",
        *exports,
        f"exec {command}",
    ]
    return "\n".join(lines) + "\n"


def submit(script: str, folder: Path) -> str:
    """Hand a script to SLURM.

    Args:
        script: Its text.
        folder: Where its logs go, in `logs/`.

    Returns:
        The job's id.

    Raises:
        KairosError: SLURM is not here, or does not take it; the line has its own words.
    """
    (folder / LOGS).mkdir(parents=True, exist_ok=True)
    # The folder is where it is submitted from, so that its name is in no script.
    answer = _run(["sbatch", "--parsable"], SUBMIT_S, script, folder)
    # With several clusters, the cluster's name stands behind.
    return answer.strip().splitlines()[-1].partition(";")[0]


def cancel(jobs: Iterable[str]) -> None:
    """Take jobs back; those that have ended already are no error."""
    if wanted := list(jobs):
        _run(["scancel", "--quiet", *wanted], ASK_S)


@dataclass(frozen=True)
class Queued:
    """A job, or one task of an array, that SLURM still has."""

    job: str
    """The array's id, where it is of one."""
    index: int | None
    state: str
    """SLURM's word: `PENDING`, `RUNNING`, ..."""
    reason: str
    """Why it waits, in SLURM's word."""

    @property
    def runs(self) -> bool:
        """Whether it has begun."""
        return self.state != "PENDING"


def queue() -> list[Queued]:
    """This user's jobs that have not ended.

    Raises:
        KairosError: SLURM is not here, or does not answer.
    """
    # By user and not by id: of jobs that ended some time ago squeue says that the id is invalid.
    form = "%F|%K|%T|%r"
    answer = _run(["squeue", "-h", "-r", f"--user={os.getuid()}", "-o", form], ASK_S)
    found = []
    for line in answer.splitlines():
        job, index, state, reason = line.split("|", 3)
        found.append(Queued(job, int(index) if index.isdecimal() else None, state, reason))
    return found


def ending_in(log: Path) -> str:
    """Why SLURM ended a job, by what it wrote into the log; empty where it wrote nothing."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
            tail = file.read().decode(errors="replace")
    except OSError:
        return ""
    told = [line for line in tail.splitlines() if line.startswith("slurmstepd: ")]
    return next((word for sign, word in ENDINGS if any(sign in line for line in told)), "")


def _run(command: list[str], limit_s: float, text: str = "", folder: Path | None = None) -> str:
    """What one of SLURM's programs answers."""
    name = command[0]
    try:
        answer = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=limit_s, cwd=folder,
            env=_environment(), errors="replace",
        )  # fmt: skip
    except FileNotFoundError as error:
        raise KairosError(
            f"{name} is not installed here: run this where jobs of the cluster are submitted"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise KairosError(f"{name} gave no answer within {limit_s:.0f} s: try again") from error
    if answer.returncode:
        told = [line for line in answer.stderr.splitlines() if line.strip()]
        words = "; ".join(line.removeprefix(f"{name}: ").removeprefix("error: ") for line in told)
        raise KairosError(f"{name} refused: {words or f'exit code {answer.returncode}'}")
    return answer.stdout


def _environment() -> dict[str, str]:
    """What jobs inherit: neither the job that this process may be in, nor what it was asked for.

    Of SBATCH_ variables each would go before a line of the script; which GPUs a job sees is for
    SLURM to say.
    """
    foreign = ("SLURM_", "SBATCH_", "SLURMD_", PREFIX, VISIBLE)
    return {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or not name.startswith(foreign)
    }
