"""One notebook of a plan, of any kind; and those of base processing and of models.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from kairos_lib.analyzers.analyzer import order
from kairos_lib.analyzers.profile import Base
from kairos_lib.launch.job import Job
from kairos_lib.launch.kernels import OWN
from kairos_lib.media.facts import VideoFacts
from kairos_lib.parameters.loading import names
from kairos_lib.parameters.loading import video as find_video
from kairos_lib.parameters.model import Model
from kairos_lib.parameters.settings import Changes
from kairos_lib.parameters.video import Video
from kairos_lib.pipeline.base_session import TRANSCRIPTS, lacking, missing_keys
from kairos_lib.pipeline.cache import start_afresh
from kairos_lib.project import Project
from kairos_lib.quality import reference_captions
from kairos_lib.runs.manifest import PlannedBase, PlannedStep, PlannedVlm
from kairos_lib.runs.run import Run
from kairos_lib.vlm.run import FITTING_BATCH, destination, missing_key, vlm_run
from kairos_lib.weights.location import find


@dataclass(frozen=True)
class Step:
    """One notebook of a plan."""

    planned: PlannedStep
    """Its entry in the suite's manifest, including its kind."""
    label: str
    job: Job
    video: Video
    after: tuple[Step, ...] = ()
    """Steps whose results it needs: it starts when they have ended, and only if they are done."""
    absorbs: bool = False
    """Whether these are parts of it, whose folders it removes once it is done."""
    fresh: bool = False
    forget: Callable[[], None] = lambda: None
    """Called when it starts from scratch: deletes what was cached beside the results set aside."""
    model: Model | None = None
    missing_weights: str = ""
    """What it needs that is not on this machine, and how to get it; empty if nothing is missing."""
    lacking: str = ""
    """Stages that it skips as their weights are missing, and how to get these."""
    key: str = ""
    """An environment variable for a key that it needs and that is not set."""
    tried_without_key: bool = False
    """Whether the result that needs the key may exist already, so that it runs all the same."""
    sends: str = ""
    """Where something of the video is sent, and with which key; empty if nothing is sent."""

    @property
    def cached(self) -> bool:
        """Whether its results exist and will be used."""
        return self.job.run.done and not self.fresh

    @property
    def why(self) -> str:
        """Why it will run, or why it need not."""
        if self.cached:
            return "nothing changed"
        if who := self.job.run.worked_on():
            return f"{who} is working on it"
        if self.fresh and self.job.run.done:
            return "asked to run again"
        status = self.job.run.status()
        if status is not None:
            if status.reason == "interrupted":
                return "was interrupted: goes on"
            return f"failed last time ({status.reason})"
        if (self.job.run.folder / "key.json").exists():
            return "was cut short: goes on"
        return self.job.run.difference()

    @property
    def blocked(self) -> str:
        """Why it cannot run although the steps before it have ended; empty if it can."""
        failed = next((step for step in self.after if not step.job.run.done), None)
        return f"{failed.planned.in_words} failed" if failed else ""


@dataclass(frozen=True)
class Chosen:
    """A model of a suite, and how a notebook opens it."""

    model: Model
    name: str
    """From its file."""
    changes: Changes
    variant_of: str


def reference(video: Video, project: Project) -> str:
    """How a notebook refers to a video: by its name, or by its path if it has none."""
    # A user's own file can share its stem with a known video and still be another one.
    if video.name in names(project, Video) and find_video(project, video.name) == video:
        return video.name
    return str(video.path)


def base_step(
    project: Project, video: Video, facts: VideoFacts, profile: Base, run: Run, fresh: bool
) -> Step:
    """Base processing of one video."""
    job = Job(
        notebook=project.notebooks / "base.ipynb",
        run=run,
        parameters={"video": reference(video, project), "base": profile.name},
        kernel=OWN,
        timeout_s=profile.timeout_s,
    )
    planned = PlannedBase(
        video=video.name,
        title=video.title,
        in_words=f"base processing of {video.name}",
        folder=project.relative(run.folder),
        references=reference_captions.keep(project, video),
    )
    return Step(
        planned,
        f"base · {video.name}",
        job,
        video,
        fresh=fresh,
        forget=partial(start_afresh, run.folder),
        lacking=lacking(project, profile),
        key=next(iter(missing_keys(profile, facts, run.folder, fresh)), ""),
        # Speech that was paid for needs no key; otherwise the stage says what is missing.
        tried_without_key=any((project.runs / TRANSCRIPTS).glob("*.json")),
        sends="; ".join(filter(None, (s.sends(profile, facts) for s in order(profile.stages)))),
    )


def vlm_step(
    project: Project, base: Step, profile: Base, chosen: Chosen, repeat: int, fresh: bool
) -> Step:
    """One model on one video, once."""
    model, video = chosen.model, base.video
    run = vlm_run(project, base.job.run, video, model, repeat)
    job = Job(
        notebook=project.notebooks / "vlm.ipynb",
        run=run,
        parameters={
            "model": chosen.name,
            "changes": chosen.changes,
            "video": reference(video, project),
            "base": profile.name,
            "repeat": repeat,
        },
        kernel=model.kernel,
        timeout_s=model.timeout_s,
        environment=model.kernel_environment,
    )
    label = f"{model.name} · {video.name}" + (f" · round {repeat}" if repeat > 1 else "")
    planned = PlannedVlm(
        video=video.name,
        in_words=f"{model.name} on {video.name}, round {repeat}",
        folder=project.relative(run.folder),
        model=model.name,
        model_title=model.title,
        repeat=repeat,
        variant_of=chosen.variant_of,
    )
    fitting = run.folder.parent / FITTING_BATCH
    return Step(
        planned,
        label,
        job,
        video,
        after=(base,),
        fresh=fresh,
        forget=partial(fitting.unlink, missing_ok=True) if repeat == 1 else lambda: None,
        model=model,
        missing_weights=find(project, model.weights).missing,
        key=missing_key(model),
        sends=destination(model),
    )
