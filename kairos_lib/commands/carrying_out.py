"""What all commands do that carry out a plan: progress, the report, and what went wrong."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from kairos_lib.project import Project

if TYPE_CHECKING:
    from kairos_lib.bench.plan import Plan, UnusableVideo

SLOTS_AT_MOST = 64


def debugging() -> bool:
    """Whether tracebacks are asked for."""
    return bool(click.get_current_context().find_root().params.get("debug"))


def report_unusable(unusable: Iterable[UnusableVideo]) -> None:
    """Say which videos are left out, and why."""
    for one in unusable:
        if debugging():
            click.echo("".join(traceback.format_exception(one.error)), err=True)
        click.echo(f"left out: {one.name}: {one.why}", err=True)


def carried_out(project: Project, planned: Plan, slots: int) -> None:
    """Carry out a plan and write its report; exits with 1 where not all of it could be done."""
    from rich.console import Console

    from kairos_lib.bench import execution
    from kairos_lib.bench.display import display
    from kairos_lib.launch.launcher import cause_of

    with display(Console()) as shown:
        failed = execution.carry_out(project, planned, shown, slots)
        if debugging():
            for step in planned.steps:
                if not planned.done(step) and (cause := cause_of(step.job.run)):
                    click.echo(f"{step.label}:\n{cause}", err=True)
        index = execution.analyse(project, planned.suite.name, shown)
    without = f" (without {planned.lacking})" if planned.lacking else ""
    if not failed and not planned.unusable:
        click.echo(f"report: {index}{without}")
        return
    wrong = []
    if planned.unusable:
        videos = len(planned.unusable) + len({step.video.path for step in planned.steps})
        wrong.append(f"{len(planned.unusable)} of {videos} videos could not be used")
    if failed:
        wrong.append(f"{failed} of {len(planned.steps)} notebooks failed")
    click.echo(f"{' and '.join(wrong)}; the report shows them: {index}{without}")
    sys.exit(1)
