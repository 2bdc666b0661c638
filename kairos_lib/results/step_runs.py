"""The runs of a suite as stored on disk: what was planned, and how each ended.

A run that failed, was cut short or never started is read like any other, with the reason why it
has no result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from kairos_lib.errors import KairosError
from kairos_lib.pipeline.records import BaseResult, StageReport
from kairos_lib.project import Project
from kairos_lib.results.machine import Provenance
from kairos_lib.runs.files import read_record
from kairos_lib.runs.manifest import PlannedBase, PlannedStep, PlannedVlm
from kairos_lib.runs.status import Status
from kairos_lib.vlm.records import VlmResult

T = TypeVar("T")
P = TypeVar("P", bound=PlannedStep)
State = Literal["done", "failed", "unfinished", "not run"]
REASONS = {
    "error": "error",
    "timeout": "exceeded its time limit",
    "kernel_died": "the kernel died",
    "oom": "out of memory",
    "interrupted": "interrupted",
}
FRAMES = "frames"
"""The shared decoding pass; a failed run reports it as if it were a stage."""
# Other files in a base run's folder beside the stages' reports.
NOT_STAGES = frozenset({"key", "result", "status", "provenance", "progress"})


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    state: State
    reason: str = ""
    message: str = ""


@dataclass(frozen=True)
class StepRun:
    """One step of a suite, of any kind."""

    planned: PlannedStep
    folder: Path
    outcome: Outcome
    status: Status | None = None
    provenance: Provenance | None = None

    @property
    def by_hand(self) -> bool:
        """Run in JupyterLab, without the runner."""
        return self.outcome.state == "done" and self.status is None


@dataclass(frozen=True)
class BaseRun(StepRun):
    """Base processing of one video."""

    planned: PlannedBase
    result: BaseResult | None = None
    stages: tuple[StageReport, ...] = ()
    """Also of a failed run, as far as it got."""


@dataclass(frozen=True)
class VlmRun(StepRun):
    """One run of one model on one video."""

    planned: PlannedVlm
    result: VlmResult | None = None
    """Only for a run that is done."""
    captions: int = 0
    """Scenes that were captioned, also by a failed run."""


def read_base(project: Project, planned: PlannedBase) -> BaseRun:
    """Read base processing of one video."""

    def take(folder: Path) -> BaseRun:
        status = read_record(folder / "status.json", Status)
        result = read_record(folder / "result.json", BaseResult)
        whole = result is not None and not result.missing
        return BaseRun(
            planned=planned,
            folder=folder,
            outcome=_outcome(project, status, whole, (folder / "key.json").exists()),
            status=status,
            provenance=read_record(folder / "provenance.json", Provenance),
            result=result,
            stages=result.stages if result else _stages(folder),
        )

    return _tolerant(project, planned, take, BaseRun)


def read_vlm(project: Project, planned: PlannedVlm) -> VlmRun:
    """Read one run of a model."""

    def take(folder: Path) -> VlmRun:
        status = read_record(folder / "status.json", Status)
        result = read_record(folder / "result.json", VlmResult)
        outcome = _outcome(project, status, result is not None, (folder / "key.json").exists())
        return VlmRun(
            planned=planned,
            folder=folder,
            outcome=outcome,
            status=status,
            provenance=read_record(folder / "provenance.json", Provenance),
            result=result if outcome.state == "done" else None,
            captions=_lines(folder / "fused.jsonl"),
        )

    return _tolerant(project, planned, take, VlmRun)


def read_step(project: Project, planned: PlannedStep) -> StepRun:
    """Read what is known of a step of any kind: how it ended, and how it was made."""

    def take(folder: Path) -> StepRun:
        status = read_record(folder / "status.json", Status)
        there = (folder / "result.json").is_file()
        outcome = _outcome(project, status, there, (folder / "key.json").exists())
        provenance = read_record(folder / "provenance.json", Provenance)
        return StepRun(planned, folder, outcome, status, provenance)

    return _tolerant(project, planned, take, StepRun)


def frames_s(base: BaseRun) -> float | None:
    """Time of the decoding pass that all stages share."""
    if base.result is not None:
        # The first stage reads frames: without a pass, it was taken over.
        return base.result.decode_s or None
    return next((stage.time_s for stage in base.stages if stage.name == FRAMES), None)


def _tolerant(
    project: Project, planned: P, take: Callable[[Path], T], kind: Callable[[P, Path, Outcome], T]
) -> T:
    """Read a run; one with unreadable files counts as failed and does not stop the report."""
    folder = project.root / planned.folder
    if planned.problem or not planned.folder:
        outcome = Outcome("not run", "not run", _local(project, planned.problem))
        return kind(planned, folder, outcome)
    try:
        return take(folder)
    except KairosError as error:
        outcome = Outcome("failed", "cannot be read", _local(project, str(error)))
        return kind(planned, folder, outcome)


def _stages(folder: Path) -> tuple[StageReport, ...]:
    """The reports of the stages that a run reached, in the order they were written."""
    paths = [path for path in folder.glob("*.json") if path.stem not in NOT_STAGES]
    paths.sort(key=lambda path: path.stat().st_mtime_ns)
    return tuple(report for path in paths if (report := read_record(path, StageReport)))


def _outcome(project: Project, status: Status | None, result: bool, begun: bool) -> Outcome:
    if status is not None and status.state == "failed":
        reason = REASONS.get(status.reason or "", "failed")
        return Outcome("failed", reason, _local(project, status.message))
    if result:
        return Outcome("done")
    if status is not None:
        return Outcome("failed", "no result", "it ended without an error but left no result.json")
    if begun:
        return Outcome("unfinished", "unfinished", "cut short, or still running")
    return Outcome("not run", "not run", "its run folder is empty")


def _local(project: Project, message: str) -> str:
    """A message without the path of this checkout, which is private."""
    return message.replace(f"{project.root}/", "")


def _lines(path: Path) -> int:
    """Complete lines in a file; an incomplete last one does not count."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(line.endswith(b"\n") for line in file)
