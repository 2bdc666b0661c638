"""A suite as stored on disk: all its runs.

Knows nothing of pages.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from kairos_lib.errors import KairosError, closest
from kairos_lib.names import checked_name, inside, is_name
from kairos_lib.project import Project
from kairos_lib.results.step_runs import (
    BaseRun,
    StepRun,
    VlmRun,
    read_base,
    read_step,
    read_vlm,
)
from kairos_lib.runs.files import read_record
from kairos_lib.runs.manifest import Manifest
from kairos_lib.runs.run import EXECUTED


@dataclass(frozen=True)
class SuiteData:
    """Everything that a report of one suite is made from."""

    project: Project
    manifest: Manifest
    bases: tuple[BaseRun, ...]
    runs: tuple[VlmRun, ...]
    further: tuple[StepRun, ...] = ()
    """Runs of all other kinds; code that knows a kind reads its files."""

    @property
    def everything(self) -> list[StepRun]:
        """Runs of all kinds."""
        return [*self.runs, *self.bases, *self.further]

    def base(self, video: str) -> BaseRun | None:
        """Base processing of a video."""
        return next((base for base in self.bases if base.planned.video == video), None)

    def video_title(self, video: str) -> str:
        """A video's title, or its name if that is all that is known."""
        if base := self.base(video):
            return base.planned.title
        own = (run.planned.model_extra or {} for run in self.further if run.planned.video == video)
        return next((str(said["title"]) for said in own if said.get("title")), video)

    @cached_property
    def usual_machine(self) -> tuple[object, ...] | None:
        """The machine that most models' runs were made on; the first one on a tie.

        Counts runs that are done, because their times are compared; base processing counts only if
        there are none. None if unknown.
        """
        done = [run.provenance for run in self.runs if run.result is not None]
        counts = Counter(
            found.machine.same_as if found else None
            for found in done or [run.provenance for run in self.everything]
        )
        return counts.most_common(1)[0][0] if counts else None


def manifest(project: Project, suite: str) -> Manifest:
    """A suite's plan, which may come from an untrusted source.

    Raises:
        KairosError: No such suite has been run, or a name or a folder in it points elsewhere.
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
    """Check that a plan's names are valid, and that its files are inside the runs folder."""
    for step in plan.steps:
        checked_name(step.video, f"a video of {what}")
        if step.folder:
            folder = inside(project.runs, project.root / step.folder, what)
            inside(project.runs, folder / EXECUTED, what)  # It becomes a page as it is.
    for base in plan.bases:
        if base.references:
            inside(project.runs, project.root / base.references, what)
    for run in plan.runs:
        checked_name(run.model, f"a model of {what}")


def read(project: Project, suite: str) -> SuiteData:
    """Read a suite and all its runs.

    Raises:
        KairosError: No such suite has been run.
    """
    plan = manifest(project, suite)
    return SuiteData(
        project=project,
        manifest=plan,
        bases=tuple(read_base(project, planned) for planned in plan.bases),
        runs=tuple(read_vlm(project, planned) for planned in plan.runs),
        further=tuple(read_step(project, planned) for planned in plan.further),
    )
