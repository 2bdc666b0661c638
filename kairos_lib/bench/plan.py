"""What a suite will do: its notebooks, which of them are cached and why the others are not.

Starts nothing and writes nothing but file hashes. Imports no torch.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from kairos_lib.analyzers.profile import Base
from kairos_lib.bench.step import Chosen, Step, base_step, vlm_step
from kairos_lib.errors import KairosError
from kairos_lib.nano.judge import register_nano
from kairos_lib.parameters.loading import expand, load, names
from kairos_lib.parameters.loading import video as find_video
from kairos_lib.parameters.model import Model
from kairos_lib.parameters.suite import Suite
from kairos_lib.parameters.video import Video
from kairos_lib.pipeline.base_session import base_run, video_facts
from kairos_lib.project import Project, exists
from kairos_lib.runs.manifest import PlannedBase, PlannedStep, PlannedVlm
from kairos_lib.runs.record import Record
from kairos_lib.vlm.context import check_context

register_nano()

NOTEBOOKS_AT_MOST = 10_000
"""Limit of a plan: each notebook is looked up on disk before any is run."""


@dataclass(frozen=True)
class UnusableVideo:
    """A video that cannot be used: the others are run without it."""

    name: str
    title: str
    error: Exception

    @property
    def why(self) -> str:
        """As one line."""
        return " ".join(str(self.error).split())


@dataclass(frozen=True)
class Plan:
    """What a suite will do."""

    suite: Suite
    steps: list[Step]
    """Steps of any kind, in the order they are shown; each after those that it needs."""
    unusable: list[UnusableVideo]
    asked: Record | None = None
    """What was asked for beside the suite, so that the plan can be made again elsewhere."""

    def of(self, kind: type[PlannedStep]) -> list[Step]:
        """Its steps of one kind."""
        return [step for step in self.steps if isinstance(step.planned, kind)]

    @property
    def bases(self) -> list[Step]:
        """Base processing of each video."""
        return self.of(PlannedBase)

    @property
    def vlms(self) -> list[Step]:
        """Each model on each video, in each round."""
        return self.of(PlannedVlm)

    def done(self, step: Step) -> bool:
        """Whether a step is done, or was part of another step that is done."""
        taker = self._takers.get(id(step))
        return step.job.run.done or (taker is not None and taker.job.run.done)

    @cached_property
    def _takers(self) -> dict[int, Step]:
        """The step that removes another's folder once it is done, by the identity of that one."""
        return {id(part): step for step in self.steps if step.absorbs for part in step.after}

    @property
    def waves(self) -> list[list[Step]]:
        """Groups of steps that may run at once, each after those that it needs."""
        depths: dict[int, int] = {}
        waves: dict[int, list[Step]] = defaultdict(list)
        for step in self.steps:
            depth = max((1 + depths[id(earlier)] for earlier in step.after), default=0)
            depths[id(step)] = depth
            waves[depth].append(step)
        return [waves[depth] for depth in sorted(waves)]

    @property
    def lacking(self) -> str:
        """Stages skipped for missing weights, and how to get these; empty if there are none."""
        return next((step.lacking for step in self.bases if step.lacking), "")


def make_plan(project: Project, suite: Suite, fresh: bool = False) -> Plan:
    """Plan what a suite will do.

    Raises:
        KairosError: A name is unknown, no video and its references can be read, or there would be
            too many notebooks.
    """
    chosen = chosen_models(project, suite)
    videos, unusable = chosen_videos(project, suite.videos)
    count = len(chosen) * len(videos) * suite.repeats
    if count > NOTEBOOKS_AT_MOST:
        raise KairosError(
            f"suite {suite.name} would be {count:,} notebooks ({len(chosen):,} models, "
            f"{len(videos):,} videos, {suite.repeats:,} rounds); {NOTEBOOKS_AT_MOST:,} is the most"
        )
    profile = load(project, Base, suite.base or _common_base([each.model for each in chosen]))
    bases, unreadable = base_steps(project, videos, profile, fresh)
    unusable += unreadable
    if not bases:
        raise none_left(unusable)
    vlms = [
        vlm_step(project, base, profile, each, repeat, fresh)
        for repeat in range(1, suite.repeats + 1)
        for base in bases
        for each in chosen
    ]
    return Plan(suite, [*bases, *vlms], unusable)


def base_steps(
    project: Project, videos: list[Video], profile: Base, fresh: bool
) -> tuple[list[Step], list[UnusableVideo]]:
    """Base processing of each video, and the videos that cannot be used."""
    steps: list[Step] = []
    unusable: list[UnusableVideo] = []
    for video in videos:
        try:
            run = base_run(project, video, profile)
            # A file that is not a video is reported now, not in a notebook.
            facts = video_facts(project, video)
            steps.append(base_step(project, video, facts, profile, run, fresh))
        except (KairosError, OSError) as error:
            unusable.append(UnusableVideo(video.name, video.title, error))
    return steps, unusable


def none_left(unusable: list[UnusableVideo]) -> Exception:
    """The error if no video can be used."""
    if len(unusable) == 1:
        return unusable[0].error
    if len({one.why for one in unusable}) == 1:
        return KairosError(unusable[0].why)
    reasons = "; ".join(f"{one.name}: {one.why}" for one in unusable)
    return KairosError(f"none of {len(unusable)} videos can be used: {reasons}")


def chosen_models(project: Project, suite: Suite) -> list[Chosen]:
    """Each model of a suite in each of its variants."""
    found = []
    for name in expand(suite.models, names(project, Model), "model"):
        own = load(project, Model, name)
        first = ""
        for variant, wanted in (suite.variants or {"": {}}).items():
            changes = dict(wanted)
            if variant:
                changes.setdefault("name", f"{name}-{variant}")
                changes.setdefault("title", f"{own.title}, {variant}")
            if suite.weights == "dummy":
                changes["name"] = f"{changes.get('name', name)}-dummy"
                changes["title"] = f"{changes.get('title', own.title)}, dummy weights"
                changes["weights"] = {"source": "dummy", "id": name}
            model = load(project, Model, name, changes)
            check_context(model)
            first = first or model.name
            found.append(Chosen(model, name, changes, first if len(suite.variants) > 1 else ""))
    return found


def _common_base(models: list[Model]) -> str:
    """The base profile of all models: they must get the same findings to be compared."""
    wanted = sorted({model.base for model in models})
    if len(wanted) > 1:
        profiles = ", ".join(f"{model.name}: {model.base}" for model in models)
        raise KairosError(
            f"the models have different base profiles ({profiles}): choose with BASE="
        )
    return wanted[0]


def chosen_videos(
    project: Project, entries: tuple[str, ...]
) -> tuple[list[Video], list[UnusableVideo]]:
    """The videos of a suite, and those whose parameter files cannot be read.

    Raises:
        KairosError: A name is unknown, or two videos would have the same name.
    """
    known = names(project, Video)
    wanted: dict[str, None] = {}
    for entry in entries:
        patterned = any(character in entry for character in "*?[") and not exists(entry)
        wanted |= dict.fromkeys(expand((entry,), known, "video") if patterned else [entry])
    found: list[Video] = []
    unusable: list[UnusableVideo] = []
    for name in wanted:
        try:
            found.append(find_video(project, name))
        except KairosError as error:
            if name not in known:
                raise
            unusable.append(UnusableVideo(name, name, error))
    videos = list({video.path: video for video in found}.values())
    for first, second in itertools.combinations(videos, 2):
        if first.name == second.name:
            raise KairosError(
                f"two videos would both be called '{first.name}' ({first.path} and {second.path}): "
                "rename one, or give it a name of its own in parameters/videos"
            )
    return videos, unusable
