"""Records many repeats of a small bench, and shows with them how often `kairos compare` is right.

`make perf-repeats`, or `python -m benchmarks.repeats --help`. The seconds are kept in
`results/repeats.json`; the table is computed from them alone, the same every time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmarks.base import RESULTS, check, say
from benchmarks.load import ForeignLoad
from benchmarks.recorded import Repeats, Times, page
from kairos_lib.errors import KairosError
from kairos_lib.measure import threads
from kairos_lib.runs.files import read_record, write_record

if TYPE_CHECKING:
    from kairos_lib.parameters.model import Model
    from kairos_lib.project import Project
    from kairos_lib.vlm.adapter import Adapter

NAMES = ("record", "table")
FILE = "repeats"
LEAST_REPEATS = 40
MODEL = "nano"
VIDEOS = ("demo-match", "demo-recipe", "demo-dialogue", "demo-speech")
PASSES = 3
"""Times that a repeat captions each clip. A shared machine is now faster and now slower, from one
second and one minute to the next, so that many short turns show more than a few long ones."""


@click.command()
@click.option(
    "--name", envvar="KAIROS_NAME", default="",
    help="`table` writes the table again from the seconds that there are.",
)  # fmt: skip
@click.option(
    "--rounds", envvar="KAIROS_ROUNDS", default=LEAST_REPEATS, show_default=True, type=int
)
@click.option(
    "--out", default=RESULTS, show_default="benchmarks/results",
    type=click.Path(file_okay=False, path_type=Path), help="Where seconds and table are written.",
)  # fmt: skip
def main(name: str, rounds: int, out: Path) -> None:
    """Record repeats of a small bench and write how often comparing them is right."""
    threads.settle()
    try:
        check(name, NAMES, rounds)
        if name != "table":
            if rounds < LEAST_REPEATS or rounds % 2:
                raise KairosError(
                    f"ROUNDS={rounds}: {LEAST_REPEATS} repeats are the least, and an even number"
                )
            write_record(out / f"{FILE}.json", record(rounds, say))
        recorded = read_record(out / f"{FILE}.json", Repeats)
        if recorded is None:
            raise KairosError(f"there is no {FILE}.json yet: leave out NAME=table to record one")
        path = out / f"{FILE}.md"
        path.write_text(page(recorded), encoding="utf-8")
        click.echo(path.read_text(encoding="utf-8"))
        click.echo(f"written to {path}")
    except KairosError as error:
        click.echo(f"benchmark: {error}", err=True)
        sys.exit(1)


def record(rounds: int, say: Callable[[str], None]) -> Repeats:
    """Caption the demo clips again and again in this process, in both scenarios."""
    from benchmarks.table import machine_rows
    from kairos_lib.parameters.loading import load
    from kairos_lib.parameters.model import Model
    from kairos_lib.project import Project
    from kairos_lib.vlm.adapter import find_family
    from kairos_lib.weights.location import find

    project = Project.find()
    settings = load(project, Model, MODEL)
    path = find(project, settings.weights).path
    assert path is not None
    adapter = find_family(settings.family)(settings, path)
    adapter.load()
    work = {video: _work(project, adapter, settings, video) for video in VIDEOS}
    for once, _ in work.values():
        once()  # Fills caches; not counted, as warming up is not in a run.
    repeats: list[tuple[Times, ...]] = []
    for number in range(1, rounds + 1, 2):
        say(f"repeats {number} and {number + 1} of {rounds}")
        turns = [(once(), once()) for _ in range(PASSES) for once, _ in work.values()]
        repeats += zip(*turns, strict=True)
    return Repeats(
        model=settings.title,
        videos=VIDEOS * PASSES,
        scenes=sum(scenes for _, scenes in work.values()) * PASSES,
        recorded=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=dict(machine_rows()),
        repeats=tuple(repeats),
    )


def _work(
    project: Project, adapter: Adapter, settings: Model, video: str
) -> tuple[Callable[[], Times], int]:
    """What captions a clip once, and the number of its scenes."""
    from kairos_lib.nano.truth import ClipTruth
    from kairos_lib.parameters.loading import video as find_video
    from kairos_lib.vlm.engine import Engine
    from kairos_lib.vlm.query import Query

    instruction = settings.prompt.instruction
    scenes = [
        Query.of(settings, number, scene.start_s, scene.end_s, instruction)
        for number, scene in enumerate(ClipTruth.of_demo(video).scenes)
    ]
    clip = find_video(project, video).path
    engine = Engine(adapter, clip, settings.frames.longest_px)
    size = settings.batch_size if isinstance(settings.batch_size, int) else len(scenes)
    batches = [scenes[at : at + size] for at in range(0, len(scenes), size)]

    def once() -> Times:
        load_of_others = ForeignLoad()
        alone = [answer.timing.total_s for answer in engine.single_stream(scenes)]
        together = [batch.answers[-1].elapsed_s for batch in engine.offline(batches, size)]
        return Times(
            offline_s=round(together[-1], 5),
            single_stream_s=tuple(round(seconds, 5) for seconds in alone),
            foreign_cores=round(load_of_others.cores(), 3),
        )

    return once, len(scenes)


if __name__ == "__main__":
    main()
