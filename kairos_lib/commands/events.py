"""`kairos events`: exit code 0, or 1 where something could not be done."""

from __future__ import annotations

import sys

import click

from kairos_lib.commands.addresses import videos_here
from kairos_lib.commands.carrying_out import SLOTS_AT_MOST, carried_out, report_unusable
from kairos_lib.commands.elsewhere import elsewhere
from kairos_lib.errors import KairosError
from kairos_lib.options import flag, fresh_option, model_id_option, moment_s, numbers, whole
from kairos_lib.project import Project

SLICES_AT_MOST = 1000


@click.command()
@click.option("--model", envvar="KAIROS_MODEL", help="Model name; several with commas.")
@click.option(
    "--video", envvar="KAIROS_VIDEO", help="Video name, path or address; several with commas."
)
@click.option("--task", envvar="KAIROS_TASK", help="What to look for: a name of parameters/events.")
@click.option("--from", "begin", envvar="KAIROS_FROM", help="Only from here on: 90, or 1:30.")
@click.option("--to", "end", envvar="KAIROS_TO", help="Only up to here.")
@click.option("--batch", envvar="KAIROS_BATCH", type=str, help="Windows asked about at once.")
@click.option(
    "--temperatures", envvar="KAIROS_TEMPERATURES", help="To compare in the report: 0,0.7."
)
@click.option("--weights", envvar="KAIROS_WEIGHTS", help="dummy: full size, random, no download.")
@click.option("--slots", envvar="KAIROS_SLOTS", type=str, help="Notebooks at once; 1 by default.")
@click.option("--slices", envvar="KAIROS_SLICES", type=str, help="Shares of a video; as SLOTS.")
@click.option("--on", envvar="KAIROS_ON", help="slurm:NAME, a cluster; local, tasks in SLOTS here.")
@model_id_option
@fresh_option
@click.option(
    "--dry-run", envvar="KAIROS_DRY_RUN", is_flag=False, flag_value="1", callback=flag,
    help="Print the plan and start nothing.",
)  # fmt: skip
def events(
    model: str | None,
    video: str | None,
    task: str | None,
    begin: str | None,
    end: str | None,
    batch: str | None,
    temperatures: str | None,
    weights: str | None,
    slots: str | None,
    slices: str | None,
    on: str | None,
    model_id: str | None,
    fresh: bool,
    dry_run: bool,
) -> None:
    """Look for events in VIDEO with MODEL, and write the report."""
    from rich.console import Console

    from kairos_lib.bench.display import plan_lines
    from kairos_lib.bench.events_plan import EventsRequest, plan_events, set_aside
    from kairos_lib.bench.events_request import events_suite
    from kairos_lib.parameters.spotting import TEMPERATURE_AT_MOST

    project = Project.find()
    at_once = whole("SLOTS", slots, SLOTS_AT_MOST) or 1
    size = whole("BATCH", batch, 10_000)
    asked = EventsRequest(
        task=task or "",
        changes={"batch_size": size} if size else None,
        from_s=moment_s("FROM", begin) or 0.0,
        to_s=moment_s("TO", end),
        slices=whole("SLICES", slices, SLICES_AT_MOST) or at_once,
        temperatures=numbers("TEMPERATURES", temperatures, TEMPERATURE_AT_MOST),
    )
    if asked.to_s is not None and asked.to_s <= asked.from_s:
        raise KairosError(f"TO={end} is not after FROM={begin or 0}")
    videos = videos_here(project, video or "", download=not dry_run)
    suite = events_suite(project, asked, model or "", videos, model_id or "", weights or "")
    if on:
        elsewhere(project, Console(), suite, on, at_once if slots else 0, fresh, dry_run, asked)
        return
    planned = plan_events(project, suite, asked, fresh)
    report_unusable(planned.unusable)
    if dry_run:
        console = Console()
        console.print("\n".join(plan_lines(project, planned)), soft_wrap=True, highlight=False)
        sys.exit(1 if planned.unusable else 0)
    if fresh:
        set_aside(planned)
    carried_out(project, planned, at_once)
