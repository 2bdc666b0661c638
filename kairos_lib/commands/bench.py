"""`kairos bench` and `kairos plan`: exit code 0, or 1 if something could not be done."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import cast

import click

from kairos_lib.commands.addresses import videos_here
from kairos_lib.commands.carrying_out import SLOTS_AT_MOST, carried_out, report_unusable
from kairos_lib.commands.elsewhere import elsewhere
from kairos_lib.options import flag, fresh_option, model_id_option, suite_option, whole
from kairos_lib.parameters.suite import REPEATS_AT_MOST
from kairos_lib.project import Project


@click.command()
@click.option("--model", envvar="KAIROS_MODEL", help="Model name; several with commas.")
@click.option(
    "--video", envvar="KAIROS_VIDEO", help="Video name, path or address; several with commas."
)
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

    from kairos_lib.bench.display import need_lines, plan_lines
    from kairos_lib.bench.plan import make_plan
    from kairos_lib.bench.request import BenchRequest, suite_of
    from kairos_lib.bench.requirements import requirements_of

    project = Project.find()
    at_once = whole("SLOTS", slots, SLOTS_AT_MOST) or 1
    asked = BenchRequest(
        suite=suite or "",
        model=model or "",
        video=videos_here(project, video or "", download=not dry_run),
        base=base or "",
        repeats=whole("REPEATS", repeats, REPEATS_AT_MOST),
        weights=weights or "",
        model_id=model_id or "",
    )
    chosen = suite_of(project, asked)
    if on:
        elsewhere(project, Console(), chosen, on, at_once if slots else 0, fresh, dry_run)
        return
    planned = make_plan(project, chosen, fresh)
    report_unusable(planned.unusable)
    if dry_run:
        console = Console()
        with console.status("asking what the models need"):
            needs = requirements_of(project, planned)
        lines = [*plan_lines(project, planned), *need_lines(needs)]
        console.print("\n".join(lines), soft_wrap=True, highlight=False)
        sys.exit(1 if planned.unusable else 0)
    carried_out(project, planned, at_once)


plan = click.Command(
    "plan",
    params=[option for option in bench.params if option.name != "dry_run"],
    callback=partial(cast("Callable[..., None]", bench.callback), dry_run=True),
    help="Show what a bench would do and what its models need, and start nothing.",
)
