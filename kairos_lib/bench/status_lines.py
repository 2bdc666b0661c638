"""How a submission stands, as lines for a terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from rich.markup import escape

from kairos_lib import formats
from kairos_lib.bench.events_so_far import events_so_far
from kairos_lib.bench.verdicts import Standing, State, Verdicts
from kairos_lib.errors import KairosError
from kairos_lib.launch.slurm import Queued
from kairos_lib.project import Project
from kairos_lib.runs.files import read_record
from kairos_lib.runs.status import Progress

STATES: tuple[State, ...] = ("done", "running", "waiting", "missing", "failed", "blocked")
COLOURS: dict[State, str] = {"done": "green", "running": "cyan", "failed": "red", "blocked": "red"}
SHOWN_AT_MOST = 50
"""Of tasks that are named in one state."""
NAMED: tuple[State, ...] = ("running", "missing", "failed", "blocked")


@dataclass(frozen=True)
class Seen:
    """A submission, and what SLURM says of it."""

    verdicts: Verdicts
    queued: Sequence[Queued] | None
    """None where SLURM cannot be asked."""
    unasked: str = ""
    """Why it cannot."""


def lines(project: Project, seen: Seen) -> list[str]:
    """A row for each wave, a line for each task that is not as it should be, and what is left."""
    verdicts = seen.verdicts
    submission, place = verdicts.submission, verdicts.place
    standings = verdicts.standings(seen.queued)
    where = project.relative(place.folder)
    found = [f"suite {submission.suite.name} on {submission.on}, {where}"]
    found.append(f"{'wave':20}" + "".join(f"{state:>9}" for state in STATES))
    for wave in range(submission.waves):
        numbers = submission.of_wave(wave)
        counts = Counter(standings[number].state for number in numbers)
        kinds = dict.fromkeys(submission.tasks[number].planned.kind for number in numbers)
        name = formats.shortened(f"{wave} {', '.join(kinds)}", 19)
        cells = (
            f"[{COLOURS.get(state, 'bold')}]{counts[state]:9,}[/]" if counts[state] else f"{'·':>9}"
            for state in STATES
        )
        found.append(f"{escape(name):20}" + "".join(cells))
    for state in NAMED:
        of_state = [standing for standing in standings if standing.state == state]
        found += [_named(project, verdicts, standing) for standing in of_state[:SHOWN_AT_MOST]]
        if len(of_state) > SHOWN_AT_MOST:
            found.append(f"{state}: {len(of_state) - SHOWN_AT_MOST:,} more")
    found += [
        f"[red]left out[/] {escape(one.in_words)}: {escape(one.problem)}"
        for one in submission.unusable
    ]
    if seen.unasked:
        found.append(
            f"the queue cannot be asked ({escape(seen.unasked)}): what runs or waits is told by "
            "what the nodes wrote"
        )
    found += map(escape, events_so_far(project, verdicts))
    return [*found, *_to_come(verdicts, standings, seen.queued)]


def _named(project: Project, verdicts: Verdicts, standing: Standing) -> str:
    task = verdicts.submission.tasks[standing.number]
    told = [standing.why] if standing.why else []
    if standing.state == "running":
        told += _progress(project, verdicts, standing)
    if standing.record is not None and standing.record.host:
        told.append(f"on {standing.record.host}")
    colour = COLOURS.get(standing.state, "bold")
    number = f"{standing.number} {task.label}"
    return f"[{colour}]{standing.state}[/] {escape(number)}: {escape('; '.join(told) or '…')}"


def _progress(project: Project, verdicts: Verdicts, standing: Standing) -> list[str]:
    """How far the notebook of a task is, as it says itself."""
    planned = verdicts.planned(standing.number)
    if not planned.folder:
        return []
    try:
        progress = read_record(project.root / planned.folder / "progress.json", Progress)
    except KairosError:
        return []  # Read while it runs: the next look sees more.
    return [f"{progress.step} {progress.done:,}/{progress.total:,}"] if progress else []


def _to_come(
    verdicts: Verdicts, standings: Sequence[Standing], queued: Sequence[Queued] | None
) -> list[str]:
    """What is left, and for how long; or how it ended."""
    if ended := verdicts.place.ended():
        count = len(standings)
        told = f"ended: {count - ended.failed:,} of {formats.count(count, 'task')} done"
        parts = [told, *([ended.problem] if ended.problem else [])]
        return [escape("; ".join(parts)), *([f"report: {ended.report}"] if ended.report else [])]
    found = []
    left_s = expected_s(verdicts, standings)
    if left_s == 0:
        found.append("expected: the report")
    elif left_s is not None:
        found.append(f"expected: {formats.work(left_s)} more, once tasks run without waiting")
    else:
        found.append("expected: not known before a task of each wave is done")
    last = max(verdicts.rounds, key=lambda one: (one.wave, one.attempt), default=None)
    if queued is None or last is None or not last.collector:
        return found
    if any(one.job == last.collector for one in queued):
        return [*found, f"job {last.collector} looks at what became of them, and goes on"]
    log = f"logs/{last.collector}.txt"
    return [f"nothing more will come: job {last.collector} is gone ({log}): run the same command"]


def expected_s(verdicts: Verdicts, standings: Sequence[Standing]) -> float | None:
    """Seconds that the tasks which are left will take, by the mean of those that are done.

    Returns:
        None where nothing of a wave is done whose tasks are left.
    """
    submission = verdicts.submission
    running = sum(standing.state == "running" for standing in standings)
    total_s = 0.0
    for wave in range(submission.waves):
        own = [standings[number] for number in submission.of_wave(wave)]
        left = sum(standing.state in ("running", "waiting", "missing") for standing in own)
        if not left:
            continue
        took_s = [
            standing.record.time_s
            for standing in own
            if standing.state == "done" and standing.record and not standing.record.was_there
        ]
        if not took_s:
            return None
        at_once = min(submission.cluster.throttle or max(running, 1), left)
        total_s += math.ceil(left / at_once) * mean(took_s)
    return total_s
