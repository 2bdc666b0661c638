"""Plans a suite and carries it out: base, then model by video by round, then analysis.

Imports no torch: what is loaded here would stay in memory beside every kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from kairos_lib.errors import KairosError
from kairos_lib.kernels import OWN
from kairos_lib.notebooks import Job, Watcher, run_notebook
from kairos_lib.project import Project, slug
from kairos_lib.records import Manifest, PlannedBase, PlannedVlm, Progress, Status
from kairos_lib.runs import Run, write_record
from kairos_lib.settings import Base, Model, Suite, Video, expand, load, names
from kairos_lib.settings import video as find_video
from kairos_lib.stages.session import base_run, base_weights, video_facts
from kairos_lib.vlm.session import vlm_run
from kairos_lib.weights import find

ANALYSIS_TIMEOUT_S = 1800.0


@dataclass(frozen=True)
class Step:
    """One notebook of a plan."""

    kind: Literal["base", "vlm"]
    label: str
    job: Job
    video: Video
    model: Model | None = None
    repeat: int = 1
    fresh: bool = False
    weights: str = "there"
    """Whether what it needs is on this machine."""

    @property
    def cached(self) -> bool:
        """Whether its results are there already and will be used."""
        return self.job.run.done and not self.fresh

    @property
    def why(self) -> str:
        """Why it will run, or that it need not."""
        if self.cached:
            return "nothing changed"
        if self.fresh and self.job.run.done:
            return "asked for afresh"
        status = self.job.run.status()
        if status is not None:
            return f"failed last time ({status.reason})"
        if (self.job.run.folder / "key.json").exists():
            return "was cut short: goes on"
        return self.job.run.difference()


@dataclass(frozen=True)
class Plan:
    """What a suite will do."""

    suite: Suite
    bases: list[Step]
    vlms: list[Step]
    """In the order in which they will run."""


class Display(Protocol):
    """Whoever shows a bench its progress."""

    def begin(self, number: int, total: int, label: str) -> None:
        """A notebook starts."""

    def update(self, progress: Progress) -> None:
        """It got further."""

    def end(self, label: str, status: Status) -> None:
        """It ended."""


def suite_of(
    project: Project, suite: str | None, model: str | None, video: str | None, base: str | None
) -> Suite:
    """The suite that a user asks for, by its name or put together from models and videos.

    Several models or videos are given with commas.

    Raises:
        KairosError: What was asked for does not exist, or is not enough to go by.
    """
    if suite:
        if model or video:
            raise KairosError("give either SUITE or MODEL and VIDEO, not both")
        chosen = load(project, Suite, suite)
        return chosen.model_copy(update={"base": base}) if base else chosen
    if not (model and video):
        missing = "MODEL" if not model else "VIDEO"
        known = names(project, Model if not model else Video)
        raise KairosError(f"{missing} is not given: name one of {', '.join(known)}, or a SUITE")
    models = tuple(part.strip() for part in model.split(",") if part.strip())
    # A comma can be part of a file's name; then it is one video.
    videos = (video,) if Path(video).exists() else tuple(p.strip() for p in video.split(","))
    stems = [v if v in names(project, Video) else slug(Path(v).stem) for v in videos]
    name = "-".join([*map(slug, models), *map(slug, stems)])[:80]
    return Suite(
        name=name,
        title=f"{', '.join(models)} on {', '.join(stems)}",
        models=models,
        videos=videos,
        base=base,
    )


def plan(project: Project, suite: Suite, fresh: bool = False) -> Plan:
    """Say what a suite will do; starts nothing and writes nothing but what it remembers.

    Raises:
        KairosError: A name is unknown, or a video cannot be read.
    """
    models = [
        load(project, Model, name) for name in expand(suite.models, names(project, Model), "model")
    ]
    videos = _videos(project, suite.videos)
    profile = load(project, Base, suite.base or models[0].base)
    bases, vlms = [], []
    for video in videos:
        run = base_run(project, video, profile)
        video_facts(project, video)  # A file that is no video is told now, not in a notebook.
        bases.append(_base_step(project, video, profile, run, fresh))
    for repeat in range(1, suite.repeats + 1):
        for video, base in zip(videos, bases, strict=True):
            for model in models:
                run = vlm_run(project, base.job.run, video, model, repeat)
                vlms.append(_vlm_step(project, video, profile, model, run, repeat, fresh))
    return Plan(suite, bases, vlms)


def _videos(project: Project, entries: tuple[str, ...]) -> list[Video]:
    known = names(project, Video)
    found = []
    for entry in entries:
        patterned = any(character in entry for character in "*?[") and not Path(entry).exists()
        wanted = expand((entry,), known, "video") if patterned else [entry]
        found += [find_video(project, name) for name in wanted]
    return found


def _reference(video: Video, project: Project) -> str:
    """How a notebook is told of a video: by its name, or by its path where it has none."""
    # A user's own file can share its stem with a known video and is still another one.
    if video.name in names(project, Video) and find_video(project, video.name) == video:
        return video.name
    return str(video.path)


def _base_step(project: Project, video: Video, profile: Base, run: Run, fresh: bool) -> Step:
    absent = [name for name, w in base_weights(project, profile).items() if w.path is None]
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
        weights="none for " + ", ".join(absent) if absent else "there",
    )


def _vlm_step(
    project: Project,
    video: Video,
    profile: Base,
    model: Model,
    run: Run,
    repeat: int,
    fresh: bool,
) -> Step:
    job = Job(
        notebook=project.notebooks / "vlm.ipynb",
        run=run,
        parameters={
            "model": model.name,
            "video": _reference(video, project),
            "base": profile.name,
            "repeat": repeat,
        },
        kernel=model.kernel,
        timeout_s=model.timeout_s,
    )
    found = find(project, model.weights)
    label = f"{model.name} · {video.name}" + (f" · round {repeat}" if repeat > 1 else "")
    return Step("vlm", label, job, video, model, repeat, fresh, found.missing or "there")


def check_weights(planned: Plan) -> None:
    """See that every model that has to run has its weights here.

    Raises:
        KairosError: One has not; the line says how to get them.
    """
    for step in planned.vlms:
        if step.weights != "there" and not step.cached and step.model is not None:
            hint = (
                f"run `make fetch MODEL={step.model.name}`"
                if step.model.weights.source == "hub"
                else "see parameters/models/" + step.model.name + ".yaml"
            )
            raise KairosError(f"{step.weights}: {hint}")


def carry_out(project: Project, planned: Plan, display: Display) -> int:
    """Run all that is not cached, then write the suite's manifest.

    Returns:
        The number of notebooks that failed.

    Raises:
        KairosError: A model's weights are not here; nothing has been started.
    """
    check_weights(planned)
    steps = [*planned.bases, *planned.vlms]
    todo = [step for step in steps if not step.cached]
    problems: dict[Path, str] = {}
    write_manifest(project, planned, problems)
    for number, step in enumerate(todo, start=1):
        problem = _blocked(planned, step)
        if problem:
            problems[step.job.run.folder] = problem
            display.begin(number, len(todo), step.label)
            display.end(step.label, Status(state="failed", reason="error", message=problem))
            continue
        if step.fresh:
            step.job.run.set_aside()
        display.begin(number, len(todo), step.label)
        display.end(step.label, run_notebook(project, step.job, _watcher(display)))
    write_manifest(project, planned, problems)
    return sum(not step.job.run.done for step in steps)


def _watcher(display: Display) -> Watcher:
    return display.update


def _blocked(planned: Plan, step: Step) -> str:
    if step.kind == "base":
        return ""
    base = next(base for base in planned.bases if base.video == step.video)
    return "" if base.job.run.done else f"base processing of {step.video.name} failed"


def write_manifest(project: Project, planned: Plan, problems: dict[Path, str]) -> None:
    """Say which run folders a suite consists of."""
    manifest = Manifest(
        name=planned.suite.name,
        title=planned.suite.title,
        repeats=planned.suite.repeats,
        bases=tuple(
            PlannedBase(
                video=step.video.name,
                title=step.video.title,
                folder=project.relative(step.job.run.folder),
            )
            for step in planned.bases
        ),
        runs=tuple(
            PlannedVlm(
                model=step.model.name,
                model_title=step.model.title,
                video=step.video.name,
                repeat=step.repeat,
                folder=project.relative(step.job.run.folder),
                problem=problems.get(step.job.run.folder, ""),
            )
            for step in planned.vlms
            if step.model is not None
        ),
    )
    write_record(project.runs / "suites" / f"{planned.suite.name}.json", manifest)


def analyse(project: Project, suite: str, display: Display, fresh: bool = False) -> Path:
    """Run the analysis notebook over a suite's runs and export it, unless nothing has changed.

    Returns:
        The report's path.

    Raises:
        KairosError: The notebook failed.
    """
    from kairos_lib.report.session import analysis_run

    run = analysis_run(project, suite)
    index = project.reports / suite / "index.html"
    if run.done and index.exists() and not fresh:
        return index
    job = Job(
        notebook=project.notebooks / "analysis.ipynb",
        run=run,
        parameters={"suite": suite},
        kernel=OWN,
        timeout_s=ANALYSIS_TIMEOUT_S,
    )
    if fresh:
        run.set_aside()
    label = f"analysis · {suite}"
    display.begin(1, 1, label)
    status = run_notebook(project, job, _watcher(display))
    display.end(label, status)
    if status.state == "failed":
        raise KairosError(f"the report could not be made: {status.message}")
    from kairos_lib.report.export import export

    export(project, run.file("notebook.ipynb"), index)
    return index
