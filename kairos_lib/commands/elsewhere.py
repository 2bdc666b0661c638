"""`kairos bench --on`: a plan's notebooks as tasks, of a cluster or in slots of this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kairos_lib.errors import KairosError
from kairos_lib.names import quoted
from kairos_lib.parameters.suite import Suite
from kairos_lib.project import Project

if TYPE_CHECKING:
    from rich.console import Console

    from kairos_lib.bench.events_plan import EventsRequest

SLURM = "slurm:"


def elsewhere(
    project: Project,
    console: Console,
    suite: Suite,
    on: str,
    slots: int,
    fresh: bool,
    dry_run: bool,
    events: EventsRequest | None = None,
) -> None:
    """Hand a suite's plan over and return, or run its tasks here.

    Args:
        project: The checkout.
        console: Where it is shown.
        suite: What to run.
        on: What a user gave: `slurm:NAME` or `local`.
        slots: Tasks at once on this machine; 0 where nothing was said.
        fresh: Whether what is done is done again.
        dry_run: Whether to print the scripts, and start nothing.
        events: What was asked for beside the suite, where it is to spot events.

    Raises:
        KairosError: There is no such place, or it does not take the plan.
    """
    from kairos_lib.bench import handing_over
    from kairos_lib.bench.display import display, plan_lines
    from kairos_lib.bench.submission import LOCAL
    from kairos_lib.parameters.cluster import Cluster
    from kairos_lib.parameters.loading import load

    local = on == LOCAL
    if not (local or on.startswith(SLURM)):
        raise KairosError(f"ON must be slurm:NAME or local, not {quoted(on)}")
    if slots and not local:
        raise KairosError(
            "SLOTS is of this machine: how many run at once is the cluster's throttle"
        )
    cluster = None if local else load(project, Cluster, on.removeprefix(SLURM))
    planned = handing_over.planned_for(project, suite, fresh, events)
    for one in planned.unusable:
        click.echo(f"left out: {one.name}: {one.why}", err=True)
    if dry_run:
        if cluster is None:
            console.print("\n".join(plan_lines(project, planned)), soft_wrap=True, highlight=False)
        else:
            click.echo("\n".join(handing_over.shown(project, planned, cluster, fresh)), nl=False)
        sys.exit(1 if planned.unusable else 0)
    if cluster is None:
        with display(console) as shown:
            ended = handing_over.run_here(project, planned, slots or 1, fresh, shown)
        tasks = len(planned.steps)
        click.echo(f"{tasks - ended.failed} of {tasks} tasks done; report: {ended.report}")
        if ended.problem:
            raise KairosError(ended.problem)
        sys.exit(1 if ended.failed or planned.unusable else 0)
    place, first = handing_over.hand_over(project, planned, cluster, fresh)
    jobs = ", ".join(array.job for array in first.arrays)
    click.echo(
        f"handed over: {len(planned.steps)} tasks, the first "
        f"{sum(len(array.tasks) for array in first.arrays)} as job {jobs}, then job "
        f"{first.collector} goes on; {project.relative(place.folder)}"
    )
    click.echo(
        f"how it stands: make status SUITE={suite.name} (kairos status --suite {suite.name})"
    )
