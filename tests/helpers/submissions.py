"""Submissions to a cluster that nobody runs, and what stands in for those who would."""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from helpers.projects import fill, tiny_model, write_parameters
from kairos_lib.bench import handing_over
from kairos_lib.bench.submission import (
    FOLDER,
    Array,
    Attempt,
    Fate,
    Place,
    Round,
    Submission,
    Task,
    submission_of,
)
from kairos_lib.bench.verdicts import Verdicts
from kairos_lib.launch.job import Job
from kairos_lib.launch.launcher import Watcher
from kairos_lib.parameters.cluster import Cluster
from kairos_lib.parameters.suite import Suite
from kairos_lib.project import Project
from kairos_lib.runs.files import write_record
from kairos_lib.runs.manifest import PlannedStep
from kairos_lib.runs.status import Reason, Status

CLUSTER = Cluster(name="here", attempts=3, throttle=2, max_array_size=4, partition="gpu")


def task(label: str, wave: int, *after: int) -> Task:
    kind = ("first", "second")[wave]
    planned = PlannedStep(kind=kind, video="v", in_words=f"the {label}", folder="")
    return Task(label=label, planned=planned, wave=wave, after=after)


def small_submission(project: Project) -> Place:
    """Two tasks, and four that need one or the other."""
    tasks = (
        task("a", 0), task("b", 0), task("a1", 1, 0), task("a2", 1, 0), task("b1", 1, 1),
        task("b2", 1, 1),
    )  # fmt: skip
    suite = Suite(name="s", title="S", models=("m",), videos=("v",))
    submission = Submission(
        suite=suite, on="slurm:here", cluster=CLUSTER, fresh=False, folder=project.root,
        tasks=tasks,
    )  # fmt: skip
    made = Place(project.runs / FOLDER / "s" / "1")
    write_record(made.plan, submission)
    return made


def submitted(place: Place, wave: int, attempt: int, *tasks: int) -> None:
    arrays = (Array(job=f"{10 * wave + attempt}", offset=0, tasks=tasks),)
    collector = f"{900 + 10 * wave + attempt}"
    place.write_round(Round(wave=wave, attempt=attempt, arrays=arrays, collector=collector))


def ended(place: Place, number: int, attempt: int, fate: Fate, message: str = "") -> None:
    record = Attempt(state="ended", fate=fate, message=message, time_s=60.0, host="n1")
    place.write_attempt(number, attempt, record)


def verdicts(place: Place) -> Verdicts:
    return Verdicts.read(place, place.submission())


class Row:
    """A row that nobody looks at."""

    def begin(self, number: int, total: int, label: str) -> Row:
        return self

    def update(self, progress: object) -> None:
        pass

    def end(self, status: object) -> None:
        pass


@dataclass
class Launcher:
    """Ends every notebook at once."""

    reason: Reason | None = None
    told: signal.Signals | None = None
    """What this process is told while the notebook runs."""
    jobs: list[Job] = field(default_factory=list)

    def launch(self, job: Job, watch: Watcher, stopped: threading.Event | None = None) -> Status:
        self.jobs.append(job)
        if self.told is not None:
            os.kill(os.getpid(), self.told)
            assert stopped is not None
            assert stopped.wait(5)
            raise KeyboardInterrupt
        state = Status(state="done")
        if self.reason:
            state = Status(state="failed", reason=self.reason, message="no words for it")
        job.run.create()
        write_record(job.run.file("status.json"), state)
        return state


def real_submission(project: Project, clip: Path, weights: Path) -> Place:
    """A real plan of a video, and of a model here and one on a GPU that is not."""
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"weights")
    fill(project, clip, weights)
    (project.parameters / "slurm").mkdir()
    write_parameters(project, "slurm", "here", {"partition": "gpu", "attempts": 2})
    write_parameters(project, "models", "far", tiny_model(weights, device="cuda:7"))
    write_parameters(project, "suites", "two", {"title": "2", "models": ["tiny", "far"],
                                                "videos": ["twelve"]})  # fmt: skip
    place = Place(project.runs / FOLDER / "two" / "1")
    write_record(place.plan, planned(project))
    return place


def planned(project: Project, fresh: bool = False) -> Submission:
    from kairos_lib.parameters.loading import load

    suite = load(project, Suite, "two")
    plan = handing_over.planned_for(project, suite, fresh)
    return submission_of(plan, "slurm:here", CLUSTER, fresh)


def slurm_programs(folder: Path) -> None:
    """SLURM's programs: sbatch keeps scripts and counts, until there is a file `full`."""
    folder.mkdir()
    code = (
        "import pathlib, sys\nhome = pathlib.Path(__file__).parent\n"
        "if (home / 'full').exists(): sys.exit('sbatch: error: no more')\n"
        "number = len([*home.glob('*.sh')]) + 1\n"
        "(home / f'{number:03d}.sh').write_text(sys.stdin.read())\nprint(number)"
    )
    queue = "import pathlib; print((pathlib.Path(__file__).parent / 'queue').read_text(), end='')"
    taken = (
        "import pathlib, sys\n(pathlib.Path(__file__).parent / 'taken').write_text(str(sys.argv))"
    )
    for name, body in (("sbatch", code), ("squeue", queue), ("scancel", taken)):
        (folder / name).write_text(f"#!{sys.executable}\n{body}\n")
        (folder / name).chmod(0o755)
    (folder / "queue").touch()
