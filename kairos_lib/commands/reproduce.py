"""`kairos reproduce`: exit code 0 reproduced, 1 something differs, 2 it could not be run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kairos_lib.errors import KairosError
from kairos_lib.options import flag
from kairos_lib.project import Project

if TYPE_CHECKING:
    from kairos_lib.reproduce.outcome import Outcome

SHOWN_SCENES = 10


@click.command()
@click.argument("run", envvar="KAIROS_RUN", required=False)
@click.option("--video", envvar="KAIROS_VIDEO", help="Present location of the run's video.")
@click.option(
    "--trust-notebook", envvar="KAIROS_TRUST_NOTEBOOK", is_flag=False, flag_value="1",
    callback=flag, help="Run the recorded notebook if it differs from this checkout's.",
)  # fmt: skip
def reproduce(run: str | None, video: str | None, trust_notebook: bool) -> None:
    """Run a model again from a run's record and report what differs.

    RUN is the run's folder, such as runs/vlm/nano/demo-match/<key>/r001. It is not changed: the new
    run goes into a folder of its own under runs/reproduced.

    Exit code 1: captions or counts differ. 2: it could not be run again.
    """
    from rich.console import Console

    from kairos_lib.bench.display import display
    from kairos_lib.launch.launcher import CauseError, cause_of
    from kairos_lib.launch.local import LocalLauncher
    from kairos_lib.reproduce.outcome import outcome
    from kairos_lib.reproduce.rebuild import rebuild
    from kairos_lib.reproduce.record import read_run

    if not run:
        raise KairosError("RUN is not given: name a run's folder, as the report and make plan do")
    project = Project.find()
    recorded = read_run(Path(run))
    rebuilt = rebuild(project, recorded, video or "", trust_notebook)
    folder = rebuilt.job.run.folder
    click.echo(f"again in {project.relative(folder)}")
    for line in rebuilt.changed:
        click.echo(f"not the same: {line}")
    with display(Console()) as shown:
        row = shown.begin(1, 1, f"{recorded.result.model} · {recorded.result.video}")
        status = LocalLauncher(rebuilt.project).launch(rebuilt.job, row.update)
        row.end(status)
    if status.state == "failed":
        raise KairosError(f"it could not be run again: {status.message}") from CauseError(
            cause_of(rebuilt.job.run)
        )
    found = outcome(recorded.folder, folder)
    for line in lines(found):
        click.echo(line)
    if not found.same:
        sys.exit(1)


def lines(found: Outcome) -> Iterator[str]:
    """The outcome, one line for each result."""
    from kairos_lib import formats
    from kairos_lib.media.scene import scene_number

    for captions in found.captions:
        scenes = formats.count(captions.scenes, "scene")
        if captions.otherwise:
            shown = captions.otherwise[:SHOWN_SCENES]
            listed = ", ".join(f"{scene_number(scene)}" for scene in shown)
            more = len(captions.otherwise) - SHOWN_SCENES
            yield (
                f"captions, {captions.scenario}: {len(captions.otherwise):,} of {scenes} differ: "
                f"{listed}" + (f" and {more:,} more" if more > 0 else "")
            )
        else:
            yield f"captions, {captions.scenario}: the same in {scenes}"
    for change in found.counts:
        yield f"count, {change}"
    if not found.counts:
        yield "counts of scenes and tokens: the same"
    for time in found.times:
        change_of = f"{formats.work(time.before_s)} → {formats.work(time.after_s)}"
        ends = time.interval
        interval = (
            f"[{ends.low:.3f}, {ends.high:.3f}] over {formats.count(time.n, 'scene')}"
            if ends
            else "(one run each, so no interval)"
        )
        yield f"time, {time.title}: {change_of}, ratio {time.ratio:.3f} {interval}"
    before, after = (formats.memory(mib) for mib in found.memory_mib)
    yield f"peak memory: {before} → {after}"
    yield (
        "reproduced: captions and counts are the same"
        if found.same
        else "differs: captions or counts are not the same"
    )
