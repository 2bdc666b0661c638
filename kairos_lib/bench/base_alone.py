"""Base processing alone: what will run, running it, and the page of each video. No model, no suite.

Imports no torch: whatever is loaded here stays in memory beside every kernel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from kairos_lib.analyzers.profile import Base
from kairos_lib.bench.execution import Display, check_keys
from kairos_lib.bench.plan import UnusableVideo, base_steps, chosen_videos, none_left
from kairos_lib.bench.step import Step
from kairos_lib.bench.suite_names import HASH_DIGITS
from kairos_lib.errors import KairosError
from kairos_lib.launch.launcher import Launcher
from kairos_lib.launch.local import LocalLauncher
from kairos_lib.parameters.loading import load, names
from kairos_lib.parameters.video import Video
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.project import Project
from kairos_lib.runs import locks

PAGES = "base"
"""Folder of the pages under `reports/`."""


@dataclass(frozen=True)
class BasePlan:
    """What base processing alone will do."""

    steps: list[Step]
    """One for each video."""
    unusable: list[UnusableVideo]


@dataclass(frozen=True)
class Outcome:
    """How base processing of one video ended."""

    step: Step
    result: BaseResult | None
    """None if it did not get that far."""
    page: Path | None
    """What was found, to look at; None without a result, or if it could not be written."""
    problem: str = ""
    """Why the page could not be written."""


def plan_base(project: Project, videos: tuple[str, ...], base: str, fresh: bool) -> BasePlan:
    """Plan base processing of some videos.

    Args:
        project: The checkout.
        videos: Names, patterns and paths.
        base: Name of a profile.
        fresh: Whether what is done is run again.

    Raises:
        KairosError: A name is unknown, or no video can be used.
    """
    if not videos:
        known = ", ".join(names(project, Video)) or "none"
        raise KairosError(f"VIDEO is not given: the path of a file, or a name (known: {known})")
    profile = load(project, Base, base)
    chosen, unusable = chosen_videos(project, videos)
    steps, unreadable = base_steps(project, chosen, profile, fresh)
    unusable += unreadable
    if not steps:
        raise none_left(unusable)
    return BasePlan(steps, unusable)


def page_of(project: Project, step: Step) -> Path:
    """Where the page of a video is written: of another file or profile it is another page."""
    name = f"{step.video.name}-{step.job.run.key[:HASH_DIGITS]}"
    return project.reports / PAGES / name / "index.html"


def carry_out_base(
    project: Project, planned: BasePlan, display: Display, launcher: Launcher | None = None
) -> list[Outcome]:
    """Run what is not cached, one video after another, and write each video's page.

    A page is written of what there is, even if a stage failed. One that cannot be written keeps no
    other video from being processed.

    Raises:
        KairosError: A key that a stage needs is not set; nothing has been started.
    """
    check_keys(planned.steps)
    launcher = launcher or LocalLauncher(project)
    todo = sum(not step.cached for step in planned.steps)
    number = 0
    outcomes: list[Outcome] = []
    for step in planned.steps:
        if not step.cached:
            number += 1
            row = display.begin(number, todo, step.label)
            job = replace(step.job, afresh=step.forget) if step.fresh else step.job
            row.end(launcher.launch(job, row.update))
        # The results must stay in place, even if another process starts from scratch.
        with locks.kept(step.job.run.folder):
            outcomes.append(_outcome(project, step))
    return outcomes


def _outcome(project: Project, step: Step) -> Outcome:
    result = step.job.run.result(BaseResult)
    if result is None:
        return Outcome(step, None, None)
    from kairos_lib.report.video_page import write_video_page

    try:
        page = write_video_page(project, step.job.run.folder, page_of(project, step))
    except KairosError as error:
        return Outcome(step, result, None, str(error))
    return Outcome(step, result, page)
