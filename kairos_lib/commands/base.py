"""`kairos base`: base processing alone. Exit code 1 if anything failed or is unusable."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kairos_lib.commands.addresses import videos_here
from kairos_lib.commands.carrying_out import debugging, report_unusable
from kairos_lib.options import flag, fresh_option
from kairos_lib.project import Project

if TYPE_CHECKING:
    from kairos_lib.bench.base_alone import Outcome

DEFAULT_BASE = "default"


@click.command()
@click.option(
    "--video", envvar="KAIROS_VIDEO", help="Video name, path or address; several with commas."
)
@click.option(
    "--base", envvar="KAIROS_BASE", help=f"Base profile: packages, nano; {DEFAULT_BASE} by default."
)
@fresh_option
@click.option(
    "--dry-run", envvar="KAIROS_DRY_RUN", is_flag=False, flag_value="1", callback=flag,
    help="Print the plan and start nothing.",
)  # fmt: skip
def base(video: str | None, base: str | None, fresh: bool, dry_run: bool) -> None:
    """Find out what is in VIDEO, without a vision-language model, and write its page."""
    from rich.console import Console

    from kairos_lib.bench.base_alone import carry_out_base, page_of, plan_base
    from kairos_lib.bench.display import display, step_lines
    from kairos_lib.bench.request import video_parts

    project = Project.find()
    videos = video_parts(videos_here(project, video or "", download=not dry_run))
    planned = plan_base(project, videos, base or DEFAULT_BASE, fresh)
    report_unusable(planned.unusable)
    if dry_run:
        pages = ", ".join(project.relative(page_of(project, step)) for step in planned.steps)
        then = f"{'a page each' if len(planned.steps) > 1 else 'the page'}: {pages}"
        lines = step_lines(project, planned.steps, planned.unusable, then)
        Console().print("\n".join(lines), soft_wrap=True, highlight=False)
        sys.exit(1 if planned.unusable else 0)
    with display(Console()) as shown:
        outcomes = carry_out_base(project, planned, shown)
    done = [_told(one) for one in outcomes]
    sys.exit(0 if all(done) and not planned.unusable else 1)


def _told(outcome: Outcome) -> bool:
    """Say how a video ended: its failed and its skipped stages and its page.

    Returns:
        Whether all was done that could be.
    """
    from kairos_lib.launch.launcher import cause_of

    run, result = outcome.step.job.run, outcome.result
    if not run.done and debugging() and (cause := cause_of(run)):
        click.echo(f"{outcome.step.label}:\n{cause}", err=True)
    for stage in result.stages if result else ():
        if stage.state not in ("failed", "skipped"):
            continue
        remedy = f": {stage.remedy}" if stage.remedy else ""
        click.echo(
            f"{stage.state}: {stage.name}: {stage.reason}{remedy}", err=stage.state == "failed"
        )
    if outcome.page is not None:
        click.echo(f"page: {outcome.page}")
    if outcome.problem:
        click.echo(f"failed: page of {outcome.step.video.name}: {outcome.problem}", err=True)
    return run.done and not outcome.problem
