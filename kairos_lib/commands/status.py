"""`kairos status`: how the newest submission to a cluster stands."""

from __future__ import annotations

import click

from kairos_lib.errors import KairosError
from kairos_lib.options import suite_option
from kairos_lib.project import Project


@click.command()
@suite_option
def status(suite: str | None) -> None:
    """Say how what was handed to a cluster stands: done, running, missing, and for how long yet."""
    from rich.console import Console

    from kairos_lib.bench.status_lines import Seen, lines
    from kairos_lib.bench.submission import LOCAL, newest
    from kairos_lib.bench.verdicts import Verdicts
    from kairos_lib.launch import slurm

    project = Project.find()
    place = newest(project, suite or "")
    unasked, queued = "", None
    if place.ended() is None and place.submission().on != LOCAL:
        try:
            queued = slurm.queue()
        except KairosError as error:
            unasked = str(error)
    # Read after the queue: what has ended in between is told by its record.
    verdicts = Verdicts.read(place, place.submission())
    console = Console()
    seen = Seen(verdicts, queued, unasked)
    console.print("\n".join(lines(project, seen)), soft_wrap=True, highlight=False)
