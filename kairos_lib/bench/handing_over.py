"""Hands a plan to a cluster, wave by wave, and makes the report when nothing is left to do.

Each array has a small job after it, the collector, which looks what became of its tasks, submits
those that are worth another attempt or the next wave, and reports in the end: nothing waits on the
machine where it was asked for. The same tasks can be run in slots of this machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from functools import partial

from kairos_lib.bench.events_plan import EventsRequest, plan_of, set_aside
from kairos_lib.bench.execution import Display, analyse, check_keys, check_weights, write_steps
from kairos_lib.bench.plan import Plan
from kairos_lib.bench.submission import (
    LOCAL,
    Array,
    Ended,
    Place,
    Round,
    Submission,
    new_place,
    newest,
    submission_of,
)
from kairos_lib.bench.verdicts import Next, Verdicts
from kairos_lib.errors import KairosError
from kairos_lib.launch import slurm
from kairos_lib.launch.slots import Slot, Slots
from kairos_lib.measure.devices import absent_allowed
from kairos_lib.parameters.cluster import Cluster
from kairos_lib.parameters.suite import Suite
from kairos_lib.project import ANALYZERS, Project, slug
from kairos_lib.runs.files import write_record
from kairos_lib.runs.run import utc_now

RECORD_WAIT_S = 60.0
"""A collector can begin before the record of its round is written, or seen on its node."""
POLL_S = 0.5
EXAMPLE = "<id of the array>"
"""In scripts that are only shown."""


def planned_for(
    project: Project, suite: Suite, fresh: bool, events: EventsRequest | None = None
) -> Plan:
    """A plan whose steps run on machines that may have devices which are not here.

    Raises:
        KairosError: It cannot be made, or weights or a key are missing.
    """
    with absent_allowed():
        planned = plan_of(project, suite, events, fresh)
    check_weights(project, planned)
    check_keys(planned.steps)
    return planned


def hand_over(
    project: Project, planned: Plan, cluster: Cluster, fresh: bool
) -> tuple[Place, Round]:
    """Submit the first wave of a plan, and its collector.

    Raises:
        KairosError: SLURM does not take it; then nothing is left of it. Or it has it already.
    """
    _refuse_twice(project, planned.suite.name)
    submission = submission_of(planned, f"slurm:{cluster.name}", cluster, fresh)
    if fresh:
        set_aside(planned)
    place = new_place(project, submission.suite.name)
    write_record(place.plan, submission)
    first = Next(0, 1, tuple(submission.of_wave(0)))
    try:
        return place, submit(project, place, submission, first)
    except KairosError:
        shutil.rmtree(place.folder)
        raise


def shown(project: Project, planned: Plan, cluster: Cluster, fresh: bool) -> list[str]:
    """The scripts that would be handed over, of all waves, as if nothing failed."""
    submission = submission_of(planned, f"slurm:{cluster.name}", cluster, fresh)
    place = Place(new_place(project, planned.suite.name).folder.with_name("<submission>"))
    found = []
    for wave in range(submission.waves):
        round_ = Next(wave, 1, tuple(submission.of_wave(wave)))
        after = ""
        parts = slurm.chunks(round_.tasks, cluster.max_array_size)
        for part in parts:
            found.append(array_script(project, place, submission, round_, part, after))
            after = EXAMPLE if cluster.throttle else ""
        ids = ":".join([EXAMPLE] * len(parts))
        found.append(collector_script(project, place, submission, round_, ids))
    return found


def submit(project: Project, place: Place, submission: Submission, wanted: Next) -> Round:
    """Submit some tasks of a wave, and the collector that comes after them.

    Raises:
        KairosError: SLURM does not take them; then it has none of them.
    """
    arrays: list[Array] = []
    after = ""
    try:
        for part in slurm.chunks(wanted.tasks, submission.cluster.max_array_size):
            script = array_script(project, place, submission, wanted, part, after)
            job = slurm.submit(script, place.folder)
            arrays.append(Array(job=job, offset=part.offset, tasks=part.tasks))
            # A throttle is one array's: several keep it by coming one after the other.
            after = job if submission.cluster.throttle else ""
        ids = ":".join(array.job for array in arrays)
        script = collector_script(project, place, submission, wanted, ids)
        collector = slurm.submit(script, place.folder)
    except KairosError:
        slurm.cancel(array.job for array in arrays)
        raise
    record = Round(
        wave=wanted.wave,
        attempt=wanted.attempt,
        arrays=tuple(arrays),
        collector=collector,
        submitted_at=utc_now(),
    )
    place.write_round(record)
    return record


def array_script(
    project: Project,
    place: Place,
    submission: Submission,
    wanted: Next,
    part: slurm.Chunk,
    after: str,
) -> str:
    """The script of some of a round's tasks."""
    command = _command(place, "{}", "--attempt", f"{wanted.attempt}")
    around = _around(project, submission)
    return slurm.array_script(submission.cluster, _name(submission), part, command, around, after)


def collector_script(
    project: Project, place: Place, submission: Submission, wanted: Next, after: str
) -> str:
    """The script of the job that comes after a round."""
    command = _command(place, "collect", f"{wanted.wave}", "--attempt", f"{wanted.attempt}")
    around = _around(project, submission)
    name = f"{_name(submission)}-collect"
    return slurm.job_script(submission.cluster, name, command, around, after)


def collect(
    project: Project, place: Place, wave: int, attempt: int, display: Display
) -> Ended | Round:
    """What a collector does: submit what is next, or report.

    Args:
        project: The checkout.
        place: Where the submission lies.
        wave: Whose tasks have ended.
        attempt: Which of the wave's rounds; 0 for the last.
        display: Shows the report being made.

    Returns:
        What was submitted, or how it ended.

    Raises:
        KairosError: There is no such submission or round.
    """
    submission = place.submission()
    attempt = attempt or max((r.attempt for r in place.rounds() if r.wave == wave), default=0)
    until_s = time.monotonic() + RECORD_WAIT_S
    while not any((r.wave, r.attempt) == (wave, attempt) for r in place.rounds()):
        if time.monotonic() > until_s:
            raise KairosError(f"{place.folder} has no round {attempt} of wave {wave}")
        time.sleep(POLL_S)
    wanted = Verdicts.read(place, submission).following(wave, attempt)
    problem = ""
    if wanted is not None:
        try:
            return submit(project, place, submission, wanted)
        except KairosError as error:
            # What there is, is reported all the same.
            problem = f"what was left could not be submitted: {error}"
    return finish(project, place, display, problem)


def run_here(project: Project, planned: Plan, slots: int, fresh: bool, display: Display) -> Ended:
    """Run a plan's tasks in slots of this machine, each as a cluster's node would."""
    room = Slots(slots)
    submission = submission_of(planned, LOCAL, Cluster(name=LOCAL, throttle=slots), fresh)
    if fresh:
        set_aside(planned)
    place = new_place(project, submission.suite.name)
    write_record(place.plan, submission)
    wanted: Next | None = Next(0, 1, tuple(submission.of_wave(0)))
    while wanted is not None:
        arrays = (Array(job="", offset=0, tasks=wanted.tasks),)
        place.write_round(
            Round(wave=wanted.wave, attempt=wanted.attempt, arrays=arrays, collector="",
                  submitted_at=utc_now())
        )  # fmt: skip
        command = [*_command(place), "--attempt", f"{wanted.attempt}", "--slots", f"{slots}"]
        room.run([partial(_in_slot, command, number) for number in wanted.tasks])
        verdicts = Verdicts.read(place, submission)
        wanted = verdicts.following(wanted.wave, wanted.attempt)
    return finish(project, place, display)


def _in_slot(command: list[str], number: int, slot: Slot, stopped: threading.Event) -> None:
    environment = {**os.environ, **slot.environment}
    task = subprocess.Popen([*command, f"{number}"], env=environment, start_new_session=True)
    try:
        while task.poll() is None:
            if stopped.wait(POLL_S):
                raise KeyboardInterrupt
    finally:
        task.terminate()
        task.wait()


def finish(project: Project, place: Place, display: Display, problem: str = "") -> Ended:
    """Write the suite's manifest, from what the nodes wrote, and make its report."""
    submission = place.submission()
    verdicts = Verdicts.read(place, submission)
    standings = verdicts.standings(queued=[])
    steps = []
    done = {standing.number for standing in standings if standing.state == "done"}
    takers = [n for n, task in enumerate(submission.tasks) if task.absorbs and n in done]
    taken = {number for taker in takers for number in submission.tasks[taker].after}
    for standing in standings:
        if standing.number in taken:
            continue
        planned = verdicts.planned(standing.number)
        # How a notebook ended stands in its run's folder; of one that left nothing there, here.
        told = planned.folder and (project.root / planned.folder / "status.json").exists()
        why = "" if standing.state == "done" or told else standing.why or "was not run"
        steps.append(planned.model_copy(update={"problem": why}))
    write_steps(project, submission.suite, [*steps, *submission.unusable])
    report = ""
    try:
        report = project.relative(analyse(project, submission.suite.name, display))
    except KairosError as error:
        problem = "; ".join(filter(None, [problem, str(error)]))
    failed = sum(standing.state != "done" for standing in standings)
    ended = Ended(failed=failed, report=report, problem=problem, at=utc_now())
    place.end(ended)
    return ended


def _refuse_twice(project: Project, suite: str) -> None:
    """See that a suite is not with the cluster already: one run has one writer.

    Raises:
        KairosError: It is.
    """
    try:
        place = newest(project, suite)
    except KairosError:
        return
    ours = [job for one in place.rounds() for job in (*(a.job for a in one.arrays), one.collector)]
    if here := sorted({one.job for one in slurm.queue()} & set(ours)):
        raise KairosError(
            f"suite {suite} is with the cluster already: wait for it (make status SUITE={suite}), "
            f"or take it back with scancel {' '.join(here)}"
        )


def _command(place: Place, *words: str) -> list[str]:
    return [sys.executable, "-m", "kairos_lib.cli", "task", str(place.plan.absolute()), *words]


def _around(project: Project, submission: Submission) -> slurm.Surroundings:
    variables = {"KAIROS_ROOT": str(project.root)}
    if folders := os.environ.get(ANALYZERS):
        variables[ANALYZERS] = folders
    return slurm.Surroundings(submission.folder, variables)


def _name(submission: Submission) -> str:
    return f"kairos-{slug(submission.suite.name)}"
