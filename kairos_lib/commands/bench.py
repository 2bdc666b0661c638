"""`kairos bench` and `kairos plan`: exit code 0, or 1 where something could not be done."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from functools import partial
from typing import cast

import click

from kairos_lib.commands.elsewhere import elsewhere
from kairos_lib.options import flag, fresh_option, model_id_option, suite_option, whole
from kairos_lib.parameters.suite import REPEATS_AT_MOST
from kairos_lib.project import Project

SLOTS_AT_MOST = 64


@click.command()
@click.option("--model", envvar="KAIROS_MODEL", help="Model name; several with commas.")
@click.option("--video", envvar="KAIROS_VIDEO", help="Video name or path; several with commas.")
@suite_option
@click.option("--base", envvar="KAIROS_BASE", help="Base profile.")
@click.option("--repeats", envvar="KAIROS_REPEATS", type=str, help="Rounds, each in fresh kernels.")
@click.option("--weights", envvar="KAIROS_WEIGHTS", help="dummy: full size, random, no download.")
@model_id_option
@click.option("--slots", envvar="KAIROS_SLOTS", type=str, help="Notebooks at once; 1 by default.")
@click.option("--on", envvar="KAIROS_ON", help="slurm:NAME, a cluster; local, tasks in SLOTS here.")
@fresh_option
@click.option(
    "--dry-run",
    envvar="KAIROS_DRY_RUN",
    is_flag=False,
    flag_value="1",
    callback=flag,
    help="Print the plan and start nothing.",
)
def bench(
    model: str | None,
    video: str | None,
    suite: str | None,
    base: str | None,
    repeats: str | None,
    weights: str | None,
    model_id: str | None,
    slots: str | None,
    on: str | None,
    fresh: bool,
    dry_run: bool,
) -> None:
    """Run a suite, or MODEL on VIDEO, and write the report."""
    from rich.console import Console

    from kairos_lib.bench import execution as benches
    from kairos_lib.bench.display import display, need_lines, plan_lines
    from kairos_lib.bench.plan import make_plan
    from kairos_lib.bench.request import BenchRequest, suite_of
    from kairos_lib.bench.requirements import requirements_of
    from kairos_lib.launch.launcher import cause_of

    project = Project.find()
    console = Console()
    at_once = whole("SLOTS", slots, SLOTS_AT_MOST) or 1
    asked = BenchRequest(
        suite=suite or "",
        model=model or "",
        video=video or "",
        base=base or "",
        repeats=whole("REPEATS", repeats, REPEATS_AT_MOST),
        weights=weights or "",
        model_id=model_id or "",
    )
    chosen = suite_of(project, asked)
    if on:
        elsewhere(project, console, chosen, on, at_once if slots else 0, fresh, dry_run)
        return
    planned = make_plan(project, chosen, fresh)
    debug = bool(click.get_current_context().find_root().params.get("debug"))
    for one in planned.unusable:
        if debug:
            click.echo("".join(traceback.format_exception(one.error)), err=True)
        click.echo(f"left out: {one.name}: {one.why}", err=True)
    if dry_run:
        with console.status("asking what the models need"):
            needs = requirements_of(project, planned)
        lines = [*plan_lines(project, planned), *need_lines(needs)]
        console.print("\n".join(lines), soft_wrap=True, highlight=False)
        sys.exit(1 if planned.unusable else 0)
    with display(console) as shown:
        failed = benches.carry_out(project, planned, shown, at_once)
        if debug:
            for step in planned.steps:
                if not step.job.run.done and (cause := cause_of(step.job.run)):
                    click.echo(f"{step.label}:\n{cause}", err=True)
        index = benches.analyse(project, chosen.name, shown)
    without = f" (without {planned.lacking})" if planned.lacking else ""
    if not failed and not planned.unusable:
        click.echo(f"report: {index}{without}")
        return
    wrong = []
    if planned.unusable:
        videos = len(planned.unusable) + len(planned.bases)
        wrong.append(f"{len(planned.unusable)} of {videos} videos could not be used")
    if failed:
        wrong.append(f"{failed} of {len(planned.steps)} notebooks failed")
    click.echo(f"{' and '.join(wrong)}; the report shows them: {index}{without}")
    sys.exit(1)


plan = click.Command(
    "plan",
    params=[option for option in bench.params if option.name != "dry_run"],
    callback=partial(cast("Callable[..., None]", bench.callback), dry_run=True),
    help="Say what a bench would do and what its models need, and start nothing.",
)
