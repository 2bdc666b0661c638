"""`kairos export`: exit code 1 if there was nothing to write."""

from __future__ import annotations

from pathlib import Path

import click

from kairos_lib.commands.ending import stop
from kairos_lib.errors import KairosError
from kairos_lib.options import flag, parts, suite_option
from kairos_lib.project import Project


@click.command()
@suite_option
@click.option(
    "--format",
    "formats",
    envvar="KAIROS_FORMAT",
    help="srt, vtt, coco, json, chapters, soccernet, csv.",
)
@click.option("--model", envvar="KAIROS_MODEL", help="Models of the suite; all by default.")
@click.option("--video", envvar="KAIROS_VIDEO", help="Videos of the suite; all by default.")
@click.option("--out", envvar="KAIROS_OUT", help="Folder to write to.")
@click.option(
    "--transcript",
    envvar="KAIROS_TRANSCRIPT",
    is_flag=False,
    flag_value="1",
    callback=flag,
    help="With srt and vtt: also write speech as separate subtitles.",
)
def export(
    suite: str | None,
    formats: str | None,
    model: str | None,
    video: str | None,
    out: str | None,
    transcript: bool,
) -> None:
    """Write captions and findings of a suite's runs for other programs."""
    from kairos_lib.publish import export as exports
    from kairos_lib.results.suite import read

    if not out:
        raise KairosError("OUT is not given: name a folder to write to")
    data = read(Project.find(), suite or "demo")
    wanted = exports.Wanted(
        parts(formats or ""), parts(model or ""), parts(video or ""), transcript
    )
    count = 0
    for one in exports.export(data, wanted, Path(out).expanduser()):
        if isinstance(one, exports.Written):
            count += 1
            click.echo(f"{one.path}: {one.holds}")
        else:
            click.echo(f"left out: {one.what}: {' '.join(one.why.split())}", err=True)
    if not count:
        stop(f"nothing was written to {out}: see above for what is missing", 1)
