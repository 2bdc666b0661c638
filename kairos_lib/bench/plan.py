"""What a suite will do: its notebooks, which of them are cached and why the others are not.

Starts nothing and writes nothing but what it remembers of files. Imports no torch.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

from kairos_lib.analyzers.analyzer import order
from kairos_lib.analyzers.profile import Base
from kairos_lib.errors import KairosError
from kairos_lib.launch.job import Job
from kairos_lib.launch.kernels import OWN
from kairos_lib.media.facts import VideoFacts
from kairos_lib.nano.judge import register_nano
from kairos_lib.parameters.loading import expand, load, names
from kairos_lib.parameters.loading import video as find_video
from kairos_lib.parameters.model import Model
from kairos_lib.parameters.settings import Changes
from kairos_lib.parameters.suite import Suite
from kairos_lib.parameters.video import Video
from kairos_lib.pipeline.base_session import base_run, lacking, missing_keys, video_facts
from kairos_lib.project import Project, exists
from kairos_lib.quality import reference_captions
from kairos_lib.runs.run import Run
from kairos_lib.vlm.context import check_context
from kairos_lib.vlm.run import destination, missing_key, vlm_run
from kairos_lib.weights.location import find

register_nano()

NOTEBOOKS_AT_MOST = 10_000
"""Of a plan, each of which is looked up on disk before any is run."""
ALLOCATOR = "PYTORCH_ALLOC_CONF"
"""Read by torch when it is imported."""


@dataclass(frozen=True)
class Step:
    """One notebook of a plan."""

    kind: Literal["base", "vlm"]
    label: str
    job: Job
    video: Video
    model: Model | None = None
    variant_of: str = ""
    """The model that it is compared with, where the suite has variants."""
    repeat: int = 1
    fresh: bool = False
    weights: str = "there"
    """Whether what it needs is on this machine."""
    references: str = ""
    """Of base processing: where its video's reference captions are kept."""
    lacking: str = ""
    """Of base processing: which stages are skipped for want of weights, and how to get these."""
    key: str = ""
    """An environment variable with a key that it wants and that is not set."""
    sends: str = ""
    """Where something of the video is sent, and with which key; empty where nothing leaves."""

    @property
    def cached(self) -> bool:
        """Whether its results are there already and will be used."""
        return self.job.run.done and not self.fresh

    @property
    def why(self) -> str:
        """Why it will run, or that it need not."""
        if self.cached:
            return "nothing changed"
        if who := self.job.run.worked_on():
            return f"{who} is working on it"
        if self.fresh and self.job.run.done:
            return "asked for afresh"
        status = self.job.run.status()
        if status is not None:
            if status.reason == "interrupted":
                return "was interrupted: goes on"
            return f"failed last time ({status.reason})"
        if (self.job.run.folder / "key.json").exists():
            return "was cut short: goes on"
        return self.job.run.difference()


@dataclass(frozen=True)
class Chosen:
    """A model of a suite, and what tells a notebook to open it."""

    model: Model
    name: str
    """Of its file."""
    changes: Changes
    variant_of: str


@dataclass(frozen=True)
class UnusableVideo:
    """A video that cannot be used: the others are run without it."""

    name: str
    title: str
    error: Exception

    @property
    def why(self) -> str:
        """In one line."""
        return " ".join(str(self.error).split())


@dataclass(frozen=True)
class Plan:
    """What a suite will do."""

    suite: Suite
    bases: list[Step]
    vlms: list[Step]
    """In the order in which they will run."""
    unusable: list[UnusableVideo]

    @property
    def lacking(self) -> str:
        """Which stages are skipped for want of weights, and how to get these; empty for none."""
        return next((step.lacking for step in self.bases if step.lacking), "")


def make_plan(project: Project, suite: Suite, fresh: bool = False) -> Plan:
    """Say what a suite will do.

    Raises:
        KairosError: A name is unknown, no video and its references can be read, or there would be
            more notebooks than anybody means to run.
    """
    chosen = _models(project, suite)
    videos, unusable = _videos(project, suite.videos)
    count = len(chosen) * len(videos) * suite.repeats
    if count > NOTEBOOKS_AT_MOST:
        raise KairosError(
            f"suite {suite.name} would be {count:,} notebooks ({len(chosen):,} models, "
            f"{len(videos):,} videos, {suite.repeats:,} rounds); {NOTEBOOKS_AT_MOST:,} is the most"
        )
    profile = load(project, Base, suite.base or _common_base([each.model for each in chosen]))
    bases, vlms = [], []
    for video in videos:
        try:
            run = base_run(project, video, profile)
            # A file that is no video is told now, not in a notebook.
            facts = video_facts(project, video)
            bases.append(_base_step(project, video, facts, profile, run, fresh))
        except (KairosError, OSError) as error:
            unusable.append(UnusableVideo(video.name, video.title, error))
    if not bases:
        raise unusable[0].error if len(unusable) == 1 else _none_left(unusable)
    for repeat in range(1, suite.repeats + 1):
        for base in bases:
            for each in chosen:
                run = vlm_run(project, base.job.run, base.video, each.model, repeat)
                vlms.append(_vlm_step(project, base.video, profile, each, run, repeat, fresh))
    return Plan(suite, bases, vlms, unusable)


def _none_left(unusable: list[UnusableVideo]) -> KairosError:
    """What is said where no video can be used."""
    if len({one.why for one in unusable}) == 1:
        return KairosError(unusable[0].why)
    told = "; ".join(f"{one.name}: {one.why}" for one in unusable)
    return KairosError(f"none of {len(unusable)} videos can be used: {told}")


def _models(project: Project, suite: Suite) -> list[Chosen]:
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
    """The base profile of all models: what they are told must be the same to be compared."""
    wanted = sorted({model.base for model in models})
    if len(wanted) > 1:
        told = ", ".join(f"{model.name}: {model.base}" for model in models)
        raise KairosError(f"the models have different base profiles ({told}): choose with BASE=")
    return wanted[0]


def _videos(project: Project, entries: tuple[str, ...]) -> tuple[list[Video], list[UnusableVideo]]:
    """The videos of a suite, and those whose parameter files cannot be read.

    Raises:
        KairosError: There is none of a name, or two would be called the same.
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


def _reference(video: Video, project: Project) -> str:
    """How a notebook is told of a video: by its name, or by its path where it has none."""
    # A user's own file can share its stem with a known video and is still another one.
    if video.name in names(project, Video) and find_video(project, video.name) == video:
        return video.name
    return str(video.path)


def _base_step(
    project: Project, video: Video, facts: VideoFacts, profile: Base, run: Run, fresh: bool
) -> Step:
    job = Job(
        notebook=project.notebooks / "base.ipynb",
        run=run,
        parameters={"video": _reference(video, project), "base": profile.name},
        kernel=OWN,
        timeout_s=profile.timeout_s,
    )
    return Step(
        "base",
        f"base · {video.name}",
        job,
        video,
        fresh=fresh,
        references=reference_captions.keep(project, video),
        lacking=lacking(project, profile),
        key=next(iter(missing_keys(profile, facts, run.folder, fresh)), ""),
        sends="; ".join(filter(None, (s.sends(profile, facts) for s in order(profile.stages)))),
    )


def _vlm_step(
    project: Project,
    video: Video,
    profile: Base,
    chosen: Chosen,
    run: Run,
    repeat: int,
    fresh: bool,
) -> Step:
    model = chosen.model
    job = Job(
        notebook=project.notebooks / "vlm.ipynb",
        run=run,
        parameters={
            "model": chosen.name,
            "changes": chosen.changes,
            "video": _reference(video, project),
            "base": profile.name,
            "repeat": repeat,
        },
        kernel=model.kernel,
        timeout_s=model.timeout_s,
        environment={ALLOCATOR: model.allocator} if model.allocator else {},
    )
    found = find(project, model.weights)
    label = f"{model.name} · {video.name}" + (f" · round {repeat}" if repeat > 1 else "")
    return Step(
        "vlm",
        label,
        job,
        video,
        model,
        chosen.variant_of,
        repeat,
        fresh,
        found.missing or "there",
        key=missing_key(model),
        sends=destination(model),
    )
