"""What was handed to a cluster: a plan's tasks, and what each node and each collector says of them.

All in one folder, `runs/slurm/<suite>/<id>/`: every file has one writer, and no lock is needed.
Imports no torch.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import SerializeAsAny

from kairos_lib.bench.events_plan import EventsRequest
from kairos_lib.bench.execution import left_out
from kairos_lib.bench.plan import Plan
from kairos_lib.errors import KairosError, closest
from kairos_lib.launch.slurm import LOGS
from kairos_lib.names import checked_name
from kairos_lib.parameters.cluster import Cluster
from kairos_lib.parameters.suite import Suite
from kairos_lib.project import Project
from kairos_lib.runs.files import read_record, write_record
from kairos_lib.runs.manifest import PlannedStep
from kairos_lib.runs.record import Record
from kairos_lib.runs.run import utc_now

FOLDER = "slurm"
"""Under `runs/`."""
LOCAL = "local"
"""Slots of this machine, where tasks run that wait for nobody."""
PLAN = "plan.json"
ENDED = "ended.json"
Fate = Literal["done", "error", "refused", "oom", "timeout", "kernel_died", "limit", "cancelled",
               "node", "killed", "gone", "interrupted"]  # fmt: skip
FINAL: frozenset[Fate] = frozenset({"done", "error"})
"""What another attempt would not change: an error of a notebook comes again."""
IN_WORDS: dict[Fate, str] = {
    "done": "done",
    "error": "error",
    "refused": "could not be begun",
    "oom": "out of memory",
    "timeout": "ran into its own time limit",
    "kernel_died": "the kernel died",
    "limit": "ran into SLURM's time limit",
    "cancelled": "was cancelled",
    "node": "its node failed",
    "killed": "was killed before it could say why",
    "gone": "ended before it began",
    "interrupted": "was interrupted",
}


class Task(Record):
    """One notebook, as it is told from the others wherever the plan is made again."""

    label: str
    planned: SerializeAsAny[PlannedStep]
    """Without a folder: on which device it runs is not known yet, and a run's key may hold that."""
    wave: int
    after: tuple[int, ...] = ()
    """Numbers of those that it needs."""
    absorbs: bool = False
    """Whether these are parts of it, whose folders it removes once it is done."""

    @property
    def identity(self) -> tuple[str, str, str]:
        """The same on every machine."""
        return identity(self.planned, self.label)


def identity(planned: PlannedStep, label: str) -> tuple[str, str, str]:
    """What tells a step from all others of its plan."""
    return planned.kind, planned.video, label


class Submission(Record):
    """What was asked for, and its tasks by their numbers: `plan.json`."""

    suite: Suite
    on: str
    """Where, as it was asked for: `slurm:NAME`, or `local`."""
    cluster: Cluster
    fresh: bool
    events: EventsRequest | None = None
    """What was asked for beside the suite, where it is to spot events."""
    folder: Path
    """From where it was asked: videos may be named by paths relative to it."""
    tasks: tuple[Task, ...]
    unusable: tuple[SerializeAsAny[PlannedStep], ...] = ()
    """Videos that cannot be used, as the manifest has them."""
    made_at: str = ""

    @property
    def waves(self) -> int:
        """How many there are."""
        return 1 + max(task.wave for task in self.tasks)

    def of_wave(self, wave: int) -> list[int]:
        """Numbers of the tasks of a wave."""
        return [number for number, task in enumerate(self.tasks) if task.wave == wave]


class Attempt(Record):
    """One attempt at a task: `tasks/<number>/<attempt>.json`, written by the node alone."""

    state: Literal["running", "ended"]
    fate: Fate | None = None
    """How it ended."""
    message: str = ""
    planned: SerializeAsAny[PlannedStep] | None = None
    """With the run's folder, as the node has it; none where it did not get as far."""
    was_there: bool = False
    """Whether it was done already, so that its time says nothing."""
    host: str = ""
    job: str = ""
    """SLURM's id of the array; empty where SLURM did not run it."""
    index: int | None = None
    started_at: str = ""
    ended_at: str = ""
    time_s: float = 0.0


class Array(Record):
    """One array of a round, as SLURM knows it."""

    job: str
    offset: int
    tasks: tuple[int, ...]


class Round(Record):
    """Tasks of a wave that were submitted together: `rounds/<wave>-<attempt>.json`."""

    wave: int
    attempt: int
    arrays: tuple[Array, ...]
    collector: str
    """SLURM's id of the job that comes after them."""
    submitted_at: str = ""

    def array_of(self, number: int) -> Array | None:
        """The array that a task is in."""
        return next((array for array in self.arrays if number in array.tasks), None)


class Ended(Record):
    """Nothing more will come: `ended.json`."""

    failed: int
    """Tasks that are not done."""
    report: str = ""
    """Its path, relative to the project; empty where there is none."""
    problem: str = ""
    """Why it ended before all was done, or without a report."""
    at: str = ""


@dataclass(frozen=True)
class Place:
    """A submission's folder, and what is in it."""

    folder: Path

    @property
    def plan(self) -> Path:
        """Its plan."""
        return self.folder / PLAN

    def submission(self) -> Submission:
        """What was asked for.

        Raises:
            KairosError: There is no such submission.
        """
        found = read_record(self.plan, Submission)
        if found is None:
            raise KairosError(f"there is no plan at {self.plan}: bench writes one where ON is told")
        checked_name(found.suite.name, f"the suite of {self.plan}")
        return found

    def write_attempt(self, number: int, attempt: int, record: Attempt) -> None:
        """Say how an attempt at a task is going."""
        write_record(self._task(number) / f"{attempt}.json", record)

    def attempts(self, number: int) -> dict[int, Attempt]:
        """All attempts at a task that began, by their numbers."""
        found = {}
        for path in self._task(number).glob("*.json"):
            if path.stem.isdecimal() and (record := read_record(path, Attempt)):
                found[int(path.stem)] = record
        return dict(sorted(found.items()))

    def write_round(self, record: Round) -> None:
        """Say what was submitted."""
        write_record(self.folder / "rounds" / f"{record.wave}-{record.attempt}.json", record)

    def rounds(self) -> list[Round]:
        """All that was submitted, in order."""
        found = [read_record(path, Round) for path in (self.folder / "rounds").glob("*.json")]
        return sorted(filter(None, found), key=lambda one: (one.wave, one.attempt))

    def ended(self) -> Ended | None:
        """How it ended; none where more is to come."""
        return read_record(self.folder / ENDED, Ended)

    def end(self, record: Ended) -> None:
        """Say that nothing more will come."""
        write_record(self.folder / ENDED, record)

    def log(self, array: Array, number: int) -> Path:
        """What a task printed."""
        return self.folder / LOGS / f"{array.job}_{number - array.offset}.txt"

    def _task(self, number: int) -> Path:
        return self.folder / "tasks" / f"{number:05d}"


def submission_of(planned: Plan, on: str, cluster: Cluster, fresh: bool) -> Submission:
    """The tasks of a plan.

    Raises:
        KairosError: Two of its steps could not be told apart elsewhere.
    """
    numbers = {id(step): number for number, step in enumerate(planned.steps)}
    wave_of = {id(step): wave for wave, steps in enumerate(planned.waves) for step in steps}
    tasks = tuple(
        Task(
            label=step.label,
            planned=step.planned.model_copy(update={"folder": ""}),
            wave=wave_of[id(step)],
            after=tuple(numbers[id(earlier)] for earlier in step.after),
            absorbs=step.absorbs,
        )
        for step in planned.steps
    )
    if len({task.identity for task in tasks}) < len(tasks):
        raise KairosError(f"suite {planned.suite.name} has two notebooks of one name: rename one")
    return Submission(
        suite=planned.suite,
        on=on,
        cluster=cluster,
        fresh=fresh,
        events=planned.asked if isinstance(planned.asked, EventsRequest) else None,
        folder=Path.cwd(),
        tasks=tasks,
        unusable=tuple(left_out(planned)),
        made_at=utc_now(),
    )


def new_place(project: Project, suite: str) -> Place:
    """A folder for a submission; later ones have later names."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    return Place(project.runs / FOLDER / suite / f"{stamp}-{uuid.uuid4().hex[:4]}")


def newest(project: Project, suite: str = "") -> Place:
    """The newest submission, of a suite or of all.

    Raises:
        KairosError: There is none.
    """
    top = project.runs / FOLDER
    known = sorted({path.parent.parent.name for path in top.glob(f"*/*/{PLAN}")})
    if suite and suite not in known:
        raise KairosError(
            f"no suite '{suite}' was handed to a cluster: {closest(suite, known, list_known=True)}"
        )
    plans = [p for p in top.glob(f"*/*/{PLAN}") if not suite or p.parent.parent.name == suite]
    if not plans:
        raise KairosError("nothing was handed to a cluster: make bench SUITE=.. ON=slurm:NAME does")
    return Place(max(plans, key=lambda path: path.stat().st_mtime_ns).parent)
