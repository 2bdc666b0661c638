"""One task of a submission, on whichever machine it lands: planned there again, then run there.

Imports no torch.
"""

from __future__ import annotations

import os
import platform
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from types import FrameType

from kairos_lib.bench.events_plan import plan_of
from kairos_lib.bench.execution import Display, check_keys, check_weights
from kairos_lib.bench.step import Step
from kairos_lib.bench.submission import IN_WORDS, Attempt, Fate, Place, Submission, identity
from kairos_lib.errors import KairosError
from kairos_lib.launch.launcher import Launcher, Watcher
from kairos_lib.launch.local import LocalLauncher
from kairos_lib.measure import threads
from kairos_lib.measure.devices import absent_allowed
from kairos_lib.project import Project
from kairos_lib.runs import locks
from kairos_lib.runs.files import write_record
from kairos_lib.runs.run import utc_now
from kairos_lib.runs.status import Status
from kairos_lib.vlm.run import device_of

CPUS = "SLURM_CPUS_PER_TASK"
SEEN_WITHIN_S = 90.0
"""A shared file system remembers for a minute that a file was not there."""
POLL_S = 2.0


@dataclass
class Stop:
    """Whether this process was told to stop, and what that means."""

    limit_s: float
    """After which SLURM ends it."""
    event: threading.Event = field(default_factory=threading.Event)
    fate: Fate = "interrupted"
    began_s: float = field(default_factory=time.monotonic)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take signals for the length of a block; they end the notebook, not this process."""
        told = (signal.SIGUSR2, signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self._told) for number in told}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _told(self, number: int, frame: FrameType | None) -> None:
        if self.event.is_set():
            return  # The first is why.
        over = time.monotonic() - self.began_s >= self.limit_s
        if number == signal.SIGUSR2 or (number == signal.SIGTERM and over):
            self.fate = "limit"
        elif number == signal.SIGTERM:
            self.fate = "cancelled"
        self.event.set()


def run_task(
    project: Project,
    place: Place,
    number: int,
    attempt: int,
    display: Display,
    slots: int = 0,
    launcher: Launcher | None = None,
) -> Attempt:
    """Run one task, unless what it is to make is there.

    Args:
        project: The checkout.
        place: Where the submission lies.
        number: Of the task.
        attempt: Which this is; 0 for the one after all that there were.
        display: Shows how far it is.
        slots: Tasks that run at once on this machine; 0 for as many as the cluster may run.
        launcher: Runs the notebook; on this machine if left out.

    Returns:
        What was written about it.

    Raises:
        KairosError: There is no such submission, or no task of that number.
    """
    submission = place.submission()
    if not 0 <= number < len(submission.tasks):
        raise KairosError(f"{place.plan} has tasks 0 to {len(submission.tasks) - 1}, not {number}")
    earlier = place.attempts(number)
    attempt = attempt or max(earlier, default=0) + 1
    stop = Stop(submission.cluster.limit_minutes * 60)
    index = os.environ.get("SLURM_ARRAY_TASK_ID", "")
    record = Attempt(
        state="running",
        host=platform.node(),
        job=os.environ.get("SLURM_ARRAY_JOB_ID", ""),
        index=int(index) if index.isdecimal() else None,
        started_at=utc_now(),
    )
    with stop.listening():
        place.write_attempt(number, attempt, record)
        # Set aside once: what an earlier attempt at it began is gone on with.
        begun = any(one.planned is not None for n, one in earlier.items() if n != attempt)
        try:
            step = _step(project, submission, number, submission.fresh and not begun)
            _check_needs(place, submission, number, step)
            record = record.model_copy(update={"planned": step.planned, "was_there": step.cached})
            place.write_attempt(number, attempt, record)
            fate: Fate = "done"
            message = ""
            if not step.cached:
                row = display.begin(number + 1, len(submission.tasks), step.label)
                job = replace(step.job, slots=slots or _at_once(submission, number))
                if step.fresh:
                    job = replace(job, afresh=step.forget)
                step = replace(step, job=job)
                status = _launch(step, row.update, stop, launcher or LocalLauncher(project))
                row.end(status)
                fate = "done" if status.state == "done" else status.reason or "error"
                message = status.message
                if fate != "done" and stop.event.is_set():
                    fate, message = stop.fate, ""
        except (KairosError, OSError) as error:
            fate, message = "refused", " ".join(str(error).split())
        record = record.model_copy(
            update={
                "state": "ended",
                "fate": fate,
                "message": message,
                "ended_at": utc_now(),
                "time_s": time.monotonic() - stop.began_s,
            }
        )
        place.write_attempt(number, attempt, record)
    return record


def settle_threads() -> None:
    """Compute with no more threads than the cluster gives processors, where nobody said how many.

    Not every cluster keeps a task to its processors.
    """
    given = os.environ.get(CPUS, "")
    if given.isdecimal() and not any(map(os.environ.get, (threads.COUNT, threads.COUNT_OF_MKL))):
        os.environ[threads.COUNT] = f"{min(int(given), threads.available())}"


def _step(project: Project, submission: Submission, number: int, fresh: bool) -> Step:
    """A task as this machine plans it.

    Raises:
        KairosError: It cannot be planned or run here.
    """
    task = submission.tasks[number]
    with absent_allowed():  # Of other tasks' models, which may run on other nodes.
        planned = plan_of(project, submission.suite, submission.events, fresh)
    for step in planned.steps:
        if identity(step.planned, step.label) == task.identity:
            if step.model is not None:
                device_of(step.model)
            alone = replace(planned, steps=[step])
            check_weights(project, alone)
            check_keys(alone.steps)
            return step
    why = next((f": {one.why}" for one in planned.unusable if one.name == task.planned.video), "")
    raise KairosError(
        f"{task.label} is not in the plan that is made here{why or ', as if files had changed'}"
    )


def _check_needs(place: Place, submission: Submission, number: int, step: Step) -> None:
    """See that what a task needs is there, and is what the other tasks made.

    Raises:
        KairosError: It is not.
    """
    made = {
        record.planned.folder
        for earlier in submission.tasks[number].after
        for record in place.attempts(earlier).values()
        if record.fate == "done" and record.planned is not None
    }
    for need in step.after:
        if made and need.planned.folder not in made:
            raise KairosError(
                f"{need.planned.in_words} would be {need.planned.folder} here, and is "
                f"{', '.join(sorted(made))}: parameters or packages are not the same"
            )
    until_s = time.monotonic() + SEEN_WITHIN_S
    while made and step.blocked and time.monotonic() < until_s:
        time.sleep(POLL_S)
    if problem := step.blocked:
        raise KairosError(problem)


def _launch(step: Step, watch: Watcher, stop: Stop, launcher: Launcher) -> Status:
    if stop.event.is_set():
        return Status(state="failed", reason="interrupted")
    with ExitStack() as rests:
        for need in step.after:
            rests.enter_context(locks.kept(need.job.run.folder))
        try:
            status = launcher.launch(step.job, watch, stop.event)
        except KeyboardInterrupt:
            status = step.job.run.status() or Status(state="failed", reason="interrupted")
    if stop.event.is_set() and status.state != "done":
        # Whoever reads the run's folder does not know the task.
        told = f"it {IN_WORDS[stop.fate]}: run the same command to go on where it stopped"
        status = status.model_copy(update={"reason": "interrupted", "message": told})
        step.job.run.create()
        write_record(step.job.run.file("status.json"), status)
    return status


def _at_once(submission: Submission, number: int) -> int:
    """How many of the wave may run beside one another, on nodes that they may share."""
    if submission.cluster.exclusive:
        return 1
    wave = submission.of_wave(submission.tasks[number].wave)
    return min(submission.cluster.throttle or len(wave), len(wave))
