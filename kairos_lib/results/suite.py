"""A suite as it lies on disk: what was planned, and what became of it.

Knows nothing of pages. A run that failed, was cut short or never started is read like any other,
with the reason why there is no result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field

from kairos_lib.errors import KairosError, closest
from kairos_lib.names import checked_name, inside, is_name
from kairos_lib.pipeline.records import BaseResult, StageReport
from kairos_lib.project import Project
from kairos_lib.runs.files import read_record
from kairos_lib.runs.manifest import Manifest, PlannedBase, PlannedVlm
from kairos_lib.runs.record import Record
from kairos_lib.runs.run import EXECUTED
from kairos_lib.runs.status import Status
from kairos_lib.vlm.records import VlmResult

T = TypeVar("T")
State = Literal["done", "failed", "unfinished", "not run"]
REASONS = {
    "error": "error",
    "timeout": "ran into its time limit",
    "kernel_died": "the kernel died",
    "oom": "out of memory",
    "interrupted": "interrupted",
}
FRAMES = "frames"
"""The shared decoding pass; a failed run reports it as if it were a stage."""
# What lies in a base run's folder beside the stages' reports.
NOT_STAGES = frozenset({"key", "result", "status", "provenance", "progress"})


class Gpu(Record):
    """One graphics card."""

    name: str
    memory_mib: int = 0
    driver: str = ""
    sm_clock_mhz: int | None = None
    """Of its processors, when the run had just ended."""
    max_sm_clock_mhz: int | None = None
    memory_clock_mhz: int | None = None
    max_memory_clock_mhz: int | None = None


class Machine(Record):
    """The machine a run was made on."""

    cpu: str = ""
    threads: int | None = None
    cores: int | None = None
    compute_threads: int | None = None
    """That computed at once in the run's process."""
    wait_policy: str = ""
    """How they waited for one another: `passive` is asleep."""
    cpu_max_mhz: float | None = None
    ram_mib: int = 0
    gpus: tuple[Gpu, ...] = ()
    system: str = ""
    boot_time_s: int | None = None
    """Since 1970; two machines that are alike differ by it."""

    @property
    def vram_mib(self) -> int:
        """Memory of all GPUs that were to be seen."""
        return sum(gpu.memory_mib for gpu in self.gpus)

    @property
    def same_as(self) -> tuple[object, ...]:
        """What two runs must share for their times to be comparable."""
        computing = (self.compute_threads, self.wait_policy)
        return (self.cpu, self.threads, *computing, tuple(gpu.name for gpu in self.gpus))

    @property
    def told_threads(self) -> str:
        """Those that the machine has, and what was used of them, as far as is known."""
        used = ""
        if self.compute_threads:
            used = f"; {self.compute_threads} computed, {self.wait_policy} waiting"
        return f"{self.threads or '?'} threads{used}"


class Checkout(Record):
    """The code a run was made with."""

    commit: str | None = None
    dirty: bool | None = None


class Provenance(Record):
    """What a run was made with; `provenance.json` of a run."""

    kairos: str = ""
    python: str = ""
    packages: Mapping[str, str] = Field(default_factory=dict)
    machine: Machine = Machine()
    git: Checkout = Checkout()
    given: Mapping[str, Any] = Field(default_factory=dict)
    """Parameters of a model that its file or the suite gave; the others are by default."""


@dataclass(frozen=True)
class Outcome:
    """What became of a run."""

    state: State
    reason: str = ""
    message: str = ""


@dataclass(frozen=True)
class BaseRun:
    """Base processing of one video."""

    planned: PlannedBase
    folder: Path
    outcome: Outcome
    status: Status | None
    result: BaseResult | None
    stages: tuple[StageReport, ...]
    """Of a run that failed too, as far as it got."""
    provenance: Provenance | None


@dataclass(frozen=True)
class VlmRun:
    """One model over one video, once."""

    planned: PlannedVlm
    folder: Path
    outcome: Outcome
    status: Status | None
    result: VlmResult | None
    """Of a run that is done, and of no other."""
    by_hand: bool
    """Done in JupyterLab, without the runner."""
    captions: int
    """Scenes that have been captioned, those of a run that failed included."""
    provenance: Provenance | None


@dataclass(frozen=True)
class SuiteData:
    """Everything that a report of one suite is made from."""

    project: Project
    manifest: Manifest
    bases: tuple[BaseRun, ...]
    runs: tuple[VlmRun, ...]

    @property
    def everything(self) -> list[VlmRun | BaseRun]:
        """Runs of both kinds."""
        return [*self.runs, *self.bases]

    def base(self, video: str) -> BaseRun | None:
        """Base processing of a video."""
        return next((base for base in self.bases if base.planned.video == video), None)

    def video_title(self, video: str) -> str:
        """A video's title, or its name where nothing more is known of it."""
        base = self.base(video)
        return base.planned.title if base else video

    @cached_property
    def usual_machine(self) -> tuple[object, ...] | None:
        """The machine that most models' runs were made on; of several, the first.

        Those that are done, for their times are what is held against one another; of base
        processing only where there are none. None where it is not known.
        """
        done = [run.provenance for run in self.runs if run.result is not None]
        counts = Counter(
            found.machine.same_as if found else None
            for found in done or [run.provenance for run in self.everything]
        )
        return counts.most_common(1)[0][0] if counts else None


def manifest(project: Project, suite: str) -> Manifest:
    """A suite's plan, which may come from anybody.

    Raises:
        KairosError: No such suite has been run, or a name or a folder in it leads elsewhere.
    """
    folder = project.runs / "suites"
    known = sorted(path.stem for path in folder.glob("*.json") if is_name(path.stem))
    # A name is a stem, never a path: one with a slash must not leave the folder.
    found = read_record(folder / f"{suite}.json", Manifest) if suite in known else None
    if found is None:
        raise KairosError(f"no suite '{suite}' has been run: {closest(suite, known)}")
    _check(project, found, f"the plan of suite {suite}")
    return found


def _check(project: Project, plan: Manifest, what: str) -> None:
    """See that a plan's names are names, and that its files lie in the runs folder."""
    for base in plan.bases:
        checked_name(base.video, f"a video of {what}")
        if base.references:
            inside(project.runs, project.root / base.references, what)
    for run in plan.runs:
        checked_name(run.video, f"a video of {what}")
        checked_name(run.model, f"a model of {what}")
    for named in filter(
        None, [*(base.folder for base in plan.bases), *(run.folder for run in plan.runs)]
    ):
        folder = inside(project.runs, project.root / named, what)
        inside(project.runs, folder / EXECUTED, what)  # It becomes a page as it is.


def read(project: Project, suite: str) -> SuiteData:
    """Read a suite and all its runs.

    Raises:
        KairosError: No such suite has been run.
    """
    plan = manifest(project, suite)
    return SuiteData(
        project=project,
        manifest=plan,
        bases=tuple(_base(project, planned) for planned in plan.bases),
        runs=tuple(_vlm(project, planned) for planned in plan.runs),
    )


def _base(project: Project, planned: PlannedBase) -> BaseRun:
    folder = project.root / planned.folder
    if planned.problem or not planned.folder:
        outcome = Outcome("not run", "not run", _local(project, planned.problem))
        return BaseRun(planned, folder, outcome, None, None, (), None)

    def take() -> BaseRun:
        status = read_record(folder / "status.json", Status)
        result = read_record(folder / "result.json", BaseResult)
        stages = result.stages if result else _stages(folder)
        whole = result is not None and not result.missing
        outcome = _outcome(project, status, whole, (folder / "key.json").exists())
        provenance = read_record(folder / "provenance.json", Provenance)
        return BaseRun(planned, folder, outcome, status, result, stages, provenance)

    def spoilt(outcome: Outcome) -> BaseRun:
        return BaseRun(planned, folder, outcome, None, None, (), None)

    return _tolerant(project, take, spoilt)


def _stages(folder: Path) -> tuple[StageReport, ...]:
    """The reports of the stages that a run got to, in the order they were written."""
    paths = [path for path in folder.glob("*.json") if path.stem not in NOT_STAGES]
    paths.sort(key=lambda path: path.stat().st_mtime_ns)
    return tuple(report for path in paths if (report := read_record(path, StageReport)))


def _vlm(project: Project, planned: PlannedVlm) -> VlmRun:
    folder = project.root / planned.folder
    if planned.problem:
        outcome = Outcome("not run", "not run", _local(project, planned.problem))
        return VlmRun(planned, folder, outcome, None, None, False, 0, None)

    def take() -> VlmRun:
        status = read_record(folder / "status.json", Status)
        result = read_record(folder / "result.json", VlmResult)
        captions = _lines(folder / "fused.jsonl")
        outcome = _outcome(project, status, result is not None, (folder / "key.json").exists())
        return VlmRun(
            planned=planned,
            folder=folder,
            outcome=outcome,
            status=status,
            result=result if outcome.state == "done" else None,
            by_hand=outcome.state == "done" and status is None,
            captions=captions,
            provenance=read_record(folder / "provenance.json", Provenance),
        )

    def spoilt(outcome: Outcome) -> VlmRun:
        return VlmRun(planned, folder, outcome, None, None, False, 0, None)

    return _tolerant(project, take, spoilt)


def _tolerant(project: Project, take: Callable[[], T], spoilt: Callable[[Outcome], T]) -> T:
    """Read a run; one whose files cannot be read is a failed run, not the end of the report."""
    try:
        return take()
    except KairosError as error:
        return spoilt(Outcome("failed", "cannot be read", _local(project, str(error))))


def _outcome(project: Project, status: Status | None, result: bool, begun: bool) -> Outcome:
    if status is not None and status.state == "failed":
        reason = REASONS.get(status.reason or "", "failed")
        return Outcome("failed", reason, _local(project, status.message))
    if result:
        return Outcome("done")
    if status is not None:
        return Outcome("failed", "no result", "it ended well but left no result.json")
    if begun:
        return Outcome("unfinished", "unfinished", "cut short, or still running")
    return Outcome("not run", "not run", "there is nothing in its run folder yet")


def _local(project: Project, message: str) -> str:
    """A message without the path of this checkout, which is nobody else's business."""
    return message.replace(f"{project.root}/", "")


def _lines(path: Path) -> int:
    """Whole lines in a file; a torn last one does not count."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(line.endswith(b"\n") for line in file)


def frames_s(base: BaseRun) -> float | None:
    """Time of the decoding pass that all stages share."""
    if base.result is not None:
        # The first stage looks at frames: without a pass, it was taken over.
        return base.result.decode_s or None
    return next((stage.time_s for stage in base.stages if stage.name == FRAMES), None)
