"""`kairos publish`: exit code 1 if a video that was chosen is not there afterwards."""

from __future__ import annotations

import click

from kairos_lib import formats
from kairos_lib.commands.ending import stop
from kairos_lib.options import parts, suite_option
from kairos_lib.project import Project


@click.command()
@suite_option
@click.option("--to", "place", envvar="KAIROS_TO", help="cosmos, or jsonl:FOLDER.")
@click.option("--model", envvar="KAIROS_MODEL", help="Models of the suite; all by default.")
@click.option("--video", envvar="KAIROS_VIDEO", help="Videos of the suite; all by default.")
def publish(suite: str | None, place: str | None, model: str | None, video: str | None) -> None:
    """Put a suite's videos and scenes into a database, or into a folder as JSON Lines."""
    from kairos_lib.publish import publishing
    from kairos_lib.publish.chosen import choose
    from kairos_lib.results.suite import read

    project = Project.find()
    data = read(project, suite or "demo")
    chosen = choose(data, parts(model or ""), parts(video or ""))
    count = 0
    for one in publishing.publish(data, chosen, publishing.opened(project, place or "")):
        if isinstance(one, publishing.Published):
            count += 1
            click.echo(one.in_words)
        else:
            click.echo(f"left out: {one.what}: {' '.join(one.why.split())}", err=True)
    if count < len(chosen.bases) or not count:
        missing = formats.count(len(chosen.bases) - count, "video")
        stop(f"{missing} not published: see above for what is missing", 1)
