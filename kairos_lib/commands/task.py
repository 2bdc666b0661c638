"""`kairos task`: what jobs of a cluster run. Exit code 1 where the task is not done."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from kairos_lib.commands.ending import stop
from kairos_lib.errors import KairosError
from kairos_lib.options import whole
from kairos_lib.project import Project

ATTEMPTS_AT_MOST = 1000
SLOTS_AT_MOST = 64


@click.command()
@click.argument("plan", type=click.Path(path_type=Path))
@click.argument("what")
@click.argument("wave", required=False)
@click.option("--attempt", help="Which attempt this is; the next by default.")
@click.option("--slots", help="Tasks that run at once on this machine.")
def task(plan: Path, what: str, wave: str | None, attempt: str | None, slots: str | None) -> None:
    """Run task WHAT (a number) of a PLAN that was handed to a cluster, here and now.

    `kairos task PLAN collect WAVE` looks what became of a wave's tasks instead: submits those that
    are worth another attempt, or the next wave, or makes the report.
    """
    from rich.console import Console

    from kairos_lib.bench import handing_over
    from kairos_lib.bench.display import display
    from kairos_lib.bench.node_task import run_task, settle_threads
    from kairos_lib.bench.submission import IN_WORDS, Ended, Place

    project = Project.find()
    place = Place(plan.absolute().parent)
    which = whole("--attempt", attempt, ATTEMPTS_AT_MOST)
    settle_threads()
    with display(Console()) as shown:
        if what == "collect":
            found = handing_over.collect(project, place, _number(wave, "WAVE"), which, shown)
        else:
            at_once = whole("--slots", slots, SLOTS_AT_MOST)
            record = run_task(project, place, _number(what, "WHAT"), which, shown, at_once)
            if record.fate != "done":
                told = ": ".join(filter(None, [IN_WORDS[record.fate or "error"], record.message]))
                stop(f"task {what} {told}", 1)
            return
    if isinstance(found, Ended):
        click.echo(f"ended: {found.failed} failed; report: {found.report or found.problem}")
        sys.exit(1 if found.failed or found.problem else 0)
    jobs = ", ".join(array.job for array in found.arrays)
    click.echo(f"wave {found.wave}, attempt {found.attempt}: job {jobs}, then {found.collector}")


def _number(text: str | None, name: str) -> int:
    if not (text and text.isdecimal() and len(text) < 7):
        raise KairosError(f"{name} must be a number from 0 on, not '{text or ''}'")
    return int(text)
